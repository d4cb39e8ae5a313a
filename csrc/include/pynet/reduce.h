// Sums over a fixed tree: the same bits whatever the number of threads.
#pragma once

#include "pynet/types.h"

namespace pynet {

// result = sum of x, or sum of x*x
template <class T>
struct SumArgs {
  double* result;  // one number
  const T* x;      // (n)
  index_t n;
};

// y[c] = sum of x[n, c, s] over n and s
template <class T>
struct SumChannelsArgs {
  T* y;        // (C)
  const T* x;  // (N, C, S)
  index_t N, C, S;
};

}  // namespace pynet
