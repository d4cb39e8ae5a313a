// Softmax along rows. A row that holds NaN or +inf, or -inf only, becomes NaN.
#include "cuda/softmax_row.h"

namespace pynet::cuda {
namespace {

template <class T>
Work softmax_plan(const SoftmaxArgs<T>&) {
  return plan_launch();
}
template <class T>
void softmax_run(const SoftmaxArgs<T>& args, const Tile&) {
  for_rows("softmax", args.N, args.D, [=] __device__(const auto& thread, const auto& join) {
    const index_t at = thread.row * args.D;
    softmax_row(args.y + at, args.x + at, args.D, thread, join);
  });
}

// y = x - m - log(sum(exp(x - m)))
template <class T>
Work log_softmax_plan(const SoftmaxArgs<T>&) {
  return plan_launch();
}
template <class T>
void log_softmax_run(const SoftmaxArgs<T>& args, const Tile&) {
  for_rows("log_softmax", args.N, args.D, [=] __device__(const auto& thread, const auto& join) {
    const T* x = args.x + thread.row * args.D;
    T* y = args.y + thread.row * args.D;
    const LogSum<T> row = log_sum_of(x, args.D, thread, join);
    const T log_sum = log_of<T>(row.sum);
    for (index_t j = thread.lane; j < args.D; j += thread.kLanes) {
      y[j] = x[j] - row.largest - log_sum;
    }
  });
}

// dx = y (dout - sum(dout y))
template <class T>
Work softmax_backward_plan(const SoftmaxBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void softmax_backward_run(const SoftmaxBackwardArgs<T>& args, const Tile&) {
  for_rows("softmax_backward", args.N, args.D,
           [=] __device__(const auto& thread, const auto& join) {
             const index_t at = thread.row * args.D;
             const T *dout = args.dout + at, *y = args.y + at;
             T sum = 0;
             for (index_t j = thread.lane; j < args.D; j += thread.kLanes) sum += dout[j] * y[j];
             sum = join.sum(sum);
             for (index_t j = thread.lane; j < args.D; j += thread.kLanes) {
               args.dx[at + j] = y[j] * (dout[j] - sum);
             }
           });
}

// dx = dout - exp(y) sum(dout)
template <class T>
Work log_softmax_backward_plan(const SoftmaxBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void log_softmax_backward_run(const SoftmaxBackwardArgs<T>& args, const Tile&) {
  for_rows("log_softmax_backward", args.N, args.D,
           [=] __device__(const auto& thread, const auto& join) {
             const index_t at = thread.row * args.D;
             const T *dout = args.dout + at, *y = args.y + at;
             T sum = 0;
             for (index_t j = thread.lane; j < args.D; j += thread.kLanes) sum += dout[j];
             sum = join.sum(sum);
             for (index_t j = thread.lane; j < args.D; j += thread.kLanes) {
               args.dx[at + j] = dout[j] - exp_of<T>(y[j]) * sum;
             }
           });
}

}  // namespace

PYNET_EXPORT(softmax, SoftmaxArgs)
PYNET_EXPORT(softmax_backward, SoftmaxBackwardArgs)
PYNET_EXPORT(log_softmax, SoftmaxArgs)
PYNET_EXPORT(log_softmax_backward, SoftmaxBackwardArgs)

}  // namespace pynet::cuda
