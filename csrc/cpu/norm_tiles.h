// How batch normalisation goes over an array (N, C, S): tiles of channels, then vectors.
#pragma once

#include "cpu/loop.h"
#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// Channels of up to this many elements, all samples together, stay in a core's cache between the
// sums and what follows from them: then a tile is whole channels, and one phase does everything.
// Fewer than kManyChannels of them would leave threads without work, and short rows with a power of
// two between them would push each other out of the few cache lines that they share.
constexpr index_t kWholeChannel = 131072, kManyChannels = 16, kLongRow = 2048;

PYNET_INLINE ChannelTiling tile_norm(index_t N, index_t C, index_t S) {
  const bool one_tile = N * C * S <= kChunk;
  if (!one_tile && (N * S > kWholeChannel || C < kManyChannels || S < kLongRow)) {
    return tile_channels(N, C, S);
  }
  ChannelTiling t;
  t.channels = one_tile ? C : max_of(kChunk / (N * S), index_t{1});
  t.rows = N;
  t.column_tiles = ceil_div(C, t.channels);
  t.row_tiles = 1;
  return t;
}

// Phase 0 sums over the tiles, phase 1 finishes the channels, phase 2 writes; or phase 2 alone does
// it all. `sums` and `writes` say whether there is something to sum and to write.
PYNET_INLINE Work plan_norm(const ChannelTiling& t, index_t C, bool sums, bool writes,
                            index_t element_bytes, double cost) {
  const index_t tiles = t.row_tiles * t.column_tiles;
  const bool once = t.row_tiles == 1;
  return Work{3,
              {sums && !once ? tiles : 0, once ? 0 : t.column_tiles, writes || once ? tiles : 0},
              static_cast<std::size_t>(C * (element_bytes + 16 * t.row_tiles)),
              0,
              cost};
}

// Phase 2 goes backwards: what phase 0 has read last is still in the caches.
PYNET_INLINE index_t norm_tile(const ChannelTiling& t, const Tile& tile) {
  return tile.phase == 2 ? t.row_tiles * t.column_tiles - 1 - tile.index : tile.index;
}

// Calls body(i, lanes, values) for the elements i of one tile of an array (N, C, S), where
// values = of_channel(get), and get(p) is the vector that belongs to the elements from p (C). The
// last sample comes first: of what has been summed just before, it is in the nearest cache.
template <class T, class Lanes, class OfChannel, class Body>
PYNET_INLINE void for_channel_tile(const ChannelTile& at, index_t C, index_t S, bool twice,
                                   Lanes whole, const OfChannel& of_channel, const Body& body) {
  for (index_t n = at.n1 - 1; n >= at.n0; --n) {
    if (S == 1) {
      for_row<T>(at.c0, at.c1, twice, whole, [&](index_t c, auto lanes) {
        body(n * C + c, lanes, of_channel([&](const T* p) { return lanes.load(p + c); }));
      });
    } else {
      for (index_t c = at.c0; c < at.c1; ++c) {
        const auto values = of_channel([&](const T* p) { return splat(p[c]); });
        const index_t row = (n * C + c) * S;
        for_row<T>(0, S, twice, whole,
                   [&](index_t i, auto lanes) { body(row + i, lanes, values); });
      }
    }
  }
}

// The same for elements that go to `to` and are not read there.
template <class T, class OfChannel, class Body>
PYNET_INLINE void write_channel_tile(const ChannelTile& at, const T* to, index_t N, index_t C,
                                     index_t S, const OfChannel& of_channel, const Body& body) {
  if (S > 1 && S % kLanes<T> == 0 && can_stream(to, N * C * S)) {
    for_channel_tile<T>(at, C, S, true, Streamed{}, of_channel, body);
    order_streams();
  } else {
    for_channel_tile<T>(at, C, S, true, Whole{}, of_channel, body);
  }
}

// Sums of two terms for each channel of a tile: body(i, c, lanes) gives those of the elements from
// i on, of the channels from c on where S = 1 and of channel c elsewhere.
struct Terms {
  vdouble first, second;
};

// While the row of one sample is summed, fetch(i) is called for the cache lines of the next one:
// the processor itself fetches ahead only to the end of a page.
template <class T, class Fetch, class Body>
PYNET_INLINE void sum_channel_tile(const ChannelTile& at, index_t C, index_t S, double* first,
                                   double* second, const Fetch& fetch, const Body& terms_of) {
  if (S == 1) {
    for_columns<4>(at.c0, at.c1, [&](index_t c, auto count, auto lanes) {
      constexpr int V = decltype(count)::value;
      Terms sum[V] = {};
      const auto terms = terms_of(c, count, lanes);
      for (index_t n = at.n0; n < at.n1; ++n) {
        for (int v = 0; v < V; ++v) terms(sum[v], n * C + c + v * kWide, v, lanes);
      }
      for (int v = 0; v < V; ++v) {
        lanes.store(first + c + v * kWide, sum[v].first);
        lanes.store(second + c + v * kWide, sum[v].second);
      }
    });
    return;
  }
  for (index_t c = at.c0; c < at.c1; ++c) {
    Terms acc[4] = {};
    const auto terms = terms_of(c, Count<0>{}, WideWhole{});
    for (index_t n = at.n0; n < at.n1; ++n) {
      const index_t row = (n * C + c) * S;
      const index_t next = n + 1 < at.n1 ? row + C * S : row;
      for_wide(S, acc, [&](index_t i, Terms& sum, auto lanes) {
        if (&sum == acc) {  // once in each four vectors
          for (index_t j = 0; j < 4 * kWide; j += kLine<T>) fetch(next + i + j);
        }
        terms(sum, row + i, 0, lanes);
      });
    }
    first[c] = sum_lanes<double>((acc[0].first + acc[1].first) + (acc[2].first + acc[3].first));
    second[c] =
        sum_lanes<double>((acc[0].second + acc[1].second) + (acc[2].second + acc[3].second));
  }
}

// The vectors that belong to the channels from p on (Count<V>) or to channel *p (Count<0>).
template <int V>
struct OfChannels {
  vdouble value[V == 0 ? 1 : V];
};
template <class T, int V, class Lanes>
PYNET_INLINE OfChannels<V> of_channels(const T* p, Count<V>, Lanes lanes) {
  OfChannels<V> of;
  if constexpr (V == 0) {
    of.value[0] = splat(static_cast<double>(*p));
  } else {
    for (int v = 0; v < V; ++v) of.value[v] = lanes.load(p + v * kWide);
  }
  return of;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
