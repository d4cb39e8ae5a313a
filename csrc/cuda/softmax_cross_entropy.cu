// Softmax and cross entropy in one pass over the scores, and its gradient.
//
// A row's loss is log(sum(exp(x - m))) + (m - x[label]): near m nothing cancels, and -inf at the
// label makes it +inf. The rows' losses are added by one block, in a fixed order.
#include "cuda/softmax_row.h"

namespace pynet::cuda {
namespace {

// In bounds whatever the label; one that is not has been reported.
PYNET_INLINE index_t clamp_label(std::int64_t label, index_t D) {
  return label < 0 ? 0 : label < D ? label : D - 1;
}

// A row with weights t: sum of t (log(sum) + m - x), where 0 times infinity counts 0.
template <class T, class Thread>
PYNET_INLINE double weighted_loss(const T* x, const T* t, index_t D, const LogSum<T>& row,
                                  const Thread& thread) {
  const T log_sum = log_of<T>(row.sum);
  double loss = 0;
  for (index_t j = thread.lane; j < D; j += Thread::kLanes) {
    const T minus_log = log_sum + (row.largest - x[j]);
    const bool nothing = t[j] == 0 && minus_log == kInfinity<T>;
    loss += nothing ? 0.0 : static_cast<double>(t[j] * minus_log);
  }
  return loss;
}

template <class T>
Work softmax_cross_entropy_plan(const SoftmaxCrossEntropyArgs<T>& args) {
  return plan_launch(static_cast<std::size_t>(args.N) * sizeof(double));
}
template <class T>
void softmax_cross_entropy_run(const SoftmaxCrossEntropyArgs<T>& args, const Tile& tile) {
  double* losses = static_cast<double*>(tile.shared);
  const char* op = "softmax_cross_entropy";
  for_rows(op, args.N, args.D, [=] __device__(const auto& thread, const auto& join) {
    const index_t at = thread.row * args.D;
    const T* x = args.x + at;
    const LogSum<T> row = softmax_row(args.y + at, x, args.D, thread, join);
    double loss = 0;
    if (args.labels) {
      const T away = row.largest - x[clamp_label(args.labels[thread.row], args.D)];
      loss = static_cast<double>(log_of<T>(row.sum) + away);
    } else {
      loss = join.sum(weighted_loss(x, args.rows + at, args.D, row, thread));
    }
    if (thread.lane == 0) losses[thread.row] = loss;
  });
  add_partials(op, args.loss, losses, args.N, static_cast<double>(args.N));
}

template <class T>
Work softmax_cross_entropy_backward_plan(const SoftmaxCrossEntropyBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void softmax_cross_entropy_backward_run(const SoftmaxCrossEntropyBackwardArgs<T>& args,
                                        const Tile&) {
  const T scale = static_cast<T>(args.scale / static_cast<double>(args.N));
  for_rows("softmax_cross_entropy_backward", args.N, args.D,
           [=] __device__(const auto& thread, const auto& join) {
             const index_t at = thread.row * args.D;
             const T* y = args.y + at;
             T* dx = args.dx + at;
             if (args.labels) {
               const index_t label = clamp_label(args.labels[thread.row], args.D);
               for (index_t j = thread.lane; j < args.D; j += thread.kLanes) {
                 dx[j] = scale * (j == label ? y[j] - 1 : y[j]);
               }
             } else {
               const T* t = args.rows + at;
               T sum = 0;
               for (index_t j = thread.lane; j < args.D; j += thread.kLanes) sum += t[j];
               sum = join.sum(sum);
               for (index_t j = thread.lane; j < args.D; j += thread.kLanes) {
                 dx[j] = scale * (y[j] * sum - t[j]);
               }
             }
           });
}

}  // namespace

PYNET_EXPORT(softmax_cross_entropy, SoftmaxCrossEntropyArgs)
PYNET_EXPORT(softmax_cross_entropy_backward, SoftmaxCrossEntropyBackwardArgs)

}  // namespace pynet::cuda
