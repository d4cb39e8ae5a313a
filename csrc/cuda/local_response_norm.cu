// Local response normalisation: each pixel divided by a power of what its neighbouring channels
// hold.
#include "cuda/elements.h"
#include "rules/vmath.h"

namespace pynet::cuda {
namespace {

// The channels from c - below to c + above, as far as there are any.
struct Neighbours {
  index_t first, last;
  PYNET_INLINE Neighbours(index_t c, index_t below, index_t above, index_t C)
      : first(c > below ? c - below : 0), last(c + above < C ? c + above : C - 1) {}
};

// scale^-beta
template <class T>
PYNET_INLINE T power(T scale, T minus_beta) {
  return exp_of<T>(minus_beta * log_of<T>(scale));
}

template <class T>
Work local_response_norm_plan(const LocalResponseNormArgs<T>&) {
  return plan_launch();
}
template <class T>
void local_response_norm_run(const LocalResponseNormArgs<T>& args, const Tile&) {
  const index_t C = args.C, S = args.S;
  for_indices("local_response_norm", args.N * C * S, [=] __device__(index_t i) {
    const index_t c = i / S % C;
    const Neighbours at(c, args.n / 2, (args.n - 1) / 2, C);
    T sum = 0;
    for (index_t j = at.first; j <= at.last; ++j) {
      const T value = args.x[i + (j - c) * S];
      sum = fma(value, value, sum);
    }
    const T scale = fma(args.alpha, sum, args.k);
    args.scale[i] = scale;
    args.y[i] = args.x[i] * power<T>(scale, -args.beta);
  });
}

template <class T>
Work local_response_norm_backward_plan(const LocalResponseNormBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void local_response_norm_backward_run(const LocalResponseNormBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const index_t C = args.C, S = args.S;
  const bool add = args.grad == Grad::Add;
  for_indices("local_response_norm_backward", args.N * C * S, [=] __device__(index_t i) {
    const index_t c = i / S % C;
    const Neighbours at(c, (args.n - 1) / 2, args.n / 2, C);
    T sum = 0;
    for (index_t j = at.first; j <= at.last; ++j) {
      const index_t from = i + (j - c) * S;
      sum += args.dout[from] * args.y[from] / args.scale[from];
    }
    const T direct = args.dout[i] * power<T>(args.scale[i], -args.beta);
    const T dx = fma(-2 * args.alpha * args.beta * args.x[i], sum, direct);
    args.dx[i] = add ? args.dx[i] + dx : dx;
  });
}

}  // namespace

PYNET_EXPORT(local_response_norm, LocalResponseNormArgs)
PYNET_EXPORT(local_response_norm_backward, LocalResponseNormBackwardArgs)

}  // namespace pynet::cuda
