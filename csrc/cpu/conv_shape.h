// The geometry of convolutions, forwards and backwards, one axis at a time.
#pragma once

#include "cpu/pack_image.h"
#include "pynet/conv.h"

namespace pynet::PYNET_ISA {
namespace {

// A 1 x 1 convolution sees no neighbours: its image may as well be one long row.
PYNET_INLINE ConvShape flattened(ConvShape s) {
  if (s.FH == 1 && s.FW == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 &&
      s.pad_w == 0) {
    s.W = s.OW = s.H * s.W;
    s.H = s.OH = 1;
  }
  return s;
}

PYNET_INLINE Axis forward_axis(index_t in, index_t out, index_t taps, index_t stride, index_t pad,
                               index_t dilation) {
  return Axis{in, out, stride, taps, -pad, dilation};
}

PYNET_INLINE index_t gcd(index_t a, index_t b) {
  while (b != 0) {
    const index_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

// Input pixel h and tap i met at output (h + pad - i*dilation) / stride, where that is whole. For
// the pixels h = r, r + stride, ... these are every tap_step-th tap from some first one on.
PYNET_INLINE index_t tap_step(index_t stride, index_t dilation) {
  return stride / gcd(stride, dilation);
}

// The class of pixels, h % stride, that tap i reaches.
PYNET_INLINE index_t class_of_tap(index_t i, index_t stride, index_t pad, index_t dilation) {
  const index_t r = (i * dilation - pad) % stride;
  return r < 0 ? r + stride : r;
}

struct BackwardAxis {
  Axis axis;
  index_t first_tap, tap_step;  // tap i of the axis is tap first_tap + i*tap_step of the filter
};

// Pixels r, r + stride, ... of an input axis as outputs, the output axis as input.
PYNET_INLINE BackwardAxis backward_axis(index_t r, index_t in, index_t out, index_t taps,
                                        index_t stride, index_t pad, index_t dilation) {
  const index_t step = tap_step(stride, dilation);
  index_t first = 0;
  while (first < min_of(step, taps) && class_of_tap(first, stride, pad, dilation) != r) ++first;
  const index_t mine = first < min_of(step, taps) ? ceil_div(taps - first, step) : 0;
  return {{out, ceil_div(in - r, stride), 1, mine, (r + pad - first * dilation) / stride,
           -(dilation * step / stride)},
          first,
          step};
}

// How many of the taps reach a class of pixels below r.
PYNET_INLINE index_t classes_before(index_t r, index_t taps, index_t stride, index_t pad,
                                    index_t dilation) {
  index_t count = 0;
  for (index_t i = 0; i < taps; ++i) count += class_of_tap(i, stride, pad, dilation) < r;
  return count;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
