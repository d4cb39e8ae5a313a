// Which pixel meets which tap of a filter: the arithmetic of all convolutions, for host and device,
// so that a test can go through every index of a small shape.
#pragma once

#include "cuda/device.h"
#include "cuda/divider.h"

namespace pynet::cuda {

// Where tap f of result i reads along one axis: at (first + i * step + f * tap) / by - back, if
// that is a whole number. `back` keeps what is divided from being negative. 32 bits wrap around,
// but no two places in an image and its padding are 2^32 apart.
struct TapAxis {
  std::uint32_t first, step, tap, back;
  int size;
  bool wide;  // paddings, strides or dilations so large that sums in 32 bits cannot be divided
  Divider by;

  // The pixel under a tap of the window of an output.
  static TapAxis forward(index_t stride, index_t pad, index_t dilation, index_t size) {
    const std::uint32_t by = reach(stride);
    return {0, by, word(dilation), word(pad), static_cast<int>(size), false, Divider(1)};
  }
  // The output whose tap lies on a pixel.
  static TapAxis backward(index_t stride, index_t pad, index_t dilation, index_t F, index_t size) {
    const index_t by = reach(stride), back = ceil_div(dilation * (F - 1), by);
    if (size * by + dilation * (F - 1) >= index_t{1} << 29) {
      return {word(pad), 1, word(dilation), 0, static_cast<int>(size), true, Divider(by)};
    }
    return {word(pad + back * by),  1,     word(-dilation), word(back),
            static_cast<int>(size), false, Divider(by)};
  }
  // What follows from i alone, and, given that, whether there is such a place: it may be beyond the
  // edges.
  __host__ __device__ std::uint32_t start(int i) const {
    return first + static_cast<std::uint32_t>(i) * step;
  }
  __host__ __device__ bool find_from(std::uint32_t begin, int f, int& at) const {
    if (wide) return find_wide(begin, f, at);
    const std::uint32_t n = begin + static_cast<std::uint32_t>(f) * tap;
    if (by.d == 1) {  // most convolutions have no stride
      at = static_cast<int>(n - back);
      return true;
    }
    const std::uint32_t quotient = by.quotient(n);
    at = static_cast<int>(quotient - back);
    return quotient * by.d == n;
  }
  __host__ __device__ bool find(int i, int f, int& at) const { return find_from(start(i), f, at); }
  __host__ __device__ bool has(int at) const {
    return static_cast<unsigned>(at) < static_cast<unsigned>(size);
  }

 private:
  static std::uint32_t word(index_t n) { return static_cast<std::uint32_t>(n); }
  // A stride that leads out of every image may be any other that does.
  static std::uint32_t reach(index_t stride) {
    constexpr index_t kMost = (index_t{1} << 32) - 1;
    return word(stride < kMost ? stride : kMost);
  }
  __host__ __device__ bool find_wide(std::uint32_t begin, int f, int& at) const {
    const index_t before = static_cast<index_t>(f) * tap;
    if (before > begin) return false;
    const std::uint32_t n = begin - static_cast<std::uint32_t>(before), quotient = n / by.d;
    at = quotient < static_cast<std::uint32_t>(size) ? static_cast<int>(quotient) : size;
    return quotient * by.d == n;
  }
};

// Whether 32 bits count the pixels of a batch, the numbers of a sample and the taps of a filter.
constexpr index_t kMostCounted = (index_t{1} << 31) - 1;
inline bool is_countable(const ConvShape& s) {
  constexpr index_t kMost = kMostCounted;
  const index_t taps = s.FH * s.FW;
  return s.N * s.H * s.W <= kMost && s.N * s.OH * s.OW <= kMost && s.C * s.H * s.W <= kMost &&
         s.FN * s.OH * s.OW <= kMost && s.C / s.groups * taps <= kMost &&
         s.FN / s.groups * taps <= kMost;
}

}  // namespace pynet::cuda
