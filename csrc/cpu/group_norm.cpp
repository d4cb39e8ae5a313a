// Group normalisation: over the channels of a group and their pixels, sample by sample. With one
// group and one pixel per channel it is layer normalisation. Sums are taken in double precision.
#include "cpu/rows.h"
#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// A row is what is normalised together: one group of one sample.
template <class Args>
PYNET_INLINE index_t row_size(const Args& args) {
  return args.C / args.groups * args.S;
}

// Calls body(i, lanes, values) for the elements i of a row of the channels from c, with
// values = of_channel(get), and get(p) the vector that belongs to the elements from p (C).
template <class T, class OfChannel, class Body>
PYNET_INLINE void for_row_channels(index_t c, index_t channels, index_t S,
                                   const OfChannel& of_channel, const Body& body) {
  if (S == 1) {
    for_vectors<T>(0, channels, [&](index_t i, auto lanes) {
      body(i, lanes, of_channel([&](const T* p) { return lanes.load(p + c + i); }));
    });
    return;
  }
  for (index_t j = 0; j < channels; ++j) {
    const auto values = of_channel([&](const T* p) { return splat(p[c + j]); });
    for_vectors<T>(0, S, [&](index_t i, auto lanes) { body(j * S + i, lanes, values); });
  }
}

// --- forward -------------------------------------------------------------------------------------

template <class T>
Work group_norm_plan(const GroupNormArgs<T>& args) {
  return plan_rows(args.N * args.groups, row_size(args), 0.25 * sizeof(T));
}

template <class T>
void group_norm_run(const GroupNormArgs<T>& args, const Tile& tile) {
  const index_t channels = args.C / args.groups, D = row_size(args);
  for_rows(args.N * args.groups, D, tile, [&](index_t row) {
    const T* x = args.x + row * D;
    T* y = args.y + row * D;
    vdouble sums[4] = {};
    for_wide(D, sums, [&](index_t i, vdouble& sum, auto lanes) { sum += lanes.load(x + i); });
    const double size = static_cast<double>(D), mean = sum_of(sums) / size;
    vdouble squares[4] = {};
    for_wide(D, squares, [&](index_t i, vdouble& sum, auto lanes) {
      const vdouble d = lanes.keep(lanes.load(x + i) - mean);
      sum = fma(d, d, sum);
    });
    const double std = __builtin_sqrt(sum_of(squares) / size + args.eps);
    args.mean[row] = static_cast<T>(mean);
    args.std[row] = static_cast<T>(std);
    const vec<T> middle = splat(static_cast<T>(mean)), slope = splat(static_cast<T>(1 / std));
    // What the mean loses when it is rounded to T is given back here.
    const vec<T> rest = splat(static_cast<T>((static_cast<double>(args.mean[row]) - mean) / std));
    struct Values {
      vec<T> gamma, beta;
    };
    for_row_channels<T>(
        row % args.groups * channels, channels, args.S,
        [&](auto get) { return Values{get(args.gamma), get(args.beta)}; },
        [&](index_t i, auto lanes, const Values& v) {
          const vec<T> xn = fma(lanes.load(x + i) - middle, slope, rest);
          lanes.store(y + i, fma(v.gamma, xn, v.beta));
        });
  });
}

// --- backward ------------------------------------------------------------------------------------

// Two sums for each tile and channel: of dout, and of dout * xn.
struct GroupSums {
  double *douts, *products;  // (row_tiles, C)
};
PYNET_INLINE GroupSums group_sums(const ChannelTiling& t, index_t C, void* memory) {
  double* first = static_cast<double*>(memory);
  return {first, first + t.row_tiles * C};
}

// Phase 0 sums over the tiles, phase 1 makes the sums of each channel, phase 2 writes dx.
template <class T>
Work group_norm_backward_plan(const GroupNormBackwardArgs<T>& args) {
  const ChannelTiling t = tile_channels(args.N, args.C, args.S);
  const index_t rows = args.N * args.groups, D = row_size(args);
  return Work{3,
              {t.row_tiles * t.column_tiles, t.column_tiles,
               args.grad == Grad::Skip ? 0 : row_tiles(rows, D)},
              static_cast<std::size_t>(2 * t.row_tiles * args.C) * sizeof(double),
              0,
              row_cost(rows, D, 0.45 * sizeof(T))};
}

template <class T>
PYNET_INLINE void sum_columns(const GroupNormBackwardArgs<T>& args, const ChannelTile& at,
                              index_t group, double* douts, double* products) {
  const index_t C = args.C, channels = C / args.groups;
  const index_t begin = max_of(at.c0, group * channels);
  for_columns<2>(
      begin, min_of(at.c1, (group + 1) * channels), [&](index_t c, auto count, auto lanes) {
        constexpr int V = decltype(count)::value;
        vdouble dout[V] = {}, product[V] = {};
        for (index_t n = at.n0; n < at.n1; ++n) {
          const index_t row = n * args.groups + group, i = n * C + c;
          const double mean = static_cast<double>(args.mean[row]);
          const double slope = 1 / static_cast<double>(args.std[row]);
          for (int v = 0; v < V; ++v) {
            const vdouble d = lanes.load(args.dout + i + v * kWide);
            dout[v] += d;
            product[v] = fma(d * slope, lanes.load(args.x + i + v * kWide) - mean, product[v]);
          }
        }
        for (int v = 0; v < V; ++v) {
          lanes.store(douts + c + v * kWide, dout[v]);
          lanes.store(products + c + v * kWide, product[v]);
        }
      });
}

template <class T>
PYNET_INLINE void sum_channel(const GroupNormBackwardArgs<T>& args, const ChannelTile& at,
                              index_t c, double* douts, double* products) {
  const index_t S = args.S;
  double dout = 0, product = 0;
  for (index_t n = at.n0; n < at.n1; ++n) {
    const index_t row = n * args.groups + c / (args.C / args.groups), first = (n * args.C + c) * S;
    const double mean = static_cast<double>(args.mean[row]);
    vdouble sums[4] = {}, sums_xc[4] = {};
    for_wide(S, sums, [&](index_t i, vdouble& sum, auto lanes) {
      sum += lanes.load(args.dout + first + i);
    });
    for_wide(S, sums_xc, [&](index_t i, vdouble& sum, auto lanes) {
      sum = fma(lanes.load(args.dout + first + i), lanes.load(args.x + first + i) - mean, sum);
    });
    dout += sum_of(sums);
    product += sum_of(sums_xc) / static_cast<double>(args.std[row]);
  }
  douts[c] = dout;
  products[c] = product;
}

template <class T>
PYNET_INLINE void write_row(const GroupNormBackwardArgs<T>& args, index_t row) {
  const index_t channels = args.C / args.groups, S = args.S, D = channels * S;
  const index_t c0 = row % args.groups * channels;
  const T *x = args.x + row * D, *dout = args.dout + row * D, *gamma = args.gamma + c0;
  T* dx = args.dx + row * D;
  const double mean = static_cast<double>(args.mean[row]);
  double sum_d = 0, sum_d_xc = 0;  // of d = gamma * dout, and of d * (x - mean)
  const auto add = [&](index_t begin, index_t size, const auto& gammas) {
    vdouble sums[4] = {}, sums_xc[4] = {};
    for_wide(size, sums, [&](index_t i, vdouble& sum, auto lanes) {
      sum = fma(gammas(i, lanes), lanes.load(dout + begin + i), sum);
    });
    for_wide(size, sums_xc, [&](index_t i, vdouble& sum, auto lanes) {
      const vdouble d = gammas(i, lanes) * lanes.load(dout + begin + i);
      sum = fma(d, lanes.load(x + begin + i) - mean, sum);
    });
    sum_d += sum_of(sums);
    sum_d_xc += sum_of(sums_xc);
  };
  if (S == 1) {
    add(0, channels, [&](index_t i, auto lanes) { return lanes.load(gamma + i); });
  } else {
    for (index_t c = 0; c < channels; ++c) {
      const vdouble value = splat(static_cast<double>(gamma[c]));
      add(c * S, S, [&](index_t, auto) { return value; });
    }
  }
  const double slope = 1 / static_cast<double>(args.std[row]), size = static_cast<double>(D);
  const vec<T> a = splat(static_cast<T>(slope)), middle = splat(args.mean[row]);
  const vec<T> b = splat(static_cast<T>(-slope * slope * slope * sum_d_xc / size));
  const vec<T> c = splat(static_cast<T>(sum_d / size));
  const bool add_to = args.grad == Grad::Add;
  for_row_channels<T>(
      c0, channels, S, [&](auto get) { return get(args.gamma); },
      [&](index_t i, auto lanes, vec<T> g) {
        vec<T> d = a * (g * lanes.load(dout + i) - c);
        d = fma(b, lanes.load(x + i) - middle, d);
        lanes.store(dx + i, add_to ? lanes.load(dx + i) + d : d);
      });
}

template <class T>
void group_norm_backward_run(const GroupNormBackwardArgs<T>& args, const Tile& tile) {
  if (tile.phase == 2) {
    for_rows(args.N * args.groups, row_size(args), tile,
             [&](index_t row) { write_row(args, row); });
    return;
  }
  const ChannelTiling t = tile_channels(args.N, args.C, args.S);
  const ChannelTile at = channel_tile(t, args.N, args.C, tile.index);
  const GroupSums sums = group_sums(t, args.C, tile.shared);
  if (tile.phase == 0) {
    double *douts = sums.douts + at.row * args.C, *products = sums.products + at.row * args.C;
    if (args.S == 1) {
      const index_t channels = args.C / args.groups;
      for (index_t g = at.c0 / channels; g * channels < at.c1; ++g) {
        sum_columns(args, at, g, douts, products);
      }
    } else {
      for (index_t c = at.c0; c < at.c1; ++c) sum_channel(args, at, c, douts, products);
    }
    return;
  }
  for (index_t c = at.c0; c < at.c1; ++c) {
    double dout = 0, product = 0;
    for (index_t row = 0; row < t.row_tiles; ++row) {
      dout += sums.douts[row * args.C + c];
      product += sums.products[row * args.C + c];
    }
    args.dbeta[c] = static_cast<T>(dout);
    args.dgamma[c] = static_cast<T>(product);
  }
}

}  // namespace

PYNET_EXPORT(group_norm, GroupNormArgs)
PYNET_EXPORT(group_norm_backward, GroupNormBackwardArgs)

}  // namespace pynet::PYNET_ISA
