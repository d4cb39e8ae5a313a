#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// --- sums of all elements ------------------------------------------------------------------------

// Phase 0 sums the chunks, phase 1 the chunks' sums.
template <class T>
PYNET_INLINE Work plan_sum(index_t n) {
  const index_t chunks = ceil_div(n, kChunk);
  return Work{2,
              {chunks, 1},
              static_cast<std::size_t>(chunks) * sizeof(double),
              0,
              static_cast<double>(n) * sizeof(T) * 0.06};
}

template <class T, class Term>
PYNET_INLINE void run_sum(const SumArgs<T>& args, const Tile& tile, const Term& term) {
  double* partial = static_cast<double*>(tile.shared);
  if (tile.phase == 0) {
    const index_t begin = tile.index * kChunk;
    const T* x = args.x + begin;
    vdouble sums[4] = {};
    for_wide(min_of(kChunk, args.n - begin), sums,
             [&](index_t i, vdouble& sum, auto lanes) { sum += term(lanes.load(x + i)); });
    partial[tile.index] = sum_of(sums);
  } else {
    vdouble sums[4] = {};
    for_wide(ceil_div(args.n, kChunk), sums,
             [&](index_t i, vdouble& sum, auto lanes) { sum += lanes.load(partial + i); });
    *args.result = sum_of(sums);
  }
}

template <class T>
Work sum_plan(const SumArgs<T>& args) {
  return plan_sum<T>(args.n);
}
template <class T>
void sum_run(const SumArgs<T>& args, const Tile& tile) {
  run_sum(args, tile, [](vdouble v) { return v; });
}

template <class T>
Work sum_squares_plan(const SumArgs<T>& args) {
  return plan_sum<T>(args.n);
}
template <class T>
void sum_squares_run(const SumArgs<T>& args, const Tile& tile) {
  run_sum(args, tile, [](vdouble v) { return v * v; });
}

// --- sums per channel ----------------------------------------------------------------------------

// Phase 0 sums the rows of each tile, phase 1 the tiles of each channel.
template <class T>
Work sum_channels_plan(const SumChannelsArgs<T>& args) {
  const ChannelTiling t = tile_channels(args.N, args.C, args.S);
  return Work{2,
              {t.row_tiles * t.column_tiles, t.column_tiles},
              static_cast<std::size_t>(t.row_tiles * args.C) * sizeof(double),
              0,
              static_cast<double>(args.N * args.C * args.S) * sizeof(T) * 0.06};
}

template <class T>
void sum_channels_run(const SumChannelsArgs<T>& args, const Tile& tile) {
  const index_t C = args.C, S = args.S;
  const ChannelTiling t = tile_channels(args.N, C, S);
  const ChannelTile at = channel_tile(t, args.N, C, tile.index);
  double* partial = static_cast<double*>(tile.shared);
  if (tile.phase == 0) {
    double* sums = partial + at.row * C;
    if (S == 1) {
      for_columns<4>(at.c0, at.c1, [&](index_t c, auto count, auto lanes) {
        constexpr int V = decltype(count)::value;
        vdouble sum[V] = {};
        for (index_t n = at.n0; n < at.n1; ++n) {
          const T* x = args.x + n * C + c;
          for (int v = 0; v < V; ++v) sum[v] += lanes.load(x + v * kWide);
        }
        for (int v = 0; v < V; ++v) lanes.store(sums + c + v * kWide, sum[v]);
      });
    } else {
      for (index_t c = at.c0; c < at.c1; ++c) {
        vdouble acc[4] = {};
        for (index_t n = at.n0; n < at.n1; ++n) {
          const T* x = args.x + (n * C + c) * S;
          for_wide(S, acc, [&](index_t i, vdouble& sum, auto lanes) { sum += lanes.load(x + i); });
        }
        sums[c] = sum_of(acc);
      }
    }
  } else {
    for_columns<1>(at.c0, at.c1, [&](index_t c, auto, auto lanes) {
      vdouble sum{};
      for (index_t row = 0; row < t.row_tiles; ++row) sum += lanes.load(partial + row * C + c);
      lanes.store(args.y + c, sum);
    });
  }
}

}  // namespace

PYNET_EXPORT(sum, SumArgs)
PYNET_EXPORT(sum_squares, SumArgs)
PYNET_EXPORT(sum_channels, SumChannelsArgs)

}  // namespace pynet::PYNET_ISA
