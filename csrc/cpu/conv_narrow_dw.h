// The gradient of the filters for groups of few channels, depthwise among them:
//
//   dW[m, tap] = sum over images and pixels of dout[m, pixel] * x[pixel + tap]
//
//   phase 0   each tile adds up some images for some groups: vectors along the rows, one
//             accumulator for each tap, from the band of narrow_band.h
//   phase 1   adds the parts in their order, where there are several
#pragma once

#include "cpu/kernel.h"
#include "cpu/narrow_band.h"

namespace pynet::PYNET_ISA {
namespace {

struct NarrowDw {
  ConvShape s;
  Axis y, x;
  index_t M, C, taps;  // of a group; the taps of all its channels
  index_t rows, strips;
  index_t groups, group_tiles;
  index_t images, chunks;  // a chunk: so many images
  index_t band;
};

constexpr index_t kDwPairs = 24;       // channels times filters of a group
constexpr int kDwTaps = 9;             // accumulators at a time
constexpr index_t kDwElements = 2048;  // of an image, or of dout, at least, where there are so many
constexpr index_t kDwSums = 1024;      // vectors of sums at most
constexpr index_t kDwTileWork = 100000;  // multiplications that are worth a tile

template <class T>
NarrowDw narrow_dw_layout(const Conv2dDwArgs<T>& p) {
  NarrowDw l{};
  const ConvShape s = l.s = flattened(p.s);
  l.y = forward_axis(s.H, s.OH, s.FH, s.stride_h, s.pad_h, s.dilation_h);
  l.x = forward_axis(s.W, s.OW, s.FW, s.stride_w, s.pad_w, s.dilation_w);
  l.M = s.FN / s.groups, l.C = s.C / s.groups, l.taps = l.C * s.FH * s.FW;
  l.rows = strip_rows(l.y, l.x, l.C);
  if (l.rows == 0) return l;
  l.strips = ceil_div(s.OH, l.rows);
  l.band = static_cast<index_t>(band_size(l.y, l.x, static_cast<double>(l.C),
                                          static_cast<double>(l.rows), static_cast<double>(s.OW)));
  // Groups of small planes together: theirs are neighbours in memory, those of the next image far.
  const index_t sums = l.M * l.taps;
  l.groups = min_of(s.groups, ceil_div(kDwElements, max_of(l.C * s.H * s.W, l.M * s.OH * s.OW)));
  l.groups = max_of<index_t>(1, min_of(l.groups, kDwSums / sums));
  l.group_tiles = ceil_div(s.groups, l.groups);
  const index_t work = l.groups * sums * s.OH * s.OW;
  const index_t chunks =
      min_of(ceil_div(s.N, ceil_div(kDwTileWork, work)), ceil_div(32, l.group_tiles));
  l.images = ceil_div(s.N, chunks);
  l.chunks = ceil_div(s.N, l.images);
  return l;
}

template <class T>
bool is_narrow(const Conv2dDwArgs<T>& args) {
  const ConvShape& s = args.s;
  const index_t M = s.FN / s.groups, C = s.C / s.groups;
  // Without groups the product's tiles are full, but for an image of one channel and few filters.
  if (M * C > kDwPairs || (s.groups == 1 && (C > 1 || 2 * M > kCols<T>))) return false;
  const NarrowDw l = narrow_dw_layout(args);
  return l.rows > 0 && l.taps <= kNarrowTaps;
}

// sum[k] += the products of one plane of dout with the band under tap k, for TAPS taps.
template <class T, int TAPS>
void narrow_products(const T* dout, const T* band, const index_t* offsets, index_t rows,
                     index_t band_row, index_t OW, vec<T>* sum) {
  constexpr index_t L = kLanes<T>;
  const index_t whole = OW / L * L, rest = OW - whole;
  ivec<T> in_row;
  for (index_t i = 0; i < L; ++i) in_row[i] = i < rest ? -1 : 0;
  vec<T> acc[TAPS];
#pragma GCC unroll 16
  for (int k = 0; k < TAPS; ++k) acc[k] = vec<T>{};
  index_t at[TAPS];
#pragma GCC unroll 16
  for (int k = 0; k < TAPS; ++k) at[k] = offsets[k];
  for (index_t y = 0; y < rows; ++y, dout += OW, band += band_row) {
    for (index_t x = 0; x < whole; x += L) {
      const vec<T> d = load(dout + x);
#pragma GCC unroll 16
      for (int k = 0; k < TAPS; ++k) acc[k] = fma(d, load(band + x + at[k]), acc[k]);
    }
    if (rest > 0) {  // beyond the row lies anything, perhaps an infinity
      const vec<T> d = load_n(dout + whole, rest);
#pragma GCC unroll 16
      for (int k = 0; k < TAPS; ++k) {
        const vec<T> a = (vec<T>)((ivec<T>)load(band + whole + at[k]) & in_row);
        acc[k] = fma(d, a, acc[k]);
      }
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < TAPS; ++k) sum[k] += acc[k];
}

template <class T>
using NarrowProducts = void (*)(const T*, const T*, const index_t*, index_t, index_t, index_t,
                                vec<T>*);

template <class T, int TAPS = kDwTaps>
PYNET_INLINE NarrowProducts<T> narrow_products_for(index_t taps) {
  if constexpr (TAPS > 1) {
    return taps == TAPS ? narrow_products<T, TAPS> : narrow_products_for<T, TAPS - 1>(taps);
  } else {
    return narrow_products<T, 1>;
  }
}

template <class T>
void narrow_dw_chunk(const Conv2dDwArgs<T>& p, const NarrowDw& l, const Tile& tile) {
  const index_t block = tile.index % l.group_tiles, chunk = tile.index / l.group_tiles;
  const index_t g0 = block * l.groups, g1 = min_of(l.s.groups, g0 + l.groups);
  const index_t n0 = chunk * l.images, n1 = min_of(l.s.N, n0 + l.images);
  const index_t sums = l.M * l.taps, pixels = l.s.OH * l.s.OW;
  vec<T>* sum = static_cast<vec<T>*>(tile.local);
  index_t* offsets = reinterpret_cast<index_t*>(sum + l.groups * sums);
  T* bands = reinterpret_cast<T*>(offsets + l.taps);
  T* out =
      (l.chunks > 1 ? static_cast<T*>(tile.shared) + chunk * l.s.groups * sums : p.dW) + g0 * sums;

  const index_t blocks = ceil_div(l.taps, kDwTaps), groups = g1 - g0;
  for (index_t i = 0; i < groups * sums; ++i) sum[i] = vec<T>{};
  for (index_t s = 0; s < l.strips; ++s) {
    const index_t y0 = s * l.rows, y1 = min_of(l.s.OH, y0 + l.rows);
    const Strip strip = strip_of(l.y, l.x, y0, y1);
    const Windows<T> w = windows_of<T>(strip, l.y, bands);
    tap_offsets(Source::Band, w, l.C, 0, l.s.FH * l.s.FW, l.y, l.x, offsets);
    zero(bands, 2 * l.band);
    // Two bands in turn: what was stored last is not read yet, while it still is on its way.
    index_t filled = 0;
    const auto fill = [&](index_t n, index_t g) {
      const T* image = p.x + (n * l.s.groups + g) * l.C * l.s.H * l.s.W;
      fill_strip(strip, image, l.C, l.y, l.x, bands + filled++ % 2 * l.band);
    };
    fill(n0, g0);
    for (index_t n = n0; n < n1; ++n) {
      for (index_t g = g0; g < g1; ++g) {
        const T* band = bands + (filled - 1) % 2 * l.band;
        if (g + 1 < g1) {
          fill(n, g + 1);
        } else if (n + 1 < n1) {
          fill(n + 1, g0);
        }
        for (index_t m = 0; m < l.M; ++m) {
          const T* dout = p.dout + ((n * l.s.groups + g) * l.M + m) * pixels + y0 * l.s.OW;
          vec<T>* mine = sum + (g - g0) * sums + m * l.taps;
          for (index_t b = 0; b < blocks; ++b) {
            const index_t k0 = l.taps * b / blocks, k1 = l.taps * (b + 1) / blocks;
            narrow_products_for<T>(k1 - k0)(dout, band, offsets + k0, y1 - y0, w.out_row, l.s.OW,
                                            mine + k0);
          }
        }
      }
    }
  }
  for (index_t i = 0; i < groups * sums; ++i) out[i] = sum_lanes<T>(sum[i]);
}

template <class T>
void narrow_dw_add(const Conv2dDwArgs<T>& p, const NarrowDw& l, const Tile& tile) {
  const index_t size = l.s.groups * l.M * l.taps;
  const T* parts = static_cast<const T*>(tile.shared);
  const index_t end = min_of(size, (tile.index + 1) * kChunk);
  for (index_t i = tile.index * kChunk; i < end; ++i) {
    T sum = parts[i];
    for (index_t chunk = 1; chunk < l.chunks; ++chunk) sum += parts[chunk * size + i];
    p.dW[i] = sum;
  }
}

template <class T>
Work narrow_dw_plan(const Conv2dDwArgs<T>& p) {
  const NarrowDw l = narrow_dw_layout(p);
  const index_t size = l.s.groups * l.M * l.taps;
  const std::size_t local = static_cast<std::size_t>(l.groups * l.M * l.taps) * kVectorBytes +
                            static_cast<std::size_t>(l.taps) * sizeof(index_t) +
                            static_cast<std::size_t>(2 * l.band) * sizeof(T);
  const double pixels = static_cast<double>(l.s.N) * l.s.groups * l.s.OH * l.s.OW;
  return Work{l.chunks > 1 ? 2 : 1,
              {l.group_tiles * l.chunks, ceil_div(size, kChunk)},
              l.chunks > 1 ? static_cast<std::size_t>(l.chunks * size) * sizeof(T) : 0,
              local,
              (pixels * l.M * l.taps * 0.05 + pixels * l.C * 0.2) * (sizeof(T) == 4 ? 1 : 2)};
}

template <class T>
void narrow_dw_run(const Conv2dDwArgs<T>& p, const Tile& tile) {
  const NarrowDw l = narrow_dw_layout(p);
  if (tile.phase == 0) {
    narrow_dw_chunk(p, l, tile);
  } else {
    narrow_dw_add(p, l, tile);
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
