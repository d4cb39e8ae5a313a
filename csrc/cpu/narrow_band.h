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

// The same for both phases of stride 2 at once: even[i] = src[2*i], odd[i] = src[2*i + 1].
template <class T>
PYNET_INLINE void copy_pairs(T* even, T* odd, const T* src, index_t evens, index_t odds) {
  constexpr index_t L = kLanes<T>;
  const index_t n = min_of(evens, odds);
  const auto pairs = [&](index_t i) {
    const PairOf<vec<T>> pair = split(load(src + 2 * i), load(src + 2 * i + L));
    store(even + i, in_order(pair.first));
    store(odd + i, in_order(pair.second));
  };
  index_t done = 0;
  if (n >= L) {
    for (; done + L < n; done += L) pairs(done);
    pairs(n - L);
    done = n;
  }
  for (index_t i = done; i < evens; ++i) even[i] = src[2 * i];
  for (index_t i = done; i < odds; ++i) odd[i] = src[2 * i + 1];
}

// Fills what differs from image to image; the band must have been zero before the first of them.
template <class T>
PYNET_INLINE void fill_strip(const Strip& s, const T* image, index_t channels, const Axis& y,
                             const Axis& x, T* band) {
  const Span inside = span_inside(s.in_y, y.in, 1, s.rows);
  if (x.stride == 2 && s.phases == 2) {
    const index_t x0 = max_of<index_t>(0, s.in_x), b = x0 - s.in_x;
    const Span spans[] = {span_inside(s.in_x, x.in, 2, s.width),
                          span_inside(s.in_x + 1, x.in, 2, s.width)};
    const Span even = spans[b % 2], odd = spans[1 - b % 2];
    for (index_t c = 0; c < channels; ++c) {
      const T* src = image + (c * y.in + s.in_y + inside.begin) * x.in + x0;
      T* dst = band + c * s.plane + inside.begin * s.row;
      T* evens = dst + b % 2 * s.width + even.begin;
      T* odds = dst + (1 - b % 2) * s.width + odd.begin;
      for (index_t r = inside.begin; r < inside.end; ++r, src += x.in) {
        copy_pairs(evens, odds, src, even.end - even.begin, odd.end - odd.begin);
        evens += s.row, odds += s.row;
      }
    }
    return;
  }
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
