// Which tile computes a product, and in how many chunks a long K is cut: what an estimate of the
// time says, from the shape alone.
#pragma once

#include <iterator>

#include "cuda/product_lanes.h"
#include "cuda/product_tile.h"

namespace pynet::cuda {

// Large tiles read least and keep every multiplier busy; smaller ones give a small C to many
// blocks.
//                            BM   BN  BK TM TN LM LN slices stages blocks
using LargeTile = LaneTile<float, 128, 128, 8, 8, 8, 8, 4, 1, 4, 2>;
using HalfTile = LaneTile<float, 128, 64, 16, 8, 8, 8, 4, 2, 3, 2>;
using WideTile = LaneTile<float, 32, 128, 8, 8, 8, 4, 8, 1, 4, 6>;
using MediumTile = LaneTile<float, 64, 32, 32, 8, 8, 8, 4, 8, 3, 2>;
using SmallTile = LaneTile<float, 16, 16, 64, 4, 4, 4, 4, 16, 3, 2>;
// 64 sums in double would take every register.
using LargeTile64 = LaneTile<double, 64, 64, 8, 4, 4, 8, 4, 1, 3, 1>;
using SmallTile64 = LaneTile<double, 16, 16, 32, 4, 4, 4, 4, 16, 3, 1>;

// What a tile costs, in multiplications of a processor.
struct TileCost {
  index_t BM, BN, BK, threads;
  index_t rate;  // 16ths of a multiplication's time, for one; more where shared memory holds it up
  index_t tail;  // steps of K as long as what happens before and after the loop
};
template <class... Tile>
struct TileList {
  // Calls f(tile) with the tile of that number.
  template <class F>
  static void with(int number, const F& f) {
    int at = 0;
    ((at++ == number ? f(Tile{}) : void()), ...);
  }
};
using Tiles = TileList<LargeTile, WideTile, HalfTile, MediumTile, SmallTile>;
using Tiles64 = TileList<LargeTile64, SmallTile64>;
// The last three, for operands whose elements are searched for: that takes registers.
using SearchTiles = TileList<HalfTile, MediumTile, SmallTile>;
constexpr int kSearchTiles = 2;  // the first of them

template <class Tile>
constexpr TileCost cost_of(int rate, int tail) {
  return {Tile::BM, Tile::BN, Tile::BK, Tile::kThreads, rate, tail};
}
constexpr TileCost kTileCosts[] = {
    cost_of<LargeTile>(16, 16),  cost_of<WideTile>(18, 16),   cost_of<HalfTile>(17, 48),
    cost_of<MediumTile>(20, 96), cost_of<SmallTile>(36, 128),
};

// Instructions that find an element.
template <class Lines>
constexpr int kFindCost = 20;
template <class T>
constexpr int kFindCost<MatrixLines<T>> = 1;

// An estimate of the time, where `find` is that of A and of B together, for a GPU of 132
// processors: a larger or smaller one makes the same choice, so that bits do not depend on it.
inline index_t time_of(const ProductShape& s, index_t chunks, const TileCost& tile, int find) {
  constexpr index_t kProcessors = 132, kBusy = 256;  // threads that keep a processor busy
  const index_t blocks = s.parts * chunks * ceil_div(s.M, tile.BM) * ceil_div(s.N, tile.BN);
  const index_t steps = ceil_div(ceil_div(s.K, chunks), tile.BK) * tile.BK + tile.tail;
  const index_t turns = ceil_div(blocks, kProcessors), fewest = ceil_div(kBusy, tile.threads);
  const index_t step = tile.BM * tile.BN * tile.rate / 16 + find * (tile.BM + tile.BN) / 2;
  const index_t product = (turns > fewest ? turns : fewest) * steps * step;
  if (chunks == 1) return product;
  const index_t sums = s.parts * s.M * s.N;  // written, read again and added by a second kernel
  return product + 440000 + sums * (2 * chunks + 1) * 3 / 10;
}

// The tile for it, of those from `first` on.
inline int tile_of(const ProductShape& s, index_t chunks, int find, int first = 0) {
  int best = first;
  for (int i = first + 1; i < static_cast<int>(std::size(kTileCosts)); ++i) {
    const index_t time = time_of(s, chunks, kTileCosts[i], find);
    if (time < time_of(s, chunks, kTileCosts[best], find)) best = i;
  }
  return best;
}

// The chunks that a long K is cut into, so that a small C gives work to a whole GPU.
inline index_t chunks_of(const ProductShape& s) {
  const auto time = [&](index_t chunks) {
    return time_of(s, chunks, kTileCosts[tile_of(s, chunks, 2)], 2);
  };
  index_t best = 1;
  for (index_t chunks = 2; chunks <= 1024 && chunks * 128 <= s.K; chunks *= 2) {
    if (time(chunks) < time(best)) best = chunks;
  }
  return best;
}

// Calls f(tile) with the tile for a product of A and B.
template <class T, class A, class B, class F>
void with_tile(const ProductShape& s, index_t chunks, const F& f) {
  constexpr int find = kFindCost<A> + kFindCost<B>;
  constexpr bool matrices = find == 2;
  if constexpr (sizeof(T) == 8 && !matrices) {
    f(LargeTile64{});
  } else if constexpr (sizeof(T) == 8) {
    const index_t blocks = s.parts * chunks * ceil_div(s.M, 64) * ceil_div(s.N, 64);
    Tiles64::with(blocks >= 16 ? 0 : 1, f);
  } else if constexpr (matrices) {
    Tiles::with(tile_of(s, chunks, find), f);
  } else {
    SearchTiles::with(tile_of(s, chunks, find, kSearchTiles) - kSearchTiles, f);
  }
}

}  // namespace pynet::cuda
