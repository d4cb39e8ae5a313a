// Softmax and cross entropy in one pass over the scores, and the gradient: in that pass, or by the
// probabilities alone.
//
// A row's loss is log(sum(exp(x - m))) + (m - x[label]): near m nothing cancels, and -inf at the
// label makes it +inf. The losses of a block's rows are added up there, those of the blocks by one
// block, both in a fixed order.
#include "cuda/held_rows.h"
#include "cuda/runtime/require.h"
#include "cuda/softmax_row.h"

namespace pynet::cuda {
namespace {

// What a row is compared with: a class, or weights.
template <class T>
struct Target {
  int label, D;
  const T* t;  // of the row, or null

  // In bounds whatever the label; one that is not has been reported.
  PYNET_INLINE Target(const std::int64_t* labels, const T* rows, index_t row, index_t length)
      : label(0), D(static_cast<int>(length)), t(nullptr) {
    if (labels) {
      const std::int64_t given = labels[row];
      label = given < 0 ? 0 : given < D ? static_cast<int>(given) : D - 1;
    } else {
      t = rows + row * length;
    }
  }
  PYNET_INLINE T weight(int j) const { return j < D ? t[j] : T{0}; }
  // Of the row's scores x and its weights: 0 times infinity counts 0.
  PYNET_INLINE double loss_of(int j, const T* x, T largest, T log_sum) const {
    const T minus_log = log_sum + (largest - x[j]);
    const bool nothing = t[j] == 0 && minus_log == kInfinity<T>;
    return nothing ? 0.0 : static_cast<double>(t[j] * minus_log);
  }
  // dx of probability y, with the sum of the weights.
  PYNET_INLINE T gradient(int j, T y, T weights, T scale) const {
    if (t) return scale * (y * weights - weight(j));
    return scale * (j == label ? y - 1 : y);
  }
};

template <class T>
T scale_of(double scale, index_t N) {
  return static_cast<T>(scale / static_cast<double>(N));
}

void require_countable(const char* op, index_t D) {
  require(D < (index_t{1} << 31), op, "x: expected fewer than 2^31 classes, got more");
}

// --- forward, and its gradient if asked ----------------------------------------------------------

template <class T>
struct ForwardBody {
  SoftmaxCrossEntropyArgs<T> args;
  T scale;
  template <class Row>
  PYNET_INLINE double operator()(Row& row) const {
    const index_t n = row.there ? row.row : 0, at = n * args.D;
    const Target<T> target(args.labels, args.rows, n, args.D);
    const T largest = row.largest();
    const T away = target.t || !row.leads ? T{0} : largest - args.x[at + target.label];
    row.map([&](int, T x) { return exp_of_negative<T>(x - largest); });
    const T sum = row.sum();
    const T log_sum = log_of<T>(sum), share = 1 / sum;
    double loss = static_cast<double>(log_sum + away);
    if (target.t) {  // the scores from memory, where they were a moment ago
      loss = row.sum_of([&](int j) { return target.loss_of(j, args.x + at, largest, log_sum); });
    }
    row.map([&](int, T e) { return e * share; });
    if (args.y) row.write(args.y);
    if (args.dx) {
      const T weights = target.t ? row.sum_of([&](int j) { return target.t[j]; }) : T{1};
      row.map([&](int j, T y) { return target.gradient(j, y, weights, scale); });
      row.write(args.dx);
    }
    return row.leads ? loss : 0;
  }
};

// A row of which no block can hold all comes from memory three times.
template <class T>
void run_long_rows(const char* op, const SoftmaxCrossEntropyArgs<T>& args, T scale,
                   double* losses) {
  for_rows(op, args.N, args.D, [=] __device__(const auto& thread, const auto& join) {
    const index_t at = thread.row * args.D;
    const int D = static_cast<int>(args.D);
    const T* x = args.x + at;
    const Target<T> target(args.labels, args.rows, thread.row, args.D);
    const LogSum<T> row = log_sum_of(x, args.D, thread, join);
    const T log_sum = log_of<T>(row.sum), share = 1 / row.sum;
    double loss = 0;
    T weights = target.t ? T{0} : T{1};
    if (target.t) {
      for (int j = thread.lane; j < D; j += thread.kLanes) {
        loss += target.loss_of(j, x, row.largest, log_sum);
        weights += target.t[j];
      }
      loss = join.sum(loss);
      weights = join.sum(weights);
    } else {
      loss = static_cast<double>(log_sum + (row.largest - x[target.label]));
    }
    if (thread.lane == 0) losses[thread.row] = loss;
    for (int j = thread.lane; j < D; j += thread.kLanes) {
      const T y = exp_of_negative<T>(x[j] - row.largest) * share;
      if (args.y) args.y[at + j] = y;
      if (args.dx) args.dx[at + j] = target.gradient(j, y, weights, scale);
    }
  });
  add_partials(op, args.loss, losses, args.N, static_cast<double>(args.N));
}

template <class T>
Work softmax_cross_entropy_plan(const SoftmaxCrossEntropyArgs<T>& args) {
  const HeldRows plan(args.N, args.D, sizeof(T));
  const index_t sums = plan.held() ? plan.blocks : args.N;
  return plan_launch(static_cast<std::size_t>(sums) * sizeof(double));
}
template <class T>
void softmax_cross_entropy_run(const SoftmaxCrossEntropyArgs<T>& args, const Tile& tile) {
  const char* op = "softmax_cross_entropy";
  require_countable(op, args.D);
  const HeldRows plan(args.N, args.D, sizeof(T));
  double* partial = static_cast<double*>(tile.shared);
  const T scale = scale_of<T>(args.scale, args.N);
  if (!plan.held()) return run_long_rows(op, args, scale, partial);
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  const bool wide = is_aligned(args.x, W) && is_aligned(args.y, W) && is_aligned(args.dx, W);
  const bool alone = plan.blocks == 1;
  const double divisor = static_cast<double>(args.N);
  for_held_rows(op, plan, args.x, wide,
                RowTotal{alone ? nullptr : partial, alone ? args.loss : nullptr, divisor},
                ForwardBody<T>{args, scale});
  if (!alone) add_partials(op, args.loss, partial, plan.blocks, divisor);
}

// --- backward ------------------------------------------------------------------------------------

template <class T>
struct BackwardBody {
  SoftmaxCrossEntropyBackwardArgs<T> args;
  T scale;
  template <class Row>
  PYNET_INLINE double operator()(Row& row) const {
    const Target<T> target(args.labels, args.rows, row.there ? row.row : 0, args.D);
    const T weights = target.t ? row.sum_of([&](int j) { return target.t[j]; }) : T{1};
    row.map([&](int j, T y) { return target.gradient(j, y, weights, scale); });
    row.write(args.dx);
    return 0;
  }
};

template <class T>
Work softmax_cross_entropy_backward_plan(const SoftmaxCrossEntropyBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void softmax_cross_entropy_backward_run(const SoftmaxCrossEntropyBackwardArgs<T>& args,
                                        const Tile&) {
  const char* op = "softmax_cross_entropy_backward";
  require_countable(op, args.D);
  const T scale = scale_of<T>(args.scale, args.N);
  const HeldRows plan(args.N, args.D, sizeof(T));
  if (plan.held()) {
    constexpr int W = 16 / static_cast<int>(sizeof(T));
    return for_held_rows(op, plan, args.y, is_aligned(args.y, W) && is_aligned(args.dx, W),
                         RowTotal{}, BackwardBody<T>{args, scale});
  }
  for_rows(op, args.N, args.D, [=] __device__(const auto& thread, const auto& join) {
    const index_t at = thread.row * args.D;
    const int D = static_cast<int>(args.D);
    const Target<T> target(args.labels, args.rows, thread.row, args.D);
    T weights = target.t ? T{0} : T{1};
    if (target.t) {
      for (int j = thread.lane; j < D; j += thread.kLanes) weights += target.t[j];
      weights = join.sum(weights);
    }
    for (int j = thread.lane; j < D; j += thread.kLanes) {
      args.dx[at + j] = target.gradient(j, args.y[at + j], weights, scale);
    }
  });
}

}  // namespace

PYNET_EXPORT(softmax_cross_entropy, SoftmaxCrossEntropyArgs)
PYNET_EXPORT(softmax_cross_entropy_backward, SoftmaxCrossEntropyBackwardArgs)

}  // namespace pynet::cuda
