// Arrays for the benchmarks: from pynet's memory pool, as the arrays of its ops are.
#pragma once

#include <random>

#include "pynet/runtime.h"

template <class T>
class RandomArray {
 public:
  explicit RandomArray(pynet::index_t n)
      : data_(static_cast<T*>(pynet::pool_allocate(static_cast<std::size_t>(n) * sizeof(T)))) {
    std::mt19937 random(0);
    std::normal_distribution<T> draw;
    for (pynet::index_t i = 0; i < n; ++i) data_[i] = draw(random);
  }
  ~RandomArray() { pynet::pool_free(data_); }
  RandomArray(const RandomArray&) = delete;
  RandomArray& operator=(const RandomArray&) = delete;

  T* data() const { return data_; }

 private:
  T* data_;
};
