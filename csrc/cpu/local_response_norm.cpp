// Local response normalisation: each pixel divided by a power of what its neighbouring channels
// hold.
#include "cpu/rows.h"
#include "rules/vmath.h"

namespace pynet::PYNET_ISA {
namespace {

// A row is one channel of one sample. Its neighbours: the channels from first to last.
struct Neighbours {
  index_t first, last;
};
PYNET_INLINE Neighbours neighbours(index_t c, index_t below, index_t above, index_t C) {
  return {max_of(c - below, index_t{0}), min_of(c + above, C - 1)};
}

// scale^-beta
template <class T>
PYNET_INLINE vec<T> power(vec<T> scale, vec<T> minus_beta) {
  return exp_of<T>(minus_beta * log_of<T>(scale));
}

template <class Args>
PYNET_INLINE Work plan_channels(const Args& args, double element) {
  const double window = static_cast<double>(min_of(args.n, args.C));
  return plan_rows(args.N * args.C, args.S, 2.0 + element * window);
}

template <class T>
Work local_response_norm_plan(const LocalResponseNormArgs<T>& args) {
  return plan_channels(args, 0.04 * sizeof(T));
}

template <class T>
void local_response_norm_run(const LocalResponseNormArgs<T>& args, const Tile& tile) {
  const index_t C = args.C, S = args.S;
  const vec<T> k = splat(args.k), alpha = splat(args.alpha), minus_beta = splat(-args.beta);
  for_rows(args.N * C, S, tile, [&](index_t row) {
    const index_t c = row % C, own = row * S;
    const Neighbours at = neighbours(c, args.n / 2, (args.n - 1) / 2, C);
    const T* x = args.x + (row - c) * S;
    for_vectors<T>(0, S, [&](index_t i, auto lanes) {
      vec<T> sum{};
      for (index_t j = at.first; j <= at.last; ++j) {
        const vec<T> value = lanes.load(x + j * S + i);
        sum = fma(value, value, sum);
      }
      const vec<T> scale = fma(alpha, sum, k);
      lanes.store(args.scale + own + i, scale);
      lanes.store(args.y + own + i, lanes.load(args.x + own + i) * power<T>(scale, minus_beta));
    });
  });
}

template <class T>
Work local_response_norm_backward_plan(const LocalResponseNormBackwardArgs<T>& args) {
  Work work = plan_channels(args, 0.15 * sizeof(T));
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void local_response_norm_backward_run(const LocalResponseNormBackwardArgs<T>& args,
                                      const Tile& tile) {
  const index_t C = args.C, S = args.S;
  const vec<T> minus_beta = splat(-args.beta), factor = splat(-2 * args.alpha * args.beta);
  const bool add = args.grad == Grad::Add;
  for_rows(args.N * C, S, tile, [&](index_t row) {
    const index_t c = row % C, sample = (row - c) * S, own = row * S;
    const Neighbours at = neighbours(c, (args.n - 1) / 2, args.n / 2, C);
    for_vectors<T>(0, S, [&](index_t i, auto lanes) {
      vec<T> sum{};
      for (index_t j = at.first; j <= at.last; ++j) {
        const index_t from = sample + j * S + i;
        sum += lanes.load(args.dout + from) * lanes.load(args.y + from) /
               lanes.load(args.scale + from);
      }
      const vec<T> scale = lanes.load(args.scale + own + i);
      const vec<T> direct = lanes.load(args.dout + own + i) * power<T>(scale, minus_beta);
      const vec<T> dx = fma(factor * lanes.load(args.x + own + i), sum, direct);
      lanes.store(args.dx + own + i, add ? lanes.load(args.dx + own + i) + dx : dx);
    });
  });
}

}  // namespace

PYNET_EXPORT(local_response_norm, LocalResponseNormArgs)
PYNET_EXPORT(local_response_norm_backward, LocalResponseNormBackwardArgs)

}  // namespace pynet::PYNET_ISA
