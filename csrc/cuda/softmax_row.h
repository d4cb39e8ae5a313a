// Softmax of one row, shared by softmax and by the loss that is fused with it.
#pragma once

#include "cuda/rows.h"
#include "rules/vmath.h"

namespace pynet::cuda {
namespace {

// log(sum(exp(x))) = largest + log(sum)
template <class T>
struct LogSum {
  T largest, sum;
};

// The largest of a row, and the sum of exp(x - largest). A row of D elements.
template <class T, class Thread, class Join>
PYNET_INLINE LogSum<T> log_sum_of(const T* x, index_t D, const Thread& thread, const Join& join) {
  T largest = x[0];
  for (index_t j = thread.lane; j < D; j += Thread::kLanes) largest = Larger{}(largest, x[j]);
  largest = join.largest(largest);
  T sum = 0;
  for (index_t j = thread.lane; j < D; j += Thread::kLanes)
    sum += exp_of_negative<T>(x[j] - largest);
  return {largest, join.sum(sum)};
}

// y = exp(x - largest) / sum(exp(x - largest))
template <class T, class Thread, class Join>
PYNET_INLINE LogSum<T> softmax_row(T* y, const T* x, index_t D, const Thread& thread,
                                   const Join& join) {
  const LogSum<T> row = log_sum_of(x, D, thread, join);
  const T share = 1 / row.sum;
  for (index_t j = thread.lane; j < D; j += Thread::kLanes) {
    y[j] = exp_of_negative<T>(x[j] - row.largest) * share;
  }
  return row;
}

}  // namespace
}  // namespace pynet::cuda
