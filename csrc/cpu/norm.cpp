// Batch normalisation (Ioffe and Szegedy, 2015), with the ReLU behind it if asked.
//
// Sums are taken in double precision over each tile, and over the tiles in a fixed order, so that
// the statistics of float32 data are right to the last bit or nearly so. A tile goes over its
// channels twice, for the sums and for what is written: whole channels where they fit into a core's
// cache, so that memory is read once; else a few samples of a few channels, sums first.
#include "cpu/norm_tiles.h"

namespace pynet::PYNET_ISA {
namespace {

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

template <class T>
Work batch_norm_plan(const BatchNormArgs<T>& args) {
  const ChannelTiling t = tile_norm(args.N, args.C, args.S);
  const double size = static_cast<double>(args.N * args.C * args.S);
  return plan_norm(t, args.C, args.train, true, 2 * sizeof(T),
                   size * (args.train ? 3 : 2) * sizeof(T) * 0.06);
}

template <class T>
PYNET_INLINE void sum_tile(const BatchNormArgs<T>& args, const ChannelTile& at, double* sums,
                           double* squares) {
  const T* x = args.x;
  const auto fetch = [x](index_t i) { __builtin_prefetch(x + i); };
  const auto terms_of = [&](index_t c, auto count, auto lanes) {
    const auto shift = of_channels(x + c * args.S, count, lanes);
    return [shift, x](Terms& sum, index_t i, int v, auto part) {
      const vdouble d = part.keep(part.load(x + i) - shift.value[v]);
      sum.first += d;
      sum.second = fma(d, d, sum.second);
    };
  };
  sum_channel_tile<T>(at, args.C, args.S, sums, squares, fetch, terms_of);
}

// r = momentum*r + (1-momentum)*value for the running values from p on, if there are any.
template <class T, class Lanes>
PYNET_INLINE void move(T* running, index_t c, Lanes lanes, vdouble value, double momentum) {
  if (running) {
    lanes.store(running + c, momentum * lanes.load(running + c) + (1 - momentum) * value);
  }
}

// Mean, standard deviation, slope and offset of the channels c0 .. c1-1.
template <class T>
PYNET_INLINE void finish_channels(const BatchNormArgs<T>& args, const ChannelTiling& t,
                                  const ChannelTile& at, const ForwardScratch<T>& scratch) {
  const double m = static_cast<double>(args.N * args.S);
  const double unbias = args.unbiased && m > 1 ? m / (m - 1) : 1;
  for_columns<1>(at.c0, at.c1, [&](index_t c, auto, auto lanes) {
    vdouble mean, var;
    if (args.train) {
      vdouble sum{}, square{}, first{};
      for (index_t row = 0; row < t.row_tiles; ++row) {
        sum += lanes.load(scratch.sums + row * args.C + c);
        square += lanes.load(scratch.squares + row * args.C + c);
      }
      for (index_t i = 0; i < min_of(kWide, at.c1 - c); ++i) {
        first[i] = static_cast<double>(args.x[(c + i) * args.S]);
      }
      mean = first + sum / m;
      var = (square - sum * (sum / m)) / m;
      var = var < 0 ? vdouble{} : var;
      move(args.running_mean, c, lanes, mean, args.momentum);
      move(args.running_var, c, lanes, var * unbias, args.momentum);
    } else {
      mean = lanes.load(args.running_mean + c);
      var = lanes.load(args.running_var + c);
    }
    const vdouble std = sqrt(var + args.eps), slope = lanes.load(args.gamma + c) / std;
    lanes.store(args.mean + c, mean);
    lanes.store(args.std + c, std);
    lanes.store(scratch.slope + c, slope);
    // What the mean loses when it is rounded to T is given back here.
    const vdouble lost = mean - lanes.load(args.mean + c);
    lanes.store(scratch.offset + c, lanes.load(args.beta + c) - slope * lost);
  });
}

template <class T>
PYNET_INLINE void normalise(const BatchNormArgs<T>& args, const ChannelTile& at,
                            const ForwardScratch<T>& scratch) {
  struct Values {
    vec<T> mean, slope, offset;
  };
  const auto values = [&](auto get) {
    return Values{get(args.mean), get(scratch.slope), get(scratch.offset)};
  };
  // Copies: whatever is stored might be the pointers in args, as far as the compiler knows.
  const T* x = args.x;
  T* y = args.y;
  const auto write = [&](const auto& rectify) {
    write_channel_tile(at, y, args.N, args.C, args.S, values,
                       [&](index_t i, auto lanes, const Values& v) {
                         const vec<T> xc = lanes.load(x + i) - v.mean;
                         lanes.store(y + i, rectify(fma(v.slope, xc, v.offset)));
                       });
  };
  if (args.relu) {
    write([](vec<T> y) { return relu_of<T>(y); });
  } else {
    write([](vec<T> y) { return y; });
  }
}

template <class T>
void batch_norm_run(const BatchNormArgs<T>& args, const Tile& tile) {
  const ChannelTiling t = tile_norm(args.N, args.C, args.S);
  const ChannelTile at = channel_tile(t, args.N, args.C, norm_tile(t, tile));
  const ForwardScratch<T> scratch = forward_scratch<T>(t, args.C, tile.shared);
  const bool once = t.row_tiles == 1;
  if (args.train && (once || tile.phase == 0)) {
    sum_tile(args, at, scratch.sums + at.row * args.C, scratch.squares + at.row * args.C);
  }
  if (once || tile.phase == 1) finish_channels(args, t, at, scratch);
  if (tile.phase == 2) normalise(args, at, scratch);
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

template <class T>
Work batch_norm_backward_plan(const BatchNormBackwardArgs<T>& args) {
  const ChannelTiling t = tile_norm(args.N, args.C, args.S);
  const double size = static_cast<double>(args.N * args.C * args.S);
  return plan_norm(t, args.C, true, args.grad != Grad::Skip, 3 * sizeof(T),
                   size * 5 * sizeof(T) * 0.06);
}

// dout as it comes, or behind a ReLU that gave y: 0 where y <= 0.
template <class T, class Use>
PYNET_INLINE void with_dout(const BatchNormBackwardArgs<T>& args, const Use& use) {
  const T *dout = args.dout, *relu = args.y;
  if (relu) {
    use([dout, relu](index_t i, auto lanes) {
      const auto y = lanes.load(relu + i);
      return y <= 0 ? decltype(+y){} : lanes.load(dout + i);
    });
  } else {
    use([dout](index_t i, auto lanes) { return lanes.load(dout + i); });
  }
}

template <class T>
PYNET_INLINE void sum_tile(const BatchNormBackwardArgs<T>& args, const ChannelTile& at,
                           double* douts, double* products) {
  const T *x = args.x, *given = args.dout;
  const auto fetch = [x, given](index_t i) {
    __builtin_prefetch(x + i);
    __builtin_prefetch(given + i);
  };
  with_dout(args, [&](const auto& dout) {
    const auto terms_of = [&](index_t c, auto count, auto lanes) {
      const auto mean = of_channels(args.mean + c, count, lanes);
      return [mean, x, dout](Terms& sum, index_t i, int v, auto part) {
        const vdouble d = dout(i, part);
        sum.first += d;
        sum.second = fma(d, part.load(x + i) - mean.value[v], sum.second);
      };
    };
    sum_channel_tile<T>(at, args.C, args.S, douts, products, fetch, terms_of);
  });
}

template <class T>
PYNET_INLINE void finish_channels(const BatchNormBackwardArgs<T>& args, const ChannelTiling& t,
                                  const ChannelTile& at, const BackwardScratch<T>& scratch) {
  const double m = args.train ? static_cast<double>(args.N * args.S) : 0;
  for_columns<1>(at.c0, at.c1, [&](index_t c, auto, auto lanes) {
    vdouble dout{}, product{};
    for (index_t row = 0; row < t.row_tiles; ++row) {
      dout += lanes.load(scratch.douts + row * args.C + c);
      product += lanes.load(scratch.products + row * args.C + c);
    }
    const vdouble std = lanes.load(args.std + c), dgamma = product / std;
    const vdouble slope = lanes.load(args.gamma + c) / std;
    lanes.store(args.dbeta + c, dout);
    lanes.store(args.dgamma + c, dgamma);
    lanes.store(scratch.a + c, slope);
    lanes.store(scratch.b + c, args.train ? -slope * dgamma / (m * std) : vdouble{});
    lanes.store(scratch.c + c, args.train ? dout / m : vdouble{});
  });
}

template <class T>
PYNET_INLINE void write_tile(const BatchNormBackwardArgs<T>& args, const ChannelTile& at,
                             const BackwardScratch<T>& scratch) {
  struct Values {
    vec<T> mean, a, b, c;
  };
  const auto values = [&](auto get) {
    return Values{get(args.mean), get(scratch.a), get(scratch.b), get(scratch.c)};
  };
  const T* x = args.x;
  T* to = args.dx;
  const auto write = [&](const auto& dx) {
    if (args.grad == Grad::Add) {
      for_channel_tile<T>(at, args.C, args.S, false, Whole{}, values,
                          [&](index_t i, auto lanes, const Values& v) {
                            lanes.store(to + i, lanes.load(to + i) + dx(i, lanes, v));
                          });
    } else {
      write_channel_tile(
          at, to, args.N, args.C, args.S, values,
          [&](index_t i, auto lanes, const Values& v) { lanes.store(to + i, dx(i, lanes, v)); });
    }
  };
  with_dout(args, [&](const auto& dout) {
    if (args.train) {
      write([x, dout](index_t i, auto lanes, const Values& v) {
        const vec<T> xc = lanes.load(x + i) - v.mean;
        return fma(v.b, xc, v.a * (dout(i, lanes) - v.c));
      });
    } else {
      write([dout](index_t i, auto lanes, const Values& v) { return v.a * dout(i, lanes); });
    }
  });
}

template <class T>
void batch_norm_backward_run(const BatchNormBackwardArgs<T>& args, const Tile& tile) {
  const ChannelTiling t = tile_norm(args.N, args.C, args.S);
  const ChannelTile at = channel_tile(t, args.N, args.C, norm_tile(t, tile));
  const BackwardScratch<T> scratch = backward_scratch<T>(t, args.C, tile.shared);
  const bool once = t.row_tiles == 1;
  if (once || tile.phase == 0) {
    sum_tile(args, at, scratch.douts + at.row * args.C, scratch.products + at.row * args.C);
  }
  if (once || tile.phase == 1) finish_channels(args, t, at, scratch);
  if (tile.phase == 2 && args.grad != Grad::Skip) write_tile(args, at, scratch);
}

}  // namespace

PYNET_EXPORT(batch_norm, BatchNormArgs)
PYNET_EXPORT(batch_norm_backward, BatchNormBackwardArgs)

}  // namespace pynet::PYNET_ISA
