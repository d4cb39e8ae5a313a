// Which pixel meets which tap of a filter that sees one channel, along one axis, and the strips of
// rows that a thread computes: for host and device, like conv_shape.h.
#pragma once

#include "cuda/conv_shape.h"
#include "cuda/divider.h"

namespace pynet::cuda {

// Whether each channel has a few filters of its own, and 32 bits count what there is of it.
inline bool is_depthwise(const ConvShape& s) {
  constexpr index_t kMost = (index_t{1} << 31) - 1, kLongest = index_t{1} << 28;
  return s.groups > 1 && s.groups == s.C && s.FN <= 8 * s.C && s.N * s.C * s.H * s.W <= kMost &&
         s.N * s.FN * s.OH * s.OW <= kMost && s.FN * s.FH * s.FW <= kMost &&
         s.H + 2 * s.pad_h + s.stride_h < kLongest && s.W + 2 * s.pad_w + s.stride_w < kLongest;
}

// Where tap f of result i reads: at (first + i * step + f * tap) / by - back, if that is a whole
// number. `back` keeps what is divided from being negative.
struct TapAxis {
  int first, step, tap, back, size;
  Divider by;

  // The pixel under a tap of the window of an output.
  static TapAxis forward(index_t stride, index_t pad, index_t dilation, index_t size) {
    return {0,
            static_cast<int>(stride),
            static_cast<int>(dilation),
            static_cast<int>(pad),
            static_cast<int>(size),
            Divider(1)};
  }
  // The output whose tap lies on a pixel.
  static TapAxis backward(index_t stride, index_t pad, index_t dilation, index_t F, index_t size) {
    const index_t back = ceil_div(dilation * (F - 1), stride);
    return {static_cast<int>(pad + back * stride),
            1,
            static_cast<int>(-dilation),
            static_cast<int>(back),
            static_cast<int>(size),
            Divider(stride)};
  }
  // Whether there is such a place, which may be beyond the edges.
  __host__ __device__ bool find(int i, int f, int& at) const {
    const std::uint32_t n = static_cast<std::uint32_t>(first + i * step + f * tap);
    const std::uint32_t quotient = by.quotient(n);
    at = static_cast<int>(quotient) - back;
    return quotient * by.d == n;
  }
  __host__ __device__ bool has(int at) const {
    return static_cast<unsigned>(at) < static_cast<unsigned>(size);
  }
};

// Rows of a plane in strips of up to kRows, `gap` apart: those of a strip meet the same taps.
struct Strips {
  static constexpr int kRows = 4;
  int rows, gap, count;
  Divider by_gap;

  Strips(index_t r, index_t g)
      : rows(static_cast<int>(r)),
        gap(static_cast<int>(g)),
        count(static_cast<int>(g < r ? ceil_div(r, g * kRows) * g : r)),
        by_gap(g) {}
  __host__ __device__ int first(int strip) const {
    const int before = static_cast<int>(by_gap.quotient(static_cast<std::uint32_t>(strip))) * gap;
    return strip + before * (kRows - 1);
  }
};

}  // namespace pynet::cuda
