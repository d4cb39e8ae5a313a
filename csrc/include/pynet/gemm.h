// General matrix product.
#pragma once

#include "pynet/types.h"

namespace pynet {

// C[i] = alpha * op(A[i]) op(B[i]) + beta * C[i] + bias, then ReLU if asked; i = 0 .. batch-1.
// With y, what a ReLU returned whose input's gradient C is, C is 0 where y <= 0.
//
// op(A) is (M, K) and op(B) is (K, N). Element (m, k) of op(A) lies at A[m*A_row + k*A_col], so a
// transpose is a swap of the two strides. C is row-major with C_row elements from row to row.
// With sums, sums[n] = op(B)[0, n] + ... + op(B)[K-1, n] besides, as sum_channels has it.
constexpr index_t kMostSummed = 256;  // K, where there are sums

template <class T>
struct GemmArgs {
  T* C;           // (batch, M, N)
  const T* A;     // (batch, M, K)
  const T* B;     // (batch, K, N)
  const T* bias;  // (N), or null
  index_t batch, M, N, K;
  index_t A_row, A_col, A_batch;
  index_t B_row, B_col, B_batch;
  index_t C_row, C_batch;
  T alpha, beta;  // beta == 0: the old C is never read
  bool relu;
  const T* y;  // (batch, M, N), where C lies; or null, as always on a CPU (fuse_calls.cpp)
  T* sums;     // (N) where batch is 1 and B lies row by row, or null, as always on a CPU
};

}  // namespace pynet
