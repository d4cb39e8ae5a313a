// Convolution with 3 x 3 filters and stride 1, and its input gradient, by Winograd's algorithm: the
// sums over channels become matrix products of transformed images with transformed filters
// (rules/winograd.h says how, and whose idea it is). A tile of m x m outputs takes
// (m+2)^2 products for each channel and filter instead of 9 m^2.
//
//   phase 0   filters, transformed: at each of the (m+2)^2 points a matrix channels x filters, in
//             the slivers of gemm_micro.h
//   phase 1   each tile of the plan takes a block of the images' tiles and some of the filters:
//               over channels, a line of the cache at a time, over rows of tiles: the rows of the
//                 image, turned (a band in L1), and transformed to V: point, tile, channel
//               over blocks of filters:
//                 over points: products of V with the filters, to Y: point, tile, filter
//                 over vectors of filters, over rows of tiles: Y, transformed to pixels, and turned
//
// The transforms work on vectors of channels, and of filters: they need no shuffles, and no image
// is too narrow for them.
//
// With dilation d a convolution is d*d independent ones: outputs d apart see pixels d apart. So
// every d-th row of an image is taken for an image of its own, a comb; and in a row of tiles d of
// them lie interleaved, their pixels d apart, so that rows still enter and leave as a whole.
#pragma once

#include "cpu/conv_product.h"
#include "cpu/conv_winograd_image.h"
#include "cpu/conv_winograd_transforms.h"
#include "cpu/gemm_micro.h"
#include "cpu/pool_2x2.h"

namespace pynet::PYNET_ISA {
namespace {

struct WinogradLayout {
  index_t out, side, points;  // a tile: out x out outputs, side = out+2, points = side^2
  Combs combs;
  index_t all;           // combs of all images
  index_t down, across;  // tiles of a comb
  index_t rows, cols;    // tiles of a block,
  index_t images;        // and whole combs, where these are small
  index_t row_blocks, col_blocks, image_blocks;
  index_t slivers, part, parts;       // of filters: all, of one tile of the plan, and such parts
  index_t channels, filters;          // from one tile to the next in V and in Y
  index_t v_point, y_point, w_point;  // from one point to the next in V, Y and the filters
  index_t filter_parts;               // tiles of phase 0 for each sliver
};

constexpr index_t kTapChannels = 16;               // whose taps are turned at a time
constexpr index_t kFilterTile = 4 * kTapChannels;  // channels of a tile of phase 0
constexpr index_t kBlockCols = 16;                 // tiles of a block in a row
constexpr index_t kPartSlivers = 4;                // of a block of filters

// --- whether and how -----------------------------------------------------------------------------

// Nanoseconds for tiles of `out`, or with out = 1 for the direct way: what the parts take on an
// AVX2 core at 3.2 GHz. Only their proportions matter.
template <class T>
double winograd_cost(const Product<T>& p, index_t out) {
  const double pairs = static_cast<double>(p.C) * p.M, images = static_cast<double>(p.images);
  if (out == 1) return images * p.y.out * p.x.out * pairs * 9 * 0.025;
  const Combs combs = combs_of(p);
  const double tiles = images * combs.rows * ceil_div(p.y.out, out * combs.row_step) * combs.cols *
                       ceil_div(p.x.out, out * combs.cols);
  const double points = static_cast<double>((out + 2) * (out + 2));
  const double products = points * (p.C + 8) * round_up(p.M, 16) * 0.0245;
  const double transforms = points * (p.C + p.M) * 0.15;
  return tiles * (products + transforms) + points * pairs * (pairs > 30000 ? 0.7 : 0.25);
}

template <class T>
bool winograd_applies(const ConvShape& s, bool wanted) {
  return wanted && sizeof(T) == sizeof(float) && s.groups == 1 && s.FH == 3 && s.FW == 3 &&
         s.stride_h == 1 && s.stride_w == 1 && s.dilation_w <= kBlockCols;
}

// The tile, 4 or 2 outputs, or 0 for the direct way.
template <class T, template <class> class Args>
index_t winograd_tile(const Args<T>& args) {
  if (!winograd_applies<T>(args.s, args.winograd)) return 0;
  const Product<T> p = bound_of(args);
  const double direct = winograd_cost(p, 1), four = winograd_cost(p, 4), two = winograd_cost(p, 2);
  if (1.1 * min_of(two, four) > direct) return 0;
  return two < four ? 2 : 4;
}

template <class T>
WinogradLayout winograd_layout(const Product<T>& p, index_t out) {
  constexpr index_t S = kCols<T>;
  WinogradLayout l{};
  l.out = out, l.side = out + 2, l.points = l.side * l.side;
  l.combs = combs_of(p), l.all = p.images * l.combs.rows;
  const index_t wide = l.combs.cols, sets = ceil_div(p.x.out, out * wide);  // of interleaved tiles
  l.down = ceil_div(p.y.out, out * l.combs.row_step), l.across = sets * wide;
  const auto even = [](index_t all, index_t wanted) {  // the length of pieces of equal length
    return ceil_div(all, ceil_div(all, max_of<index_t>(1, min_of(all, wanted))));
  };
  // Filters that do not stay in the L2 cache should at least meet many tiles each time they come.
  const index_t wanted = p.C * p.M > 16384 ? 48 : 32;
  l.cols = even(sets, kBlockCols / wide) * wide;
  l.rows = even(l.down, wanted / l.cols);
  l.images = even(l.all, wanted / (l.down * l.across));
  l.row_blocks = ceil_div(l.down, l.rows), l.col_blocks = ceil_div(l.across, l.cols);
  l.image_blocks = ceil_div(l.all, l.images);
  // Enough tiles for the threads: cut by filters, each part transforms the image once more.
  l.slivers = ceil_div(p.M, S);
  const index_t blocks = l.image_blocks * l.row_blocks * l.col_blocks;
  l.part = even(l.slivers, max_of(kPartSlivers, l.slivers * blocks / 16));
  l.parts = ceil_div(l.slivers, l.part);

  // Points that lie a power of two apart would push each other out of the cache.
  const auto spaced = [](index_t size) { return round_up(size, 16) + 16; };
  const index_t tiles = l.images * l.rows * l.cols;
  l.channels = round_up(p.C, kLanes<T>), l.filters = S * even(l.part, kPartSlivers);
  l.v_point = spaced(tiles * l.channels), l.y_point = spaced(tiles * l.filters);
  l.w_point = spaced(l.slivers * p.C * S);
  l.filter_parts = ceil_div(p.C, kFilterTile);
  return l;
}

// --- phase 0 -------------------------------------------------------------------------------------

// One sliver of filters for some channels: the taps in vectors of filters, then their transforms.
template <class T, int OUT>
void transform_filters(const Product<T>& p, const WinogradLayout& l, index_t index, T* filters,
                       T* taps) {
  constexpr index_t S = kCols<T>, L = kLanes<T>;
  const index_t sliver = index / l.filter_parts, m = sliver * S, rows = min_of(S, p.M - m);
  const index_t begin = index % l.filter_parts * kFilterTile;
  const index_t end = min_of(p.C, begin + kFilterTile);
  const bool turned = p.y.step < 0;  // the input gradient meets the taps in reverse
  const index_t step = turned ? -S : S;
  for (index_t c0 = begin; c0 < end; c0 += kTapChannels) {
    const index_t channels = min_of(kTapChannels, end - c0);
    const index_t joined = p.w_channel == 9 ? channels : 1;  // whose taps are neighbours
    for (index_t c = 0; c < channels; c += joined) {
      const T* src = p.weights + m * p.w_row + (c0 + c) * p.w_channel;
      pack_sliver<T, S>(taps + c * 9 * S, src, p.w_row, 1, rows, 9 * joined);
    }
    for (index_t c = 0; c < channels; ++c) {
      for (index_t v = 0; v < S; v += L) {
        const T* from = taps + c * 9 * S + v + (turned ? 8 * S : 0);
        T* to = filters + (sliver * p.C + c0 + c) * S + v;
        transform_tile<T, typename Winograd<T, OUT>::Filter>(
            [&](int i, int j) { return load(from + (3 * i + j) * step); },
            [&](int i, int j, vec<T> value) {
              store(to + (i * (OUT + 2) + j) * l.w_point, value);
            });
      }
    }
  }
}

// --- phase 1 -------------------------------------------------------------------------------------

// The part of a tile of the plan: these tiles of these combs, and these slivers of filters.
struct WinogradBlock {
  index_t n, images, row, rows, col, cols;
  index_t first, last;
};

PYNET_INLINE WinogradBlock winograd_block(const WinogradLayout& l, index_t index) {
  const auto take = [&index](index_t count) {
    const index_t i = index % count;
    index /= count;
    return i;
  };
  WinogradBlock b;
  b.first = take(l.parts) * l.part, b.last = min_of(l.slivers, b.first + l.part);
  b.col = take(l.col_blocks) * l.cols, b.cols = min_of(l.cols, l.across - b.col);
  b.row = take(l.row_blocks) * l.rows, b.rows = min_of(l.rows, l.down - b.row);
  b.n = index * l.images, b.images = min_of(l.images, l.all - b.n);
  return b;
}

// Images as tiles see them: the first tile begins at pixel (in_y, in_x).
template <class T>
struct TiledImages {
  const T* first;
  index_t image, channels, H, W;  // image: from one to the next
  index_t in_y, in_x;
  Combs combs;
};

// The tiles of a block, transformed: of tile t, channel c to v[point*v_point + t*step + c].
// DILATED, here and below: only then the distance of a tile's pixels is not known beforehand.
template <class T, class Transform, int OUT, bool DILATED>
void transform_images(const TiledImages<T>& in, const WinogradBlock& b, index_t v_point,
                      index_t step, T* v, T* scratch) {
  constexpr index_t SIDE = Transform::kIn, L = kLanes<T>;
  const index_t wide = DILATED ? in.combs.cols : 1, right = wide * kBeside<T>;
  TileBand band = tile_band(SIDE, OUT, b.cols, in.combs, in.in_x + b.col * OUT);
  zero(scratch, elements_of<T>(band));
  for (index_t c = 0; c < in.channels; c += kBeside<T>) {
    const index_t vectors = ceil_div(min_of(kBeside<T>, in.channels - c), L);
    T* to = v + c;
    for (index_t n = b.n; n < b.n + b.images; ++n) {
      const T* image = in.first + n / in.combs.rows * in.image + c * in.H * in.W;
      band.in_y = in.in_y + n % in.combs.rows + b.row * OUT * band.combs.row_step;
      for (index_t r = 0; r < b.rows; ++r) {
        fill_rows(band, image, in.channels - c, in.H, in.W, r, scratch);
        const T* line[SIDE];
        for (int i = 0; i < SIDE; ++i) line[i] = row_of(band, r * OUT + i, scratch);
        for (index_t t = 0; t < b.cols; t += wide) {
          for (index_t k = t * OUT; k < t * OUT + wide; ++k, to += step) {  // their first pixels
            for (index_t u = 0; u < vectors; ++u) {
              const index_t at = k * kBeside<T> + u * L;
              transform_tile<T, Transform>(
                  [&](int i, int j) { return load(line[i] + at + j * right); },
                  [&](int i, int j, vec<T> value) {
                    store(to + (i * Transform::kOut + j) * v_point + u * L, value);
                  });
            }
          }
        }
      }
    }
  }
}

template <class T>
PYNET_INLINE TiledImages<T> images_of(const Product<T>& p) {
  return {p.in, p.C * p.y.in * p.x.in, p.C, p.y.in, p.x.in, lowest(p.y), lowest(p.x), combs_of(p)};
}

// The products at one point: tiles x channels with the filters of some slivers.
template <class T>
void multiply_point(const Product<T>& p, const WinogradLayout& l, index_t tiles, index_t slivers,
                    const T* v, const T* filters, T* y) {
  constexpr index_t S = kCols<T>;
  const index_t stretches = ceil_div(p.C, kDepth), heights = ceil_div(tiles, kRows);
  for (index_t k = 0; k < stretches; ++k) {
    const index_t c0 = p.C * k / stretches, c1 = p.C * (k + 1) / stretches;
    const Epilogue<T> e{1, 0, nullptr, k == 0, k == stretches - 1, false};
    for (index_t s = 0; s < slivers; ++s) {
      for (index_t i = 0; i < heights; ++i) {  // of equal heights: a low one would only wait
        const index_t r0 = tiles * i / heights, r1 = tiles * (i + 1) / heights;
        micro_kernel<T>(r1 - r0, S)(c1 - c0, v + r0 * l.channels + c0, l.channels, 1,
                                    filters + (s * p.C + c0) * S, S, y + r0 * l.filters + s * S,
                                    l.filters, S, e);
      }
    }
  }
}

// Pixels of one vector of filters, OUT rows from (y, x) on, to the maxima of their windows of 2
// x 2.
template <class T, int OUT>
void pool_tiles(const Product<T>& p, index_t n, index_t m, index_t y, index_t x, index_t width,
                index_t row, T* pixels) {
  constexpr index_t L = kLanes<T>;
  const index_t filters = min_of(L, p.M - m), PH = p.pool->OH, PW = p.pool->OW;
  for (index_t i = 0; i < OUT && (y + i) / 2 < PH; i += 2) {
    T *top = pixels + i * row, *bottom = top + row;
    for (index_t w = 0; w < width / 2; ++w) {  // values to the top row, places to the other
      const Best<T> best = best_of_2x2<T>(load(top + 2 * w * L), load(top + (2 * w + 1) * L),
                                          load(bottom + 2 * w * L), load(bottom + (2 * w + 1) * L));
      store(top + w * L, best.value);
      store(bottom + w * L, (vec<T>)best.where);
    }
    const index_t at = ((n * p.M + m) * PH + (y + i) / 2) * PW + x / 2;
    store_pixels(top, width / 2, filters, false, p.best + at, PH * PW);
    // Only moved: as numbers of type T these bits mean nothing.
    store_pixels(bottom, width / 2, filters, false, reinterpret_cast<T*>(p.arg) + at, PH * PW);
  }
}

// Y of one vector of filters, m .. m+kLanes-1, to their pixels.
template <class T, int OUT, bool DILATED>
void transform_outputs(const Product<T>& p, const WinogradLayout& l, const WinogradBlock& b,
                       index_t m, const T* y, T* scratch) {
  constexpr index_t SIDE = OUT + 2, L = kLanes<T>;
  const index_t filters = min_of(L, p.M - m), plane = p.out_H * p.out_W;
  const index_t x = b.col * OUT, width = min_of(b.cols * OUT, p.x.out - x);
  const vec<T> bias = p.bias ? load_n(p.bias + m, filters) : vec<T>{};
  const index_t wide = DILATED ? l.combs.cols : 1, down = l.combs.row_step, row = b.cols * OUT * L;
  for (index_t comb = b.n; comb < b.n + b.images; ++comb) {
    const index_t n = comb / l.combs.rows, first = comb % l.combs.rows;
    T* image = p.out + (n * p.M + m) * plane + x;
    for (index_t r = b.row; r < b.row + b.rows; ++r) {
      for (index_t t = 0; t < b.cols; t += wide) {
        for (index_t k = t * OUT; k < t * OUT + wide; ++k, y += l.filters) {
          T* to = scratch + k * L;
          transform_tile<T, typename Winograd<T, OUT>::Output>(
              [&](int i, int j) { return load(y + (i * SIDE + j) * l.y_point); },
              [&](int i, int j, vec<T> value) {
                value += bias;
                store(to + i * row + j * wide * L, p.relu ? relu_of<T>(value) : value);
              });
        }
      }
      if (p.pool) {
        pool_tiles<T, OUT>(p, n, m, r * OUT, x, width, row, scratch);
        continue;
      }
      const T* from = scratch;
      index_t h = first + r * OUT * down;
      for (index_t i = 0; i < OUT && h < p.y.out; ++i, h += down, from += row) {
        store_pixels(from, width, filters, p.beta != 0, image + h * p.out_W, plane);
      }
    }
  }
}

template <class T, int OUT, bool DILATED>
void run_block(const Product<T>& p, const WinogradLayout& l, index_t index, const T* filters,
               T* local) {
  constexpr index_t S = kCols<T>;
  const WinogradBlock b = winograd_block(l, index);
  T* v = local;
  T* y = v + l.points * l.v_point;
  T* scratch = y + l.points * l.y_point;
  transform_images<T, typename Winograd<T, OUT>::Image, OUT, DILATED>(images_of(p), b, l.v_point,
                                                                      l.channels, v, scratch);
  const index_t tiles = b.images * b.rows * b.cols;
  for (index_t s = b.first; s < b.last; s += l.filters / S) {
    const index_t end = min_of(b.last, s + l.filters / S);
    for (index_t point = 0; point < l.points; ++point) {
      multiply_point(p, l, tiles, end - s, v + point * l.v_point,
                     filters + point * l.w_point + s * p.C * S, y + point * l.y_point);
    }
    for (index_t m = s * S; m < min_of(p.M, end * S); m += kLanes<T>) {
      transform_outputs<T, OUT, DILATED>(p, l, b, m, y + m - s * S, scratch);
    }
  }
}

// --- the kernels ---------------------------------------------------------------------------------

template <class T, template <class> class Args>
Work winograd_plan(const Args<T>& args) {
  const Product<T> p = bound_of(args);
  const index_t out = winograd_tile(args);
  const WinogradLayout l = winograd_layout(p, out);
  const index_t taps = kTapChannels * 9 * kCols<T>;
  const index_t scratch = max_of(elements_of<T>(tile_band(l.side, out, l.cols, l.combs, 0)),
                                 out * out * l.cols * kLanes<T>);
  const index_t block = l.points * (l.v_point + l.y_point) + scratch;
  return Work{2,
              {l.slivers * l.filter_parts, l.image_blocks * l.row_blocks * l.col_blocks * l.parts},
              static_cast<std::size_t>(l.points * l.w_point) * sizeof(T),
              static_cast<std::size_t>(max_of(block, taps)) * sizeof(T),
              winograd_cost(p, out)};
}

template <class T, int OUT>
void winograd_phase(const Product<T>& p, const Tile& tile) {
  const WinogradLayout l = winograd_layout(p, OUT);
  T *filters = static_cast<T*>(tile.shared), *local = static_cast<T*>(tile.local);
  if (tile.phase == 0) {
    transform_filters<T, OUT>(p, l, tile.index, filters, local);
  } else if (l.combs.cols > 1) {
    run_block<T, OUT, true>(p, l, tile.index, filters, local);
  } else {
    run_block<T, OUT, false>(p, l, tile.index, filters, local);
  }
}

template <class T, template <class> class Args>
void winograd_run(const Args<T>& args, const Tile& tile) {
  if constexpr (sizeof(T) == sizeof(float)) {
    const Product<T> p = bound_of(args);
    if (winograd_tile(args) == 4) {
      winograd_phase<T, 4>(p, tile);
    } else {
      winograd_phase<T, 2>(p, tile);
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
