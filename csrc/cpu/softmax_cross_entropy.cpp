// Softmax and cross entropy in one pass over the scores, and the gradient if it is asked for.
//
// A row's loss is log(sum(exp(x - m))) + (m - x[label]): near m nothing cancels, and -inf at the
// label makes it +inf.
#include "cpu/loss_sum.h"
#include "cpu/softmax_row.h"

namespace pynet::PYNET_ISA {
namespace {

// The logarithm is taken of this many rows together.
constexpr index_t kGroup = 64;

// In bounds whatever the label; the border has refused those that are not.
PYNET_INLINE index_t clamp_label(std::int64_t label, index_t D) {
  return min_of<index_t>(max_of<index_t>(label, 0), D - 1);
}

// dx of a row's probabilities y, which may lie in the same place; t where there are no labels.
template <class T>
PYNET_INLINE void gradient_row(T* dx, const T* y, const std::int64_t* label, const T* t, T scale,
                               index_t D) {
  if (label) {
    const index_t at = clamp_label(*label, D);
    const T there = scale * (y[at] - 1);
    for_vectors<T>(0, D,
                   [&](index_t j, auto lanes) { lanes.store(dx + j, scale * lanes.load(y + j)); });
    dx[at] = there;
  } else {
    const T sum = row_sum<T>(D, [&](index_t j, auto lanes) { return lanes.load(t + j); });
    for_vectors<T>(0, D, [&](index_t j, auto lanes) {
      lanes.store(dx + j, scale * (lanes.load(y + j) * sum - lanes.load(t + j)));
    });
  }
}

template <class T>
PYNET_INLINE T scale_of(double scale, index_t N) {
  return static_cast<T>(scale / static_cast<double>(N));
}

// Softmax of row n, and what is wanted of it.
template <class T>
PYNET_INLINE LogSum<T> forward_row(const SoftmaxCrossEntropyArgs<T>& args, index_t n) {
  const index_t at = n * args.D;
  T* y = (args.y ? args.y : args.dx) + at;
  const LogSum<T> row = softmax_row(y, args.x + at, args.D);
  if (args.dx) {
    gradient_row(args.dx + at, y, args.labels ? args.labels + n : nullptr,
                 args.labels ? nullptr : args.rows + at, scale_of<T>(args.scale, args.N), args.D);
  }
  return row;
}

// Rows begin .. end-1 with class numbers.
template <class T>
PYNET_INLINE void add_labelled_rows(const SoftmaxCrossEntropyArgs<T>& args, index_t begin,
                                    index_t end, WideSum& loss) {
  T sums[kGroup], away[kGroup];
  for (index_t n = begin; n < end; ++n) {
    const T* x = args.x + n * args.D;
    const LogSum<T> row = forward_row(args, n);
    sums[n - begin] = row.sum;
    away[n - begin] = row.largest - x[clamp_label(args.labels[n], args.D)];
  }
  for_vectors<T>(0, end - begin, [&](index_t i, auto lanes) {
    const vec<T> rows = log_of<T>(lanes.load(sums + i)) + lanes.load(away + i);
    loss.add(fill_rest<T>(lanes, rows, 0));
  });
}

// One row with weights t: sum of t (log(sum) + m - x), where 0 times infinity counts 0.
template <class T>
PYNET_INLINE void add_weighted_row(const SoftmaxCrossEntropyArgs<T>& args, index_t n,
                                   WideSum& loss) {
  const T *x = args.x + n * args.D, *t = args.rows + n * args.D;
  const LogSum<T> row = forward_row(args, n);
  const vec<T> log_sum = log_of<T>(splat(row.sum));
  for_vectors<T>(0, args.D, [&](index_t j, auto lanes) {
    const vec<T> weight = lanes.load(t + j);
    const vec<T> minus_log = log_sum + (row.largest - lanes.load(x + j));
    const vec<T> term = (weight == 0) & (minus_log == kInfinity<T>) ? vec<T>{} : weight * minus_log;
    loss.add(fill_rest<T>(lanes, term, 0));
  });
}

template <class T>
Work softmax_cross_entropy_plan(const SoftmaxCrossEntropyArgs<T>& args) {
  return plan_loss(row_tiles(args.N, args.D), row_cost(args.N, args.D, kSoftmaxCost<T>));
}
template <class T>
void softmax_cross_entropy_run(const SoftmaxCrossEntropyArgs<T>& args, const Tile& tile) {
  const index_t tiles = row_tiles(args.N, args.D);
  const double N = static_cast<double>(args.N);
  if (tile.phase == 1) return add_partials(tile, tiles, N, args.loss);
  const index_t begin = tile.index * tile_rows(args.D);
  const index_t end = min_of(args.N, begin + tile_rows(args.D));
  WideSum loss;
  if (args.labels) {
    for (index_t n = begin; n < end; n += kGroup) {
      add_labelled_rows(args, n, min_of(end, n + kGroup), loss);
    }
  } else {
    for (index_t n = begin; n < end; ++n) add_weighted_row(args, n, loss);
  }
  leave_partial(tile, tiles, loss.total(), N, args.loss);
}

template <class T>
Work softmax_cross_entropy_backward_plan(const SoftmaxCrossEntropyBackwardArgs<T>& args) {
  return plan_rows(args.N, args.D, 0.05 * sizeof(T));
}
template <class T>
void softmax_cross_entropy_backward_run(const SoftmaxCrossEntropyBackwardArgs<T>& args,
                                        const Tile& tile) {
  const T scale = scale_of<T>(args.scale, args.N);
  for_rows(args.N, args.D, tile, [&](index_t n) {
    const index_t at = n * args.D;
    gradient_row(args.dx + at, args.y + at, args.labels ? args.labels + n : nullptr,
                 args.labels ? nullptr : args.rows + at, scale, args.D);
  });
}

}  // namespace

PYNET_EXPORT(softmax_cross_entropy, SoftmaxCrossEntropyArgs)
PYNET_EXPORT(softmax_cross_entropy_backward, SoftmaxCrossEntropyBackwardArgs)

}  // namespace pynet::PYNET_ISA
