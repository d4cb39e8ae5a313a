// The input gradient of groups of few channels with a stride of 2 along the rows.
//
// The pixels of dx fall into classes, by their remainders modulo the stride, and each class meets
// its own taps of the filter (conv_product.h). One class after the other would go through dx four
// times, a pixel here and there. Here a vector of even pixels and one of odd pixels are made
// together and joined on the way out, so dx is written once, in the order of its memory. The loops
// of a tile, which is a strip of rows of one image for some groups:
//
//   groups: the rows of dout under the strip to a band (narrow_band.h)
//   channels of dx, rows of dx, blocks of vectors across a row, even and odd pixels, their taps
#pragma once

#include "cpu/conv_narrow.h"
#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

struct NarrowDx {
  Axis y, x;      // dout under pairs of pixels of dx, as if one class met all taps
  index_t M, C;   // channels of dx, filters, of one group
  index_t taps;   // of all filters of a group
  index_t lists;  // of taps: of even and of odd pixels, for each remainder of a row
  index_t rows, strips;
  index_t groups, group_tiles;
  index_t band;
};

// Dout under the classes of an axis of dx all together.
PYNET_INLINE Axis all_classes(index_t in, index_t out, index_t taps, index_t stride, index_t pad,
                              index_t dilation) {
  index_t low = 0, high = 0;
  for (index_t r = 0; r < min_of(stride, in); ++r) {
    const Axis a = backward_axis(r, in, out, taps, stride, pad, dilation).axis;
    if (a.taps == 0) continue;
    low = min_of(low, lowest(a)), high = max_of(high, lowest(a) + reach(a));
  }
  return {out, ceil_div(in, stride), 1, high - low + 1, low, 1};
}

template <class T>
NarrowDx narrow_dx_layout(const Conv2dDxArgs<T>& args) {
  const ConvShape& s = args.s;
  NarrowDx l{};
  l.y = all_classes(s.H, s.OH, s.FH, s.stride_h, s.pad_h, s.dilation_h);
  l.x = all_classes(s.W, s.OW, s.FW, s.stride_w, s.pad_w, s.dilation_w);
  l.M = s.C / s.groups, l.C = s.FN / s.groups, l.taps = l.C * s.FH * s.FW;
  l.lists = 2 * min_of(s.stride_h, s.H);
  l.rows = strip_rows(l.y, l.x, l.C);
  if (l.rows == 0) return l;
  l.strips = ceil_div(l.y.out, l.rows);
  l.band =
      static_cast<index_t>(band_size(l.y, l.x, static_cast<double>(l.C),
                                     static_cast<double>(l.rows), static_cast<double>(l.x.out)));
  l.groups = min_of(s.groups, ceil_div(kTileWork, l.taps * l.M * l.rows * l.x.out));
  while (l.groups > 1 && s.N * l.strips * ceil_div(s.groups, l.groups) < 32) {
    l.groups = ceil_div(l.groups, 2);
  }
  l.group_tiles = ceil_div(s.groups, l.groups);
  return l;
}

template <class T>
bool is_narrow_dx(const Conv2dDxArgs<T>& args) {
  return args.s.stride_w == 2 && args.s.W > 1 && is_narrow(args) && narrow_dx_layout(args).rows > 0;
}

// Some of a filter's taps: tap k is an element of the filter, and lies at an offset from a pixel.
template <class T>
struct TapList {
  const T* filter;
  const index_t* offsets;
  index_t count;
};

// `n` elements at most of a vector of results.
template <class T>
PYNET_INLINE void write_pixels(T* to, vec<T> v, index_t n, Write how) {
  if (n >= kLanes<T>) {
    how == Write::Stream ? stream(to, v) : store(to, how == Write::Add ? load(to) + v : v);
  } else if (n > 0) {
    store_n(to, how == Write::Add ? load_n(to, n) + v : v, n);
  }
}

// One row of dx, V vectors of pairs at a time: pair q sees the band at in + q.
template <class T, int V>
void narrow_pairs(const TapList<T>* taps, const T* in, index_t W, Write how, T* dx) {
  constexpr index_t L = kLanes<T>;
  const index_t last = (W - 1) / (2 * L) * L;  // where the last vector begins
  for (index_t q = 0; q <= last; q += V * L) {
    index_t at[V];
    vec<T> acc[2][V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) at[v] = min_of(q + v * L, last);
#pragma GCC unroll 2
    for (int odd = 0; odd < 2; ++odd) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[odd][v] = vec<T>{};
      for (index_t k = 0; k < taps[odd].count; ++k) {
        const vec<T> element = splat(taps[odd].filter[k]);
        const T* row = in + taps[odd].offsets[k];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[odd][v] = fma(element, load(row + at[v]), acc[odd][v]);
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const PairOf<vec<T>> pair = join(spread(acc[0][v]), spread(acc[1][v]));
      const index_t x = 2 * (q + v * L);
      write_pixels(dx + x, pair.first, W - x, how);
      write_pixels(dx + x + L, pair.second, W - x - L, how);
    }
  }
}

template <class T>
using NarrowPairs = void (*)(const TapList<T>*, const T*, index_t, Write, T*);

template <class T>
PYNET_INLINE NarrowPairs<T> narrow_pairs_for(index_t W) {
  const index_t vectors = ceil_div(W, 2 * kLanes<T>), across = ceil_div(vectors, 4);
  const index_t wide = ceil_div(vectors, across);
  return wide == 1   ? narrow_pairs<T, 1>
         : wide == 2 ? narrow_pairs<T, 2>
         : wide == 3 ? narrow_pairs<T, 3>
                     : narrow_pairs<T, 4>;
}

template <class T>
Work narrow_dx_plan(const Conv2dDxArgs<T>& args) {
  const NarrowDx l = narrow_dx_layout(args);
  const ConvShape& s = args.s;
  const std::size_t local = static_cast<std::size_t>(l.lists) * sizeof(TapList<T>) +
                            static_cast<std::size_t>(2 * l.taps) * sizeof(index_t) +
                            static_cast<std::size_t>(l.taps + 2 * l.band) * sizeof(T);
  const double pixels = static_cast<double>(s.N) * s.groups * s.OH * s.OW;
  return Work{1,
              {s.N * l.strips * l.group_tiles},
              0,
              local,
              (pixels * l.M * l.taps * 0.05 + pixels * l.C * 0.4) * (sizeof(T) == 4 ? 1 : 2)};
}

template <class T>
void narrow_dx_run(const Conv2dDxArgs<T>& args, const Tile& tile) {
  const NarrowDx l = narrow_dx_layout(args);
  const ConvShape& s = args.s;
  const index_t strip_index = tile.index % l.strips, block = tile.index / l.strips % l.group_tiles;
  const index_t n = tile.index / l.strips / l.group_tiles;
  const index_t y0 = strip_index * l.rows, y1 = min_of(l.y.out, y0 + l.rows);
  const index_t g0 = block * l.groups, g1 = min_of(s.groups, g0 + l.groups);
  const Strip strip = strip_of(l.y, l.x, y0, y1);

  TapList<T>* lists = static_cast<TapList<T>*>(tile.local);
  index_t* offsets = reinterpret_cast<index_t*>(lists + l.lists);
  index_t* places = offsets + l.taps;  // of the taps in W, for group 0 and channel 0
  T* filter = reinterpret_cast<T*>(places + l.taps);
  T* bands = filter + l.taps;
  index_t taps = 0;
  for (index_t c = 0; c < l.lists; ++c) {
    const Product<T> p = product_of(args, c);
    lists[c] = {filter + taps, offsets + taps, p.C * p.y.taps * p.x.taps};
    for (index_t k = 0; k < lists[c].count; ++k) {
      const index_t j = k % p.x.taps, i = k / p.x.taps % p.y.taps,
                    channel = k / p.x.taps / p.y.taps;
      offsets[taps] = channel * strip.plane + (p.y.first + i * p.y.step - l.y.first) * strip.row +
                      p.x.first + j * p.x.step - l.x.first;
      places[taps++] = p.w_first + channel * p.w_channel + i * p.w_y + j * p.w_x;
    }
  }

  const Product<T> all = product_of(args, 0);
  const NarrowPairs<T> pairs = narrow_pairs_for<T>(s.W);
  const Write how = how_to_write(args.dx, s.N * s.C * s.H * s.W, s.W, args.grad == Grad::Add);
  // Two bands in turn: what was stored last is not read yet, while it still is on its way.
  const auto fill = [&](index_t g) {
    if (g == g1) return;
    const T* dout = args.dout + (n * s.groups + g) * l.C * s.OH * s.OW;
    fill_strip(strip, dout, l.C, l.y, l.x, bands + (g - g0) % 2 * l.band);
  };
  zero(bands, 2 * l.band);
  fill(g0);
  for (index_t g = g0; g < g1; ++g) {
    fill(g + 1);
    const T* band = bands + (g - g0) % 2 * l.band;
    for (index_t m = 0; m < l.M; ++m) {
      const T* W = args.W + g * all.w_group + m * all.w_row;
      for (index_t k = 0; k < taps; ++k) filter[k] = W[places[k]];
      T* dx = args.dx + ((n * s.groups + g) * l.M + m) * s.H * s.W;
      const index_t last = min_of(s.H, y1 * s.stride_h);
      const index_t remainders = l.lists / 2;
      const T* in = band;
      for (index_t h = y0 * s.stride_h; h < last; in += strip.row) {
        for (index_t r = 0; r < remainders && h < last; ++r, ++h) {
          pairs(lists + 2 * r, in, s.W, how, dx + h * s.W);
        }
      }
    }
  }
  if (how == Write::Stream) order_streams();
}

}  // namespace
}  // namespace pynet::PYNET_ISA
