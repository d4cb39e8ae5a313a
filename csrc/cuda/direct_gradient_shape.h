// How the taps and pixels of a direct filter gradient are divided among threads: for host and
// device, so that a test can go through every index of a small shape.
#pragma once

#include "cuda/direct_shape.h"

namespace pynet::cuda {

// A unit is what a thread sums up of a filter: RUNS rows of it, of each TAPS taps a stride apart,
// the four pixels of a quad at a time.
struct GradientUnits {
  int taps, runs;
  int across;  // stride
  int FH, FW;
  int sets, chunks;  // taps of a row: those a stride apart are a set, cut into chunks
  int row_sets;      // of a channel
  int of_channel;
  Divider by_chunks, by_sets, by_row_sets;

  // `many`: units of all kinds, or, to compile fewer kernels, of one.
  GradientUnits(const ConvShape& s, bool many)
      : across(static_cast<int>(s.stride_w)),
        FH(static_cast<int>(s.FH)),
        FW(static_cast<int>(s.FW)),
        by_chunks(1),
        by_sets(1),
        by_row_sets(1) {
    const int most = (FW + across - 1) / across;
    taps = !many ? 4 : most <= 3 ? 3 : most == 5 ? 5 : 4;
    runs = taps == 3 ? 3 : 2;
    sets = FW < across ? FW : across;
    chunks = (most + taps - 1) / taps;
    row_sets = (FH + runs - 1) / runs;
    of_channel = row_sets * sets * chunks;
    by_chunks = Divider(chunks), by_sets = Divider(sets), by_row_sets = Divider(row_sets);
  }

  // The first tap of a unit; further ones are `across` columns and one row apart.
  struct First {
    int c, fy, set, chunk;
  };
  __host__ __device__ First first(int unit) const {
    const std::uint32_t n = static_cast<std::uint32_t>(unit), line = by_chunks.quotient(n);
    const Split of(line, by_sets, by_row_sets);
    return {of.plane, of.row * runs, of.column,
            static_cast<int>(n - line * static_cast<std::uint32_t>(chunks))};
  }
  // Tap (run, k) of a unit as its number in a filter, or -1.
  __host__ __device__ int tap(const First& at, int run, int k) const {
    const int fy = at.fy + run, fx = at.set + (at.chunk * taps + k) * across;
    return fy < FH && fx < FW ? (at.c * FH + fy) * FW + fx : -1;
  }
};

// What a block sums up, and over which pixels. Eight lanes share a unit of a group of filters and
// take a quad each; `slices` times as many take further ones.
struct GradientTile {
  DirectTile tile;
  int units, slices;
  int unit_blocks, group_blocks;
  int tiles_down, tiles_across;
  index_t tiles, length, parts;  // of all images; of a block; blocks that share them
};

constexpr int kGradientLanes = 8;
constexpr int kGradientJobs = kDirectThreads / kGradientLanes;

// The maps of a tile behind its pixels, in elements.
struct MapLayout {
  int line, map;  // from row to row, from map to map
  MapLayout(const DirectTile& t) : line(4 * t.columns), map(bank_pitch(t.rows * line, 4)) {}
};

// So many groups of filters for a block, and the units and slices that its threads have room for.
inline GradientTile gradient_block(const ConvShape& s, const GradientUnits& units, int groups,
                                   int of_groups) {
  GradientTile t{};
  const int room = kGradientJobs / of_groups, C = static_cast<int>(s.C);
  const int whole = std::min(C, room / units.of_channel);  // channels
  const int cuts = (units.of_channel + room - 1) / room;   // of one
  t.units = whole > 0 ? whole * units.of_channel : (units.of_channel + cuts - 1) / cuts;
  t.slices = std::max(1, room / t.units);
  t.unit_blocks = (C * units.of_channel + t.units - 1) / t.units;
  t.group_blocks = (groups + of_groups - 1) / of_groups;
  // A part of a channel may go on in the next one.
  t.tile = {1, 0, 0, of_groups, std::min(C, whole > 0 ? whole : 2)};
  return t;
}

// The tile that takes the least time; `tiles` is 0 where none fits into shared memory.
inline GradientTile gradient_tile(const ConvShape& s, int W, int pack, int capacity) {
  const GradientUnits units(s, pack == 4);
  const int groups = static_cast<int>(ceil_div(s.FN, W));
  const int across = static_cast<int>(ceil_div(s.OW, kDirectAcross));
  GradientTile best{};
  index_t least = 0;
  const auto fits = [&](GradientTile t, int rows, int columns) {
    t.tile.rows = rows, t.tile.columns = columns;
    const PixelLayout at(s, t.tile, 1, pack);
    if (at.pixels + t.tile.groups * W * MapLayout(t.tile).map > capacity) return false;
    t.tiles_down = static_cast<int>(ceil_div(s.OH, rows));
    t.tiles_across = (across + columns - 1) / columns;
    t.tiles = s.N * t.tiles_down * t.tiles_across;
    t.length = ceil_div(t.tiles, ceil_div(2 * kDirectProcessors, t.unit_blocks * t.group_blocks));
    t.parts = ceil_div(t.tiles, t.length);
    const index_t turns = ceil_div(rows * columns, kGradientLanes * t.slices);
    const index_t warps = ceil_div(t.tile.groups * t.units * t.slices * kGradientLanes, 32);
    const index_t copies = at.y.pixels * t.tile.channels * ceil_div(at.x.pixels, 32) * 3 +
                           t.tile.groups * W * rows * ceil_div(columns, 8) * 2;
    const index_t cost = t.length * (turns * units.taps * units.runs * W * warps + copies + 600);
    if (best.tiles == 0 || cost < least) best = t, least = cost;
    return true;
  };
  for (int of_groups = 1; of_groups <= 8 && of_groups <= groups; ++of_groups) {
    const GradientTile t = gradient_block(s, units, groups, of_groups);
    // Rows are cut where they are long, or a tile would not fit.
    bool fitted = false;
    for (int cut = (across + 63) / 64; !fitted && cut < 2 * across; cut *= 2) {
      const int columns = (across + cut - 1) / cut;
      for (int rows = 1; rows <= 16 && rows <= s.OH && fits(t, rows, columns); ++rows)
        fitted = true;
    }
  }
  return best;
}

}  // namespace pynet::cuda
