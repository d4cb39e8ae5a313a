// Batch normalisation. Sums are taken in double precision over each tile, and over the tiles in a
// fixed order, so that the statistics of float32 data are right to the last bit or nearly so.
#include "cpu/loop.h"
#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// The vectors begin .. end-1 of a row. Where the body may see an element twice, the last vector is
// a whole one that overlaps the one before.
template <class T, class Body>
PYNET_INLINE void for_row(index_t begin, index_t end, bool twice, const Body& body) {
  constexpr index_t L = kLanes<T>;
  index_t i = begin;
  for (; i + L <= end; i += L) body(i, Whole{});
  if (i == end) return;
  if (twice && end - begin >= L) {
    body(end - L, Whole{});
  } else {
    body(i, Part{end - i});
  }
}

// Calls body(i, lanes, values) for the elements i of one tile of an array (N, C, S), where
// values = of_channel(get), and get(p) is the vector that belongs to the elements from p (C).
template <class T, class OfChannel, class Body>
PYNET_INLINE void for_channel_tile(const ChannelTile& at, index_t C, index_t S, bool twice,
                                   const OfChannel& of_channel, const Body& body) {
  for (index_t n = at.n0; n < at.n1; ++n) {
    if (S == 1) {
      for_row<T>(at.c0, at.c1, twice, [&](index_t c, auto lanes) {
        body(n * C + c, lanes, of_channel([&](const T* p) { return lanes.load(p + c); }));
      });
    } else {
      for (index_t c = at.c0; c < at.c1; ++c) {
        const auto values = of_channel([&](const T* p) { return splat(p[c]); });
        const index_t row = (n * C + c) * S;
        for_row<T>(0, S, twice, [&](index_t i, auto lanes) { body(row + i, lanes, values); });
      }
    }
  }
}

// --- forward -------------------------------------------------------------------------------------

// What the phases hand to each other: two sums for each tile and channel, then
// y = slope * (x - mean) + offset.
template <class T>
struct ForwardScratch {
  double *sums, *squares;  // (row_tiles, C): of x - x[0,c,0], which keeps them small
  T *slope, *offset;       // (C)
};
template <class T>
PYNET_INLINE ForwardScratch<T> forward_scratch(const ChannelTiling& t, index_t C, void* memory) {
  ForwardScratch<T> scratch;
  scratch.sums = static_cast<double*>(memory);
  scratch.squares = scratch.sums + t.row_tiles * C;
  scratch.slope = reinterpret_cast<T*>(scratch.squares + t.row_tiles * C);
  scratch.offset = scratch.slope + C;
  return scratch;
}

// Phase 0 sums over the tiles, phase 1 makes the statistics, phase 2 normalises.
template <class T>
Work batch_norm_plan(const BatchNormArgs<T>& args) {
  const ChannelTiling t = tile_channels(args.N, args.C, args.S);
  const index_t tiles = t.row_tiles * t.column_tiles;
  const double size = static_cast<double>(args.N * args.C * args.S);
  return Work{3,
              {args.train ? tiles : 0, t.column_tiles, tiles},
              static_cast<std::size_t>(args.C) *
                  (2 * sizeof(T) + 2 * sizeof(double) * static_cast<std::size_t>(t.row_tiles)),
              0,
              size * (args.train ? 3 : 2) * sizeof(T) * 0.06};
}

template <class T>
PYNET_INLINE void sum_tile(const BatchNormArgs<T>& args, const ChannelTile& at, double* sums,
                           double* squares) {
  const index_t C = args.C, S = args.S;
  if (S == 1) {
    for_columns<2>(at.c0, at.c1, [&](index_t c, auto count, auto lanes) {
      constexpr int V = decltype(count)::value;
      vdouble shift[V], sum[V] = {}, square[V] = {};
      for (int v = 0; v < V; ++v) shift[v] = lanes.load(args.x + c + v * kWide);
      for (index_t n = at.n0; n < at.n1; ++n) {
        const T* x = args.x + n * C + c;
        for (int v = 0; v < V; ++v) {
          const vdouble d = lanes.load(x + v * kWide) - shift[v];
          sum[v] += d;
          square[v] = fma(d, d, square[v]);
        }
      }
      for (int v = 0; v < V; ++v) {
        lanes.store(sums + c + v * kWide, sum[v]);
        lanes.store(squares + c + v * kWide, square[v]);
      }
    });
    return;
  }
  struct Sums {
    vdouble sum, square;
  };
  for (index_t c = at.c0; c < at.c1; ++c) {
    const vdouble shift = splat(static_cast<double>(args.x[c * S]));
    Sums acc[4] = {};
    for (index_t n = at.n0; n < at.n1; ++n) {
      const T* x = args.x + (n * C + c) * S;
      for_wide(S, acc, [&](index_t i, Sums& s, auto lanes) {
        const vdouble d = lanes.keep(lanes.load(x + i) - shift);
        s.sum += d;
        s.square = fma(d, d, s.square);
      });
    }
    sums[c] = sum_lanes<double>((acc[0].sum + acc[1].sum) + (acc[2].sum + acc[3].sum));
    squares[c] =
        sum_lanes<double>((acc[0].square + acc[1].square) + (acc[2].square + acc[3].square));
  }
}

template <class T>
PYNET_INLINE void move(T* running, index_t c, double value, double momentum) {
  if (running) {
    running[c] =
        static_cast<T>(momentum * static_cast<double>(running[c]) + (1 - momentum) * value);
  }
}

template <class T>
PYNET_INLINE void finish_channel(const BatchNormArgs<T>& args, const ChannelTiling& t, index_t c,
                                 const ForwardScratch<T>& scratch) {
  double mean, var;
  if (args.train) {
    const double m = static_cast<double>(args.N * args.S);
    double sum = 0, square = 0;
    for (index_t row = 0; row < t.row_tiles; ++row) {
      sum += scratch.sums[row * args.C + c];
      square += scratch.squares[row * args.C + c];
    }
    mean = static_cast<double>(args.x[c * args.S]) + sum / m;
    var = (square - sum * (sum / m)) / m;
    var = var < 0 ? 0 : var;
    move(args.running_mean, c, mean, args.momentum);
    const double unbias = args.unbiased && m > 1 ? m / (m - 1) : 1;
    move(args.running_var, c, var * unbias, args.momentum);
  } else {
    mean = static_cast<double>(args.running_mean[c]);
    var = static_cast<double>(args.running_var[c]);
  }
  const double std = __builtin_sqrt(var + args.eps);
  const double slope = static_cast<double>(args.gamma[c]) / std;
  args.mean[c] = static_cast<T>(mean);
  args.std[c] = static_cast<T>(std);
  scratch.slope[c] = static_cast<T>(slope);
  // What the mean loses when it is rounded to T is given back here.
  scratch.offset[c] = static_cast<T>(static_cast<double>(args.beta[c]) -
                                     slope * (mean - static_cast<double>(args.mean[c])));
}

template <class T>
void batch_norm_run(const BatchNormArgs<T>& args, const Tile& tile) {
  const index_t C = args.C, S = args.S;
  const ChannelTiling t = tile_channels(args.N, C, S);
  const ChannelTile at = channel_tile(t, args.N, C, tile.index);
  const ForwardScratch<T> scratch = forward_scratch<T>(t, C, tile.shared);
  if (tile.phase == 0) {
    sum_tile(args, at, scratch.sums + at.row * C, scratch.squares + at.row * C);
  } else if (tile.phase == 1) {
    for (index_t c = at.c0; c < at.c1; ++c) finish_channel(args, t, c, scratch);
  } else {
    struct Values {
      vec<T> mean, slope, offset;
    };
    for_channel_tile<T>(
        at, C, S, true,
        [&](auto get) { return Values{get(args.mean), get(scratch.slope), get(scratch.offset)}; },
        [&](index_t i, auto lanes, const Values& v) {
          lanes.store(args.y + i, fma(v.slope, lanes.load(args.x + i) - v.mean, v.offset));
        });
  }
}

// --- backward ------------------------------------------------------------------------------------

// What the phases hand to each other: two sums for each tile and channel, then
// dx = a*(dout - c) + b*(x - mean), c the mean of dout: for a batch of one exactly 0.
template <class T>
struct BackwardScratch {
  double *douts, *products;  // (row_tiles, C): of dout, and of dout * (x - mean)
  T *a, *b, *c;              // (C)
};
template <class T>
PYNET_INLINE BackwardScratch<T> backward_scratch(const ChannelTiling& t, index_t C, void* memory) {
  BackwardScratch<T> scratch;
  scratch.douts = static_cast<double*>(memory);
  scratch.products = scratch.douts + t.row_tiles * C;
  scratch.a = reinterpret_cast<T*>(scratch.products + t.row_tiles * C);
  scratch.b = scratch.a + C;
  scratch.c = scratch.b + C;
  return scratch;
}

// Phase 0 sums over the tiles, phase 1 makes the sums of each channel, phase 2 writes dx.
template <class T>
Work batch_norm_backward_plan(const BatchNormBackwardArgs<T>& args) {
  const ChannelTiling t = tile_channels(args.N, args.C, args.S);
  const index_t tiles = t.row_tiles * t.column_tiles;
  const double size = static_cast<double>(args.N * args.C * args.S);
  return Work{3,
              {tiles, t.column_tiles, args.grad == Grad::Skip ? 0 : tiles},
              static_cast<std::size_t>(args.C) *
                  (3 * sizeof(T) + 2 * sizeof(double) * static_cast<std::size_t>(t.row_tiles)),
              0,
              size * 5 * sizeof(T) * 0.06};
}

template <class T>
PYNET_INLINE void sum_tile(const BatchNormBackwardArgs<T>& args, const ChannelTile& at,
                           double* douts, double* products) {
  const index_t C = args.C, S = args.S;
  if (S == 1) {
    for_columns<2>(at.c0, at.c1, [&](index_t c, auto count, auto lanes) {
      constexpr int V = decltype(count)::value;
      vdouble mean[V], dout[V] = {}, product[V] = {};
      for (int v = 0; v < V; ++v) mean[v] = lanes.load(args.mean + c + v * kWide);
      for (index_t n = at.n0; n < at.n1; ++n) {
        const index_t i = n * C + c;
        for (int v = 0; v < V; ++v) {
          const vdouble d = lanes.load(args.dout + i + v * kWide);
          dout[v] += d;
          product[v] = fma(d, lanes.load(args.x + i + v * kWide) - mean[v], product[v]);
        }
      }
      for (int v = 0; v < V; ++v) {
        lanes.store(douts + c + v * kWide, dout[v]);
        lanes.store(products + c + v * kWide, product[v]);
      }
    });
    return;
  }
  struct Sums {
    vdouble dout, product;
  };
  for (index_t c = at.c0; c < at.c1; ++c) {
    const vdouble mean = splat(static_cast<double>(args.mean[c]));
    Sums acc[4] = {};
    for (index_t n = at.n0; n < at.n1; ++n) {
      const index_t row = (n * C + c) * S;
      for_wide(S, acc, [&](index_t i, Sums& s, auto lanes) {
        const vdouble d = lanes.load(args.dout + row + i);
        s.dout += d;
        s.product = fma(d, lanes.load(args.x + row + i) - mean, s.product);
      });
    }
    douts[c] = sum_lanes<double>((acc[0].dout + acc[1].dout) + (acc[2].dout + acc[3].dout));
    products[c] =
        sum_lanes<double>((acc[0].product + acc[1].product) + (acc[2].product + acc[3].product));
  }
}

template <class T>
PYNET_INLINE void finish_channel(const BatchNormBackwardArgs<T>& args, const ChannelTiling& t,
                                 index_t c, const BackwardScratch<T>& scratch) {
  double dout = 0, product = 0;
  for (index_t row = 0; row < t.row_tiles; ++row) {
    dout += scratch.douts[row * args.C + c];
    product += scratch.products[row * args.C + c];
  }
  const double std = static_cast<double>(args.std[c]);
  const double slope = static_cast<double>(args.gamma[c]) / std;
  const double m = args.train ? static_cast<double>(args.N * args.S) : 0;
  args.dbeta[c] = static_cast<T>(dout);
  args.dgamma[c] = static_cast<T>(product / std);
  scratch.a[c] = static_cast<T>(slope);
  scratch.b[c] = args.train ? static_cast<T>(-slope * (product / std) / (m * std)) : 0;
  scratch.c[c] = args.train ? static_cast<T>(dout / m) : 0;
}

template <class T>
void batch_norm_backward_run(const BatchNormBackwardArgs<T>& args, const Tile& tile) {
  const index_t C = args.C, S = args.S;
  const ChannelTiling t = tile_channels(args.N, C, S);
  const ChannelTile at = channel_tile(t, args.N, C, tile.index);
  const BackwardScratch<T> scratch = backward_scratch<T>(t, C, tile.shared);
  if (tile.phase == 0) {
    sum_tile(args, at, scratch.douts + at.row * C, scratch.products + at.row * C);
  } else if (tile.phase == 1) {
    for (index_t c = at.c0; c < at.c1; ++c) finish_channel(args, t, c, scratch);
  } else {
    struct Values {
      vec<T> mean, a, b, c;
    };
    const auto values = [&](auto get) {
      return Values{get(args.mean), get(scratch.a), get(scratch.b), get(scratch.c)};
    };
    const auto write = [&](const auto& dx) {
      if (args.grad == Grad::Add) {
        for_channel_tile<T>(at, C, S, false, values, [&](index_t i, auto lanes, const Values& v) {
          lanes.store(args.dx + i, lanes.load(args.dx + i) + dx(i, lanes, v));
        });
      } else {
        for_channel_tile<T>(at, C, S, true, values, [&](index_t i, auto lanes, const Values& v) {
          lanes.store(args.dx + i, dx(i, lanes, v));
        });
      }
    };
    if (args.train) {
      write([&](index_t i, auto lanes, const Values& v) {
        const vec<T> xc = lanes.load(args.x + i) - v.mean;
        return fma(v.b, xc, v.a * (lanes.load(args.dout + i) - v.c));
      });
    } else {
      write(
          [&](index_t i, auto lanes, const Values& v) { return v.a * lanes.load(args.dout + i); });
    }
  }
}

}  // namespace

PYNET_EXPORT(batch_norm, BatchNormArgs)
PYNET_EXPORT(batch_norm_backward, BatchNormBackwardArgs)

}  // namespace pynet::PYNET_ISA
