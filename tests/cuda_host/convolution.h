// A convolution as its definition has it, for the programs of tests to compare with.
#pragma once

#include <cstddef>

#include "pynet/conv.h"

namespace pynet::cuda {
namespace {

// Calls body with every product of a convolution of one group: y, x and filter element that meet.
template <class Body>
void for_products(const ConvShape& s, const Body& body) {
  const index_t taps = s.C * s.FH * s.FW;
  for (index_t n = 0; n < s.N; ++n)
    for (index_t m = 0; m < s.FN; ++m)
      for (index_t oy = 0; oy < s.OH; ++oy)
        for (index_t ox = 0; ox < s.OW; ++ox)
          for (index_t k = 0; k < taps; ++k) {
            const index_t c = k / (s.FH * s.FW), fy = k / s.FW % s.FH, fx = k % s.FW;
            const index_t h = oy * s.stride_h - s.pad_h + fy * s.dilation_h;
            const index_t w = ox * s.stride_w - s.pad_w + fx * s.dilation_w;
            if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
            body(static_cast<std::size_t>(((n * s.FN + m) * s.OH + oy) * s.OW + ox),
                 static_cast<std::size_t>(((n * s.C + c) * s.H + h) * s.W + w),
                 static_cast<std::size_t>(m * taps + k));
          }
}

}  // namespace
}  // namespace pynet::cuda
