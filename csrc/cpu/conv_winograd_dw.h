// The gradient of 3 x 3 filters with stride 1 by Winograd's algorithm, F(3x3, 4x4): the transpose
// of conv_winograd.h in the filters. Where the outputs are Y = A^T ((G g G^T) * V) A with V from
// the image, the gradient is G^T (sum over tiles of (A dout A^T) * V) G: 36 products for each
// channel and filter in a tile of 4 x 4 outputs instead of 144.
//
//   phase 0   each tile of the plan takes a chunk of the images' tiles and some of the filters:
//               over blocks of tiles: x, transformed to V, dout to D: point, tile, channel
//                 over points: the products of V and D over the tiles of the block, added up
//   phase 1   adds the chunks in their order, and transforms the sums to dW
#pragma once

#include "cpu/conv_winograd.h"

namespace pynet::PYNET_ISA {
namespace {

struct WinogradDw {
  WinogradLayout tiles;               // of the images
  index_t blocks, per_chunk, chunks;  // of tiles
  index_t M, part, parts;             // filters: all, of a part, and such parts
  index_t v_point, d_point, point;    // from one point to the next in V, D and a sum
  index_t sum;                        // elements of the sum of a chunk for a part
};

constexpr index_t kDwPart = 64;   // filters of a part
constexpr index_t kDwChunk = 64;  // tiles of a chunk, at least

template <class T>
Product<T> forward_product(const Conv2dDwArgs<T>& p) {
  return product_of(Conv2dArgs<T>{nullptr, p.x, nullptr, nullptr, p.s, false, p.winograd}, 0);
}

template <class T>
WinogradDw winograd_dw_layout(const Product<T>& p) {
  WinogradDw l{};
  l.tiles = winograd_layout(p, 4);
  l.tiles.part = l.tiles.slivers, l.tiles.parts = 1;
  l.M = p.M, l.part = min_of(round_up(p.M, kCols<T>), kDwPart), l.parts = ceil_div(p.M, l.part);
  const index_t tiles = l.tiles.images * l.tiles.rows * l.tiles.cols;
  l.v_point = l.tiles.v_point;
  l.d_point = round_up(tiles * l.part, 16) + 16;
  l.point = round_up(p.C * l.part, 16) + 16;
  l.sum = l.tiles.points * l.point;

  // Chunks: by the shape alone, so that the sums are the same for any number of threads.
  l.blocks = l.tiles.image_blocks * l.tiles.row_blocks * l.tiles.col_blocks;
  index_t chunks = min_of(ceil_div(32, l.parts), ceil_div(l.blocks * tiles, kDwChunk));
  chunks = min_of(l.blocks, min_of(chunks, 10000000 / (l.parts * l.sum)));
  l.per_chunk = ceil_div(l.blocks, max_of<index_t>(1, chunks));
  l.chunks = ceil_div(l.blocks, l.per_chunk);
  return l;
}

// Nanoseconds, as in winograd_cost.
template <class T>
double winograd_dw_cost(const Product<T>& p, const WinogradDw& l) {
  const double tiles = static_cast<double>(l.tiles.all) * l.tiles.down * l.tiles.across;
  const double pairs = static_cast<double>(p.C) * round_up(p.M, kCols<T>);
  const double products = 36 * pairs * 0.03, transforms = 36 * (p.C * l.parts + p.M) * 0.15;
  return tiles * (products + transforms) + l.chunks * 36 * pairs * 0.4;
}

template <class T>
bool is_winograd_dw(const Conv2dDwArgs<T>& args) {
  if (!winograd_applies<T>(args.s, args.winograd)) return false;
  const Product<T> p = forward_product(args);
  return 1.1 * winograd_dw_cost(p, winograd_dw_layout(p)) < winograd_cost(p, 1);
}

template <class T>
T* winograd_dw_sum(const WinogradDw& l, index_t chunk, index_t part, void* shared) {
  return static_cast<T*>(shared) + (chunk * l.parts + part) * l.sum;
}

template <class T, bool DILATED>
void winograd_dw_chunk(const Conv2dDwArgs<T>& args, const Product<T>& p, const WinogradDw& l,
                       const Tile& tile) {
  constexpr index_t S = kCols<T>;
  const index_t part = tile.index % l.parts, chunk = tile.index / l.parts;
  const index_t m0 = part * l.part, filters = min_of(l.part, l.M - m0);
  const index_t plane = args.s.OH * args.s.OW;
  const TiledImages<T> x = images_of(p);
  const TiledImages<T> dout{
      args.dout + m0 * plane, l.M * plane, filters, args.s.OH, args.s.OW, 0, 0, l.tiles.combs};
  T* sum = winograd_dw_sum<T>(l, chunk, part, tile.shared);
  T* v = static_cast<T*>(tile.local);
  T* d = v + l.tiles.points * l.v_point;
  T* scratch = d + l.tiles.points * l.d_point;
  const index_t begin = chunk * l.per_chunk, end = min_of(l.blocks, begin + l.per_chunk);
  const index_t heights = ceil_div(p.C, kRows);
  for (index_t block = begin; block < end; ++block) {
    const WinogradBlock b = winograd_block(l.tiles, block);
    const index_t tiles = b.images * b.rows * b.cols;
    transform_images<T, typename Winograd<T, 4>::Image, 4, DILATED>(x, b, l.v_point,
                                                                    l.tiles.channels, v, scratch);
    transform_images<T, typename Winograd<T, 4>::OutputGradient, 4, DILATED>(dout, b, l.d_point,
                                                                             l.part, d, scratch);
    const Epilogue<T> e{1, 0, nullptr, block == begin, false, false};
    for (index_t point = 0; point < l.tiles.points; ++point) {
      for (index_t m = 0; m < filters; m += S) {
        const index_t cols = min_of(S, filters - m);
        for (index_t i = 0; i < heights; ++i) {  // of equal heights: a low one would only wait
          const index_t r0 = p.C * i / heights, r1 = p.C * (i + 1) / heights;
          micro_kernel<T>(r1 - r0, cols)(tiles, v + point * l.v_point + r0, 1, l.tiles.channels,
                                         d + point * l.d_point + m, l.part,
                                         sum + point * l.point + r0 * l.part + m, l.part, cols, e);
        }
      }
    }
  }
}

// A vector of filters for some channels: the sums of the chunks, transformed, and turned.
template <class T>
void winograd_dw_add(const Conv2dDwArgs<T>& args, const Product<T>& p, const WinogradDw& l,
                     const Tile& tile) {
  constexpr index_t L = kLanes<T>;
  const index_t ranges = ceil_div(p.C, kTapChannels);
  const index_t c0 = tile.index % ranges * kTapChannels, c1 = min_of(p.C, c0 + kTapChannels);
  const index_t m = tile.index / ranges * L, part = m / l.part, taps = 9 * p.C;
  T* turned = static_cast<T*>(tile.local);
  for (index_t c = c0; c < c1; ++c) {
    const T* from = winograd_dw_sum<T>(l, 0, part, tile.shared) + c * l.part + m % l.part;
    T* to = turned + (c - c0) * 9 * L;
    transform_tile<T, typename Winograd<T, 4>::FilterGradient>(
        [&](int i, int j) {
          const T* at = from + (i * 6 + j) * l.point;
          vec<T> sum = load(at);
          for (index_t k = 1; k < l.chunks; ++k) sum += load(at + k * l.parts * l.sum);
          return sum;
        },
        [&](int i, int j, vec<T> value) { store(to + (3 * i + j) * L, value); });
  }
  store_pixels(turned, (c1 - c0) * 9, min_of(L, l.M - m), false, args.dW + m * taps + c0 * 9, taps);
}

template <class T>
Work winograd_dw_plan(const Conv2dDwArgs<T>& args) {
  const Product<T> p = forward_product(args);
  const WinogradDw l = winograd_dw_layout(p);
  const index_t band = elements_of<T>(tile_band(6, 4, l.tiles.cols, l.tiles.combs, 0));
  const index_t local = l.tiles.points * (l.v_point + l.d_point) + band;
  const index_t turned = kTapChannels * 9 * kLanes<T>;
  return Work{2,
              {l.chunks * l.parts, ceil_div(p.M, kLanes<T>) * ceil_div(p.C, kTapChannels)},
              static_cast<std::size_t>(l.chunks * l.parts * l.sum) * sizeof(T),
              static_cast<std::size_t>(max_of(local, turned)) * sizeof(T),
              winograd_dw_cost(p, l)};
}

template <class T>
void winograd_dw_run(const Conv2dDwArgs<T>& args, const Tile& tile) {
  if constexpr (sizeof(T) == sizeof(float)) {
    const Product<T> p = forward_product(args);
    const WinogradDw l = winograd_dw_layout(p);
    if (tile.phase == 1) {
      winograd_dw_add(args, p, l, tile);
    } else if (l.tiles.combs.cols > 1) {
      winograd_dw_chunk<T, true>(args, p, l, tile);
    } else {
      winograd_dw_chunk<T, false>(args, p, l, tile);
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
