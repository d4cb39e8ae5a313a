// Which pixel meets which tap of a filter: the arithmetic of all convolutions, for host and device,
// so that a test can go through every index of a small shape.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

// Whether the pixels of a batch and the taps of its filters can be counted with a Divider.
inline bool is_countable(const ConvShape& s) {
  constexpr index_t kMost = (index_t{1} << 31) - 1;
  const index_t taps = s.FH * s.FW;
  return s.N * s.H * s.W <= kMost && s.N * s.OH * s.OW <= kMost && s.C / s.groups * taps <= kMost &&
         s.FN / s.groups * taps <= kMost;
}

// Tap k of a filter, k = (c * FH + fy) * FW + fx.
struct Tap {
  index_t c, fy, fx;
  __host__ __device__ Tap(const ConvShape& s, index_t k) {
    const index_t line = k / s.FW;
    fx = k - line * s.FW;
    c = line / s.FH;
    fy = line - c * s.FH;
  }
};

// Output pixel i of all images, i = (n * OH + oy) * OW + ox.
struct OutputPixel {
  index_t n, oy, ox;
  __host__ __device__ OutputPixel(const ConvShape& s, index_t i) {
    const index_t line = i / s.OW;
    ox = i - line * s.OW;
    n = line / s.OH;
    oy = line - n * s.OH;
  }
};

// The input pixel under a tap of the window of an output pixel.
struct InputPixel {
  index_t row, column;
  bool inside;  // or padding
  __host__ __device__ InputPixel(const ConvShape& s, const OutputPixel& at, const Tap& tap)
      : row(at.oy * s.stride_h - s.pad_h + tap.fy * s.dilation_h),
        column(at.ox * s.stride_w - s.pad_w + tap.fx * s.dilation_w),
        inside(0 <= row && row < s.H && 0 <= column && column < s.W) {}
};

// Along one axis, the output whose tap f lies on input pixel i, or -1.
__host__ __device__ inline index_t output_of(index_t i, index_t f, index_t stride, index_t pad,
                                             index_t dilation, index_t outputs) {
  const index_t at = i + pad - f * dilation;
  if (at < 0) return -1;
  if (stride == 1) return at < outputs ? at : -1;  // a division takes a hundred instructions
  const index_t o = at / stride;
  return o * stride == at && o < outputs ? o : -1;
}

}  // namespace pynet::cuda
