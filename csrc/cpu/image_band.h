// A band: the rows of an image under some rows of output, with the padding written out and the
// columns sorted by their remainder modulo the stride, so that every tap of a filter is a plain
// offset from the output pixel and the pixels of a vector are neighbours.
#pragma once

#include "cpu/pairs.h"

namespace pynet::PYNET_ISA {
namespace {

// One axis of a convolution: output p and tap i meet at input p*stride + first + i*step.
struct Axis {
  index_t in, out, stride;
  index_t taps, first, step;
};

PYNET_INLINE index_t reach(const Axis& a) { return (a.taps - 1) * (a.step < 0 ? -a.step : a.step); }
// The input under the lowest tap of output 0.
PYNET_INLINE index_t lowest(const Axis& a) {
  return a.first + (a.step < 0 ? (a.taps - 1) * a.step : 0);
}
PYNET_INLINE bool stays_inside(const Axis& a) {
  return lowest(a) >= 0 && lowest(a) + (a.out - 1) * a.stride + reach(a) < a.in;
}

// Elements of scratch that a band needs for `rows` x `cols` outputs, with a vector to spare.
PYNET_INLINE double band_size(const Axis& y, const Axis& x, double channels, double rows,
                              double cols) {
  const double phases = static_cast<double>(min_of(x.stride, reach(x) + 1));
  const double width = cols + static_cast<double>(reach(x) / x.stride);
  return channels * ((rows - 1) * y.stride + reach(y) + 1) * phases * width + 64;
}

// The outputs whose tap at `at` + p*stride lies inside of an image of `size`.
struct Span {
  index_t begin, end;
};
PYNET_INLINE Span span_inside(index_t at, index_t size, index_t stride, index_t outputs) {
  const index_t begin = at >= 0 ? 0 : min_of(outputs, ceil_div(-at, stride));
  const index_t end = at >= size ? 0 : min_of(outputs, ceil_div(size - at, stride));
  return {begin, max_of(begin, end)};
}

template <class T>
PYNET_INLINE void zero(T* dst, index_t n) {
  index_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(dst + i, vec<T>{});
  for (; i < n; ++i) dst[i] = 0;
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

// The same for all remainders modulo STRIDE at once: to[q][i] = src[i*STRIDE + q] for i < n[q].
template <int STRIDE, class T>
PYNET_INLINE void copy_sorted(T* const* to, const index_t* n, const T* src) {
  constexpr index_t L = kLanes<T>;
  index_t all = n[0];
  for (int q = 1; q < STRIDE; ++q) all = min_of(all, n[q]);
  const auto vectors = [&](index_t i) {
    const auto sorted = [&](index_t at) {
      const PairOf<vec<T>> pair =
          split(load(src + i * STRIDE + at), load(src + i * STRIDE + at + L));
      return PairOf<vec<T>>{in_order(pair.first), in_order(pair.second)};
    };
    if constexpr (STRIDE == 2) {
      const PairOf<vec<T>> pair = sorted(0);
      store(to[0] + i, pair.first);
      store(to[1] + i, pair.second);
    } else {
      const PairOf<vec<T>> low = sorted(0), high = sorted(2 * L);
      const PairOf<vec<T>> even = split(low.first, high.first),
                           odd = split(low.second, high.second);
      store(to[0] + i, in_order(even.first));
      store(to[1] + i, in_order(odd.first));
      store(to[2] + i, in_order(even.second));
      store(to[3] + i, in_order(odd.second));
    }
  };
  index_t done = 0;
  if (all >= L) {  // the last vector over the one before it
    for (; done < all; done += L) vectors(min_of(done, all - L));
    done = all;
  }
  for (int q = 0; q < STRIDE; ++q) {
    for (index_t i = done; i < n[q]; ++i) to[q][i] = src[i * STRIDE + q];
  }
}

// The band of one channel, whatever the image.
struct Strip {
  index_t phases, width, row, rows, plane;
  index_t in_y, in_x;
};

// For output rows y0 .. y1-1, columns x0 .. x1-1.
PYNET_INLINE Strip strip_of(const Axis& y, const Axis& x, index_t y0, index_t y1, index_t x0,
                            index_t x1) {
  Strip s{};
  s.phases = min_of(x.stride, reach(x) + 1);
  s.width = x1 - x0 + reach(x) / x.stride;
  s.row = s.phases * s.width;
  s.rows = (y1 - y0 - 1) * y.stride + reach(y) + 1;
  s.plane = s.rows * s.row;
  s.in_y = y0 * y.stride + lowest(y);
  s.in_x = x0 * x.stride + lowest(x);
  return s;
}

// Whether fill_strip leaves out some of the band: it must be zero there.
PYNET_INLINE bool has_padding(const Strip& s, const Axis& y, const Axis& x) {
  return s.in_y < 0 || s.in_y + s.rows > y.in || s.in_x < 0 ||
         s.in_x + (s.width - 1) * x.stride + s.phases > x.in;
}

// All remainders at once, where each has its columns.
template <int STRIDE, class T>
PYNET_INLINE void fill_sorted(const Strip& s, const T* image, index_t channels, const Axis& y,
                              const Axis& x, T* band) {
  const Span inside = span_inside(s.in_y, y.in, 1, s.rows);
  const index_t x0 = max_of<index_t>(0, s.in_x), b = x0 - s.in_x;
  index_t n[STRIDE];
  for (int q = 0; q < STRIDE; ++q) {
    n[q] = min_of(s.width - (b + q) / STRIDE, (x.in - x0 - q + STRIDE - 1) / STRIDE);
    n[q] = max_of<index_t>(0, n[q]);
  }
  for (index_t c = 0; c < channels; ++c) {
    index_t between = inside.begin % y.stride;  // rows since the last window began
    for (index_t r = inside.begin; r < inside.end; ++r) {
      if (between <= reach(y)) {
        T* row = band + c * s.plane + r * s.row;
        T* to[STRIDE];
        for (int q = 0; q < STRIDE; ++q) {
          to[q] = row + (b + q) % STRIDE * s.width + (b + q) / STRIDE;
        }
        const T* src = image + (c * y.in + s.in_y + r) * x.in + x0;
        // The same row of the image that is next: the processor does not look ahead so far.
        for (index_t i = 0; i < x.in; i += 64 / static_cast<index_t>(sizeof(T))) {
          __builtin_prefetch(src + channels * y.in * x.in + i, 0, 2);
        }
        copy_sorted<STRIDE>(to, n, src);
      }
      if (++between == y.stride) between = 0;
    }
  }
}

// Fills what lies inside of the image.
template <class T>
PYNET_INLINE void fill_strip(const Strip& s, const T* image, index_t channels, const Axis& y,
                             const Axis& x, T* band) {
  if (x.stride == 2 && s.phases == 2) return fill_sorted<2>(s, image, channels, y, x, band);
  if (x.stride == 4 && s.phases == 4) return fill_sorted<4>(s, image, channels, y, x, band);
  const Span inside = span_inside(s.in_y, y.in, 1, s.rows);
  for (index_t phase = 0; phase < s.phases; ++phase) {
    const Span span = span_inside(s.in_x + phase, x.in, x.stride, s.width);
    if (span.begin == span.end) continue;
    const index_t first = s.in_x + phase + span.begin * x.stride;
    for (index_t c = 0; c < channels; ++c) {
      const T* src = image + (c * y.in + s.in_y + inside.begin) * x.in + first;
      T* dst = band + c * s.plane + inside.begin * s.row + phase * s.width + span.begin;
      index_t between = inside.begin % y.stride;  // rows since the last window began
      for (index_t r = inside.begin; r < inside.end; ++r, dst += s.row, src += x.in) {
        if (between <= reach(y)) copy_inside(dst, src, x.stride, span.end - span.begin);
        if (++between == y.stride) between = 0;
      }
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
