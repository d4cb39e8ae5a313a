// Which pixel meets which tap of a filter: the arithmetic of all convolutions, for host and device,
// so that a test can go through every index of a small shape.
#pragma once

#include "cuda/device.h"
#include "cuda/divider.h"

namespace pynet::cuda {

// Where tap f of result i reads along one axis: at (first + i * step + f * tap) / by - back, if
// that is a whole number. `back` keeps what is divided from being negative. A stride that leads out
// of every image may be any other that does.
struct TapAxis {
  static constexpr index_t kLongest = index_t{1} << 29;  // of an axis with its padding
  int first, step, tap, back, size;
  Divider by;

  // The pixel under a tap of the window of an output.
  static TapAxis forward(index_t stride, index_t pad, index_t dilation, index_t size) {
    const int by = static_cast<int>(stride < kLongest ? stride : kLongest);
    return {
        0,         by, static_cast<int>(dilation), static_cast<int>(pad), static_cast<int>(size),
        Divider(1)};
  }
  // The output whose tap lies on a pixel.
  static TapAxis backward(index_t stride, index_t pad, index_t dilation, index_t F, index_t size) {
    const index_t by = stride < kLongest ? stride : kLongest;
    const index_t back = ceil_div(dilation * (F - 1), by);
    return {static_cast<int>(pad + back * by),
            1,
            static_cast<int>(-dilation),
            static_cast<int>(back),
            static_cast<int>(size),
            Divider(by)};
  }
  // What follows from i alone, and, given that, whether there is such a place: it may be beyond the
  // edges.
  __host__ __device__ int start(int i) const { return first + i * step; }
  __host__ __device__ bool find_from(int begin, int f, int& at) const {
    const std::uint32_t n = static_cast<std::uint32_t>(begin + f * tap);
    if (by.d == 1) {  // most convolutions have no stride
      at = static_cast<int>(n) - back;
      return true;
    }
    const std::uint32_t quotient = by.quotient(n);
    at = static_cast<int>(quotient) - back;
    return quotient * by.d == n;
  }
  __host__ __device__ bool find(int i, int f, int& at) const { return find_from(start(i), f, at); }
  __host__ __device__ bool has(int at) const {
    return static_cast<unsigned>(at) < static_cast<unsigned>(size);
  }
};

// Whether 32 bits count the pixels of a batch, the numbers of a sample and the taps of a filter.
constexpr index_t kMostCounted = (index_t{1} << 31) - 1;
inline bool is_countable(const ConvShape& s) {
  constexpr index_t kMost = kMostCounted;
  const index_t taps = s.FH * s.FW;
  return s.N * s.H * s.W <= kMost && s.N * s.OH * s.OW <= kMost && s.C * s.H * s.W <= kMost &&
         s.FN * s.OH * s.OW <= kMost && s.C / s.groups * taps <= kMost &&
         s.FN / s.groups * taps <= kMost && s.H + 2 * s.pad_h < TapAxis::kLongest &&
         s.W + 2 * s.pad_w < TapAxis::kLongest;
}

}  // namespace pynet::cuda
