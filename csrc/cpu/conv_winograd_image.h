// The images of Winograd's convolution on their way in and out: from rows of pixels to vectors of
// channels, and from vectors of filters to rows of pixels.
#pragma once

#include "cpu/conv_product.h"
#include "cpu/pack.h"
#include "cpu/pack_image.h"

namespace pynet::PYNET_ISA {
namespace {

// Channels side by side in a band: a line of the cache, or a vector where that is longer.
template <class T>
constexpr index_t kBeside = kLanes<T> > 16 ? kLanes<T> : 16;

// What dilation takes for images of their own: rows row_step apart, `rows` such combs to an image.
// Columns lie `cols` apart, and so many tiles interleaved.
struct Combs {
  index_t row_step, rows, cols;
};

template <class T>
PYNET_INLINE Combs combs_of(const Product<T>& p) {
  const index_t down = p.y.step < 0 ? -p.y.step : p.y.step;
  return {down, min_of(down, p.y.out), p.x.step < 0 ? -p.x.step : p.x.step};
}

// The rows of a comb under one row of tiles, with the padding written out. They lie in a ring: the
// next row of tiles begins with the last two of this one.
struct TileBand {
  index_t side, out;  // a tile: side x side pixels, out x out outputs
  index_t width;      // pixels of a row
  Combs combs;
  index_t in_x, in_y;  // the first pixel under the first row of tiles
};

PYNET_INLINE TileBand tile_band(index_t side, index_t out, index_t cols, const Combs& combs,
                                index_t in_x) {
  return {side, out, cols * out + (side - out) * combs.cols, combs, in_x, 0};
}

template <class T>
PYNET_INLINE index_t elements_of(const TileBand& b) {
  return b.side * b.width * kBeside<T>;
}

// Row `row`, counted from the first under the first row of tiles.
template <class T>
PYNET_INLINE T* row_of(const TileBand& b, index_t row, T* band) {
  return band + row % b.side * b.width * kBeside<T>;
}

// dst[k*kBeside + i] = src[i*plane + k] for i < channels, k < n.
template <class T>
void turn_pixels(T* dst, const T* src, index_t plane, index_t channels, index_t n) {
  constexpr index_t B = kBlock<T>, step = kBeside<T>;
  for (index_t i = 0; i < min_of(channels, step); i += B, dst += B, src += B * plane) {
    const index_t rows = min_of(B, channels - i);
    if (n < B) {
      interleave(dst, step, src, plane, rows, n);
      continue;
    }
    for (index_t k = 0; k + B < n; k += B) {
      transpose_block(dst + k * step, step, src + k, plane, rows);
    }
    transpose_block(dst + (n - B) * step, step, src + n - B, plane, rows);
  }
}

// The rows that row r of the tiles adds to the band, for the first kBeside of `channels`. What lies
// left and right of the image must be zero already.
template <class T>
void fill_rows(const TileBand& b, const T* image, index_t channels, index_t H, index_t W, index_t r,
               T* band) {
  const Span span = span_inside(b.in_x, W, 1, b.width);
  const index_t first = b.in_x + span.begin, n = span.end - span.begin;
  for (index_t i = r == 0 ? 0 : b.side - b.out; i < b.side; ++i) {
    const index_t row = r * b.out + i, y = b.in_y + row * b.combs.row_step;
    T* dst = row_of(b, row, band) + span.begin * kBeside<T>;
    if (y < 0 || y >= H) {
      zero(dst, n * kBeside<T>);
    } else {
      turn_pixels(dst, image + y * W + first, H * W, channels, n);
    }
  }
}

// dst[i*plane + x] = src[x*kLanes + i] for i < filters, x < width, or += of it.
template <class T>
void store_pixels(const T* src, index_t width, index_t filters, bool add, T* dst, index_t plane) {
  constexpr index_t B = kBlock<T>, L = kLanes<T>;
  for (index_t i = 0; i < filters; i += B, src += B, dst += B * plane) {
    const index_t rows = min_of(B, filters - i);
    for (index_t x = 0; x < width; x += B) {
      // The last block lies over the one before it.
      const index_t at = width < B ? 0 : min_of(x, width - B), n = min_of(B, width);
      if (rows == B && n == B && !add) {
        transpose_block(dst + at, plane, src + at * L, L);
        continue;
      }
      T turned[B * B];
      if (n == B) {
        transpose_block(turned, B, src + at * L, L);
      } else {
        interleave(turned, B, src, L, n, rows);
      }
      for (index_t j = 0; j < rows; ++j) {
        T* pixels = dst + j * plane + at;
        for (index_t k = x - at; k < n; ++k) {
          pixels[k] = add ? pixels[k] + turned[j * B + k] : turned[j * B + k];
        }
      }
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
