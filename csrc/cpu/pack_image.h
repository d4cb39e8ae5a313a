// The windows of an image as an operand of a matrix product: one row for each tap (c, i, j) of the
// filter, one column for each output pixel (y, x).
//
// The matrix is never built. The channels in work are laid out so that every tap is a plain offset:
//
//   Image   the image itself, where no tap ever leaves it and neighbours in the output are
//           neighbours in the input
//   Band    the rows of the image under a few rows of output, with the padding written out and
//           columns sorted by their remainder modulo the stride
//   Taps    the taps themselves, checked one by one: for padding, strides and dilations so large
//           that a band would hold mostly nothing
//
// What is then left of packing is copying whole vectors, without a branch for the borders.
#pragma once

#include "cpu/image_band.h"

namespace pynet::PYNET_ISA {
namespace {

enum class Source { Image, Band, Taps };

// Output pixels first .. last-1, counted row by row, and the rectangle around them.
struct Patch {
  index_t first, last;
  index_t y0, y1, x0, x1;
};

PYNET_INLINE Patch patch_of(const Axis& x, index_t first, index_t last) {
  Patch p{first, last, first / x.out, (last - 1) / x.out + 1, 0, x.out};
  if (p.y1 == p.y0 + 1) {
    p.x0 = first - p.y0 * x.out;
    p.x1 = p.x0 + (last - first);
  }
  return p;
}

// Where the windows of a patch lie, for a few channels.
template <class T>
struct Windows {
  const T* base;  // the lowest tap of the first channel, for the output at (y0, x0)
  index_t channel, tap_row, phase, out_row;  // elements from one to the next
};

template <class T>
Windows<T> fill_band(const T* image, index_t channels, const Axis& y, const Axis& x, const Patch& p,
                     T* band) {
  const Strip s = strip_of(y, x, p.y0, p.y1, p.x0, p.x1);
  if (has_padding(s, y, x)) zero(band, channels * s.plane);
  fill_strip(s, image, channels, y, x, band);
  return {band, s.plane, s.row, s.width, y.stride * s.row};
}

// Taps t0 .. t1-1 of each channel, one row of the patch's pixels for each.
template <class T>
Windows<T> fill_taps(const T* image, index_t channels, index_t t0, index_t t1, const Axis& y,
                     const Axis& x, const Patch& p, T* taps) {
  const index_t pixels = p.last - p.first;
  T* dst = taps;
  for (index_t c = 0; c < channels; ++c) {
    for (index_t t = t0; t < t1; ++t) {
      for (index_t q = p.first; q < p.last; ++q) {
        const index_t iy = q / x.out * y.stride + y.first + t / x.taps * y.step;
        const index_t ix = q % x.out * x.stride + x.first + t % x.taps * x.step;
        const bool inside = iy >= 0 && iy < y.in && ix >= 0 && ix < x.in;
        *dst++ = inside ? image[(c * y.in + iy) * x.in + ix] : 0;
      }
    }
  }
  return {taps, (t1 - t0) * pixels, pixels, 0, 0};
}

// The windows of a patch for channels of `image`; scratch is written unless the source is Image.
template <class T>
Windows<T> open_windows(Source source, const T* image, index_t channels, index_t t0, index_t t1,
                        const Axis& y, const Axis& x, const Patch& p, T* scratch) {
  if (source == Source::Band) return fill_band(image, channels, y, x, p, scratch);
  if (source == Source::Taps) return fill_taps(image, channels, t0, t1, y, x, p, scratch);
  return {image + (p.y0 * y.stride + lowest(y)) * x.in + p.x0 + lowest(x), y.in * x.in, x.in, 0,
          y.stride * x.in};
}

// offsets[k]: where tap k of channels x (t0 .. t1-1) lies, seen from the output pixel.
template <class T>
void tap_offsets(Source source, const Windows<T>& w, index_t channels, index_t t0, index_t t1,
                 const Axis& y, const Axis& x, index_t* offsets) {
  const index_t taps = t1 - t0;
  for (index_t k = 0; k < taps; ++k) {
    if (source == Source::Taps) {
      offsets[k] = k * w.tap_row;
    } else {
      const index_t down = y.first + (t0 + k) / x.taps * y.step - lowest(y);
      const index_t right = x.first + (t0 + k) % x.taps * x.step - lowest(x);
      offsets[k] = down * w.tap_row + right % x.stride * w.phase + right / x.stride;
    }
  }
  for (index_t k = taps; k < channels * taps; ++k) offsets[k] = offsets[k - taps] + w.channel;
}

// One vector of output pixels: where each lane lies.
template <class T>
struct Lanes {
  enum { Row, Part, TwoRows, Many } kind;
  index_t first, second;  // of lane 0, and of lane 0 had it been in the row of the last lane
  index_t count;          // lanes in use
  ivec<T> in_first;
  index_t each[kLanes<T>];
};

// Pixels p .. p+n-1 of a patch, 1 <= n <= kLanes.
template <class T>
Lanes<T> lanes_at(Source source, const Windows<T>& w, const Axis& x, const Patch& patch, index_t p,
                  index_t n) {
  constexpr index_t L = kLanes<T>;
  Lanes<T> lanes;
  lanes.count = n;
  const bool one_row = source == Source::Taps || patch.y1 == patch.y0 + 1;
  const index_t y = one_row ? 0 : p / x.out - patch.y0;
  const index_t col = one_row ? p - patch.first : p - (y + patch.y0) * x.out;
  const index_t left = one_row ? n : x.out - col;  // pixels to the end of the row
  lanes.first = y * w.out_row + col;
  if (n <= left) {
    lanes.kind = n == L ? Lanes<T>::Row : Lanes<T>::Part;
  } else if (n == L && n <= left + x.out) {
    lanes.kind = Lanes<T>::TwoRows;
    lanes.second = (y + 1) * w.out_row - left;
    for (index_t i = 0; i < L; ++i) lanes.in_first[i] = i < left ? -1 : 0;
  } else {
    lanes.kind = Lanes<T>::Many;
    for (index_t i = 0; i < L; ++i) {
      const index_t q = col + min_of(i, n - 1);
      lanes.each[i] = (y + q / x.out) * w.out_row + q % x.out;
    }
  }
  return lanes;
}

// dst[k*step + lane] for `count` taps; lanes beyond those in use hold anything.
template <class T>
void fetch(T* dst, index_t step, const T* base, const index_t* offsets, index_t count,
           const Lanes<T>& lanes) {
  const T* first = base + lanes.first;
  switch (lanes.kind) {
    case Lanes<T>::Row:
      for (index_t k = 0; k < count; ++k) store(dst + k * step, load(first + offsets[k]));
      break;
    case Lanes<T>::Part:
      for (index_t k = 0; k < count; ++k) {
        store(dst + k * step, load_n(first + offsets[k], lanes.count));
      }
      break;
    case Lanes<T>::TwoRows: {
      // Neither load leaves the windows: each spans less than the pixels from one row to the next.
      const T* second = base + lanes.second;
      const ivec<T> in_first = lanes.in_first;
      for (index_t k = 0; k < count; ++k) {
        const vec<T> a = load(first + offsets[k]), b = load(second + offsets[k]);
        store(dst + k * step, in_first ? a : b);
      }
      break;
    }
    case Lanes<T>::Many:
      for (index_t k = 0; k < count; ++k) {
        for (index_t i = 0; i < kLanes<T>; ++i) {
          dst[k * step + i] = base[offsets[k] + lanes.each[i]];
        }
      }
      break;
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
