// A few channels of an image with the padding written out, for groups of few channels: the band of
// pack_image.h, for a strip of whole rows, filled once for each image and group.
#pragma once

#include "cpu/conv_shape.h"
#include "cpu/pairs.h"

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

// dst[i] = src[i*stride] for i < n. With stride 1, a row shorter than a vector is followed by zeros
// up to a vector: padding, or pixels that are filled after it.
template <class T>
PYNET_INLINE void copy_inside(T* dst, const T* src, index_t stride, index_t n) {
  constexpr index_t L = kLanes<T>;
  if (stride == 1 && n >= L) {
    for (index_t i = 0; i + L < n; i += L) store(dst + i, load(src + i));
    store(dst + n - L, load(src + n - L));
  } else if (stride == 1) {
    store(dst, load_n(src, n));
  } else if (stride == 2 && n > L) {  // the last element alone: a pair would reach beyond it
    const auto evens = [&](index_t i) {
      store(dst + i, in_order(split(load(src + 2 * i), load(src + 2 * i + L)).first));
    };
    for (index_t i = 0; i + L < n - 1; i += L) evens(i);
    evens(n - 1 - L);
    dst[n - 1] = src[2 * (n - 1)];
  } else {
    for (index_t i = 0; i < n; ++i) dst[i] = src[i * stride];
  }
}

// The band of one strip, whatever the image: output rows y0 .. y1-1.
struct Strip {
  index_t phases, width, row, rows, plane;
  index_t in_y, in_x;
};

PYNET_INLINE Strip strip_of(const Axis& y, const Axis& x, index_t y0, index_t y1) {
  Strip s{};
  s.phases = min_of(x.stride, reach(x) + 1);
  s.width = x.out + reach(x) / x.stride;
  s.row = s.phases * s.width;
  s.rows = (y1 - y0 - 1) * y.stride + reach(y) + 1;
  s.plane = s.rows * s.row;
  s.in_y = y0 * y.stride + lowest(y);
  s.in_x = lowest(x);
  return s;
}

// Fills what differs from image to image; the band must have been zero before the first of them.
template <class T>
PYNET_INLINE void fill_strip(const Strip& s, const T* image, index_t channels, const Axis& y,
                             const Axis& x, T* band) {
  const Span inside = span_inside(s.in_y, y.in, 1, s.rows);
  for (index_t phase = 0; phase < s.phases; ++phase) {
    const Span span = span_inside(s.in_x + phase, x.in, x.stride, s.width);
    const index_t first = s.in_x + phase + span.begin * x.stride;
    for (index_t c = 0; c < channels; ++c) {
      const T* src = image + (c * y.in + s.in_y + inside.begin) * x.in + first;
      T* dst = band + c * s.plane + inside.begin * s.row + phase * s.width + span.begin;
      if (span.begin == span.end) continue;
      for (index_t r = inside.begin; r < inside.end; ++r, dst += s.row, src += x.in) {
        copy_inside(dst, src, x.stride, span.end - span.begin);
      }
    }
  }
}

template <class T>
PYNET_INLINE Windows<T> windows_of(const Strip& s, const Axis& y, const T* band) {
  return {band, s.plane, s.row, s.width, y.stride * s.row};
}

}  // namespace
}  // namespace pynet::PYNET_ISA
