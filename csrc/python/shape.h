#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>

#include "pynet/types.h"

namespace pynet {

// The sizes of an array, without an allocation: an op on a few elements takes as long as one.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<index_t> sizes) : Shape(sizes.begin(), sizes.size()) {}
  Shape(const index_t* sizes, std::size_t rank) : rank_(rank < kMost ? rank : kMost) {
    std::copy(sizes, sizes + rank_, sizes_);
  }
  Shape(const Shape& other) : Shape(other.sizes_, other.rank_) {}
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    std::copy(other.begin(), other.end(), sizes_);
    return *this;
  }

  void push_back(index_t size) {
    if (rank_ < kMost) sizes_[rank_++] = size;
  }
  index_t operator[](std::size_t axis) const { return sizes_[axis]; }
  index_t& operator[](std::size_t axis) { return sizes_[axis]; }
  const index_t* begin() const { return sizes_; }
  const index_t* end() const { return sizes_ + rank_; }
  std::size_t size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  bool operator==(const Shape& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }

 private:
  static constexpr std::size_t kMost = 64;  // NumPy's largest rank
  std::size_t rank_ = 0;
  index_t sizes_[kMost];
};

}  // namespace pynet
