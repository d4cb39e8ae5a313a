// A few channels of an image with the padding written out, for groups of few channels: the band of
// pack_image.h, for a strip of whole rows, filled once for each image and group.
#pragma once

#include "cpu/conv_shape.h"

namespace pynet::PYNET_ISA {
namespace {

constexpr index_t kNarrow = 8;           // channels and filters of a group
constexpr index_t kNarrowTaps = 512;     // of one filter
constexpr index_t kBandElements = 4096;  // wanted at a time: it is read once for every tap
constexpr index_t kBandLimit = 65536;

// Rows of the output whose band is no longer than wanted, or 0 where one row is beyond the limit.
PYNET_INLINE index_t strip_rows(const Axis& y, const Axis& x, index_t channels) {
  const auto size = [&](index_t rows) {
    return band_size(y, x, static_cast<double>(channels), static_cast<double>(rows),
                     static_cast<double>(x.out));
  };
  index_t rows = y.out;
  while (rows > 1 && size(rows) > kBandElements) rows = ceil_div(rows, 2);
  return size(rows) > kBandLimit ? 0 : rows;
}

// All columns of output rows y0 .. y1-1.
PYNET_INLINE Strip strip_of(const Axis& y, const Axis& x, index_t y0, index_t y1) {
  return strip_of(y, x, y0, y1, 0, x.out);
}

template <class T>
PYNET_INLINE Windows<T> windows_of(const Strip& s, const Axis& y, const T* band) {
  return {band, s.plane, s.row, s.width, y.stride * s.row};
}

}  // namespace
}  // namespace pynet::PYNET_ISA
