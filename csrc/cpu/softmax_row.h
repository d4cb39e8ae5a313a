// Softmax of one row, shared by softmax and by the loss that is fused with it.
#pragma once

#include "cpu/rows.h"
#include "rules/vmath.h"

namespace pynet::PYNET_ISA {
namespace {

// Nanoseconds for each element.
template <class T>
constexpr double kSoftmaxCost = sizeof(T) == 4 ? 0.6 : 1.8;

// log(sum(exp(x))) = largest + log(sum)
template <class T>
struct LogSum {
  T largest;
  T sum;
};

// y = exp(x - m) / sum(exp(x - m)) with m = max(x).
template <class T>
PYNET_INLINE LogSum<T> softmax_row(T* y, const T* x, index_t D) {
  const T largest = row_max(x, D);
  const T sum = row_sum<T>(D, [&](index_t j, auto lanes) {
    const vec<T> e = exp_of_negative<T>(lanes.load(x + j) - largest);
    lanes.store(y + j, e);
    return e;
  });
  const T share = 1 / sum;
  for_vectors<T>(0, D,
                 [&](index_t j, auto lanes) { lanes.store(y + j, lanes.load(y + j) * share); });
  return {largest, sum};
}

}  // namespace
}  // namespace pynet::PYNET_ISA
