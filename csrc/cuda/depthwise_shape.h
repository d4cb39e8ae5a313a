// Which convolutions are depthwise, and the strips of rows that a thread computes: for host and
// device, like conv_shape.h.
#pragma once

#include "cuda/conv_shape.h"
#include "cuda/divider.h"

namespace pynet::cuda {

// Whether each channel has a few filters of its own, and 32 bits count what there is of it.
inline bool is_depthwise(const ConvShape& s) {
  constexpr index_t kMost = kMostCounted, kLongest = index_t{1} << 28;
  return s.groups > 1 && s.groups == s.C && s.FN <= 8 * s.C && s.N * s.C * s.H * s.W <= kMost &&
         s.N * s.FN * s.OH * s.OW <= kMost && s.FN * s.FH * s.FW <= kMost &&
         s.H + 2 * s.pad_h + s.stride_h < kLongest && s.W + 2 * s.pad_w + s.stride_w < kLongest;
}

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
