// Softmax along rows. A row that holds NaN or +inf, or -inf only, becomes NaN.
#include "cpu/softmax_row.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
Work softmax_plan(const SoftmaxArgs<T>& args) {
  return plan_rows(args.N, args.D, kSoftmaxCost<T>);
}
template <class T>
void softmax_run(const SoftmaxArgs<T>& args, const Tile& tile) {
  for_rows(args.N, args.D, tile,
           [&](index_t n) { softmax_row(args.y + n * args.D, args.x + n * args.D, args.D); });
}

// y = x - m - log(sum(exp(x - m)))
template <class T>
Work log_softmax_plan(const SoftmaxArgs<T>& args) {
  return plan_rows(args.N, args.D, kSoftmaxCost<T>);
}
template <class T>
void log_softmax_run(const SoftmaxArgs<T>& args, const Tile& tile) {
  for_rows(args.N, args.D, tile, [&](index_t n) {
    const T* x = args.x + n * args.D;
    T* y = args.y + n * args.D;
    const vec<T> m = splat(row_max(x, args.D));
    const T sum = row_sum<T>(
        args.D, [&](index_t j, auto lanes) { return exp_of_negative<T>(lanes.load(x + j) - m); });
    const vec<T> log_sum = log_of<T>(splat(sum));
    for_vectors<T>(0, args.D, [&](index_t j, auto lanes) {
      lanes.store(y + j, lanes.load(x + j) - m - log_sum);
    });
  });
}

// dx = y (dout - sum(dout y))
template <class T>
Work softmax_backward_plan(const SoftmaxBackwardArgs<T>& args) {
  return plan_rows(args.N, args.D, 0.05 * sizeof(T));
}
template <class T>
void softmax_backward_run(const SoftmaxBackwardArgs<T>& args, const Tile& tile) {
  for_rows(args.N, args.D, tile, [&](index_t n) {
    const T *dout = args.dout + n * args.D, *y = args.y + n * args.D;
    T* dx = args.dx + n * args.D;
    const T sum = row_sum<T>(
        args.D, [&](index_t j, auto lanes) { return lanes.load(dout + j) * lanes.load(y + j); });
    for_vectors<T>(0, args.D, [&](index_t j, auto lanes) {
      lanes.store(dx + j, lanes.load(y + j) * (lanes.load(dout + j) - sum));
    });
  });
}

// dx = dout - exp(y) sum(dout)
template <class T>
Work log_softmax_backward_plan(const SoftmaxBackwardArgs<T>& args) {
  return plan_rows(args.N, args.D, kSoftmaxCost<T>);
}
template <class T>
void log_softmax_backward_run(const SoftmaxBackwardArgs<T>& args, const Tile& tile) {
  for_rows(args.N, args.D, tile, [&](index_t n) {
    const T *dout = args.dout + n * args.D, *y = args.y + n * args.D;
    T* dx = args.dx + n * args.D;
    const T sum = row_sum<T>(args.D, [&](index_t j, auto lanes) { return lanes.load(dout + j); });
    for_vectors<T>(0, args.D, [&](index_t j, auto lanes) {
      lanes.store(dx + j, lanes.load(dout + j) - exp_of<T>(lanes.load(y + j)) * sum);
    });
  });
}

}  // namespace

PYNET_EXPORT(softmax, SoftmaxArgs)
PYNET_EXPORT(softmax_backward, SoftmaxBackwardArgs)
PYNET_EXPORT(log_softmax, SoftmaxArgs)
PYNET_EXPORT(log_softmax_backward, SoftmaxBackwardArgs)

}  // namespace pynet::PYNET_ISA
