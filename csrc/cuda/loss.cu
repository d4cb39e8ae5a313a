// Losses that add up element by element.
#include "cuda/elements.h"
#include "cuda/reduce.h"
#include "rules/vmath.h"

namespace pynet::cuda {
namespace {

// Block i sums the terms of part i; term(i) also writes y where there is one.
template <class Term>
__global__ void terms_kernel(double* partial, index_t n, Term term) {
  const index_t length = ceil_div(n, gridDim.x);
  const index_t begin = blockIdx.x * length, end = begin + length < n ? begin + length : n;
  double sum = 0;
  for (index_t i = begin + threadIdx.x; i < end; i += blockDim.x) sum += term(i);
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <class T>
Work plan_pair_loss(const PairLossArgs<T>& args) {
  return plan_launch(static_cast<std::size_t>(parts_of(args.n)) * sizeof(double));
}
template <class T, class Term>
void pair_loss(const char* op, const PairLossArgs<T>& args, const Tile& tile, double divisor,
               const Term& term) {
  double* partial = static_cast<double*>(tile.shared);
  const index_t parts = parts_of(args.n);
  launch(op, terms_kernel<Term>, static_cast<unsigned>(parts), kReduceThreads, partial, args.n,
         term);
  add_partials(op, args.loss, partial, parts, divisor);
}

// max(x, 0) - x t + log(1 + exp(-|x|)), its first two terms as |x| (1-t) for x > 0 and |x| t for
// x < 0: nothing cancels, and an infinite x with the right label costs nothing.
template <class T>
Work sigmoid_cross_entropy_plan(const PairLossArgs<T>& args) {
  return plan_pair_loss(args);
}
template <class T>
void sigmoid_cross_entropy_run(const PairLossArgs<T>& args, const Tile& tile) {
  pair_loss("sigmoid_cross_entropy", args, tile, static_cast<double>(args.N),
            [=] __device__(index_t i) {
              const T x = args.x[i], t = args.t[i];
              args.y[i] = sigmoid_of<T>(x);
              const T wrong = x < 0 ? t : 1 - t, size = -minus_abs<T>(x);
              const T term = (wrong == 0 ? T{} : size * wrong) + log1p_exp_minus_abs<T>(x);
              return static_cast<double>(term);
            });
}

template <class T>
Work squared_error_plan(const PairLossArgs<T>& args) {
  return plan_pair_loss(args);
}
template <class T>
void squared_error_run(const PairLossArgs<T>& args, const Tile& tile) {
  pair_loss("squared_error", args, tile, 2 * static_cast<double>(args.N),
            [=] __device__(index_t i) {
              const double away = static_cast<double>(args.x[i] - args.t[i]);
              return away * away;
            });
}

template <class T>
Work pair_loss_backward_plan(const PairLossBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void pair_loss_backward_run(const PairLossBackwardArgs<T>& args, const Tile&) {
  const T scale = static_cast<T>(args.scale / static_cast<double>(args.N));
  for_elements(
      "pair_loss_backward", args.n, [=] __device__(T& dx, T y, T t) { dx = scale * (y - t); },
      out(args.dx), in(args.y), in(args.t));
}

}  // namespace

PYNET_EXPORT(sigmoid_cross_entropy, PairLossArgs)
PYNET_EXPORT(squared_error, PairLossArgs)
PYNET_EXPORT(pair_loss_backward, PairLossBackwardArgs)

}  // namespace pynet::cuda
