// A^T B with few columns, computed as its transpose B^T A: what a gradient of weights over a large
// batch is (dW = x^T dout, 784 x 50 from 1000 samples).
//
// Across its rows A^T is the operand that fits the micro-kernel badly: each element is broadcast
// from another line. But a row of A is contiguous along M, as a row of B is along N. So the vectors
// run along M: slivers of A play the part of B and the other way round. A tile computes all N rows
// of some columns of C^T in its own scratch, and stores them transposed.
#pragma once

#include "cpu/gemm_micro.h"
#include "cpu/loop.h"
#include "cpu/pack.h"

namespace pynet::PYNET_ISA {
namespace {

// Storing transposed costs as much as a few dozen steps of K.
constexpr index_t kFlipSteps = 256;

template <class T>
PYNET_INLINE bool flips(const GemmArgs<T>& p, index_t most_rows) {
  return p.A_row == 1 && p.A_col != 1 && p.K >= kFlipSteps && p.M >= 8 * kCols<T> &&
         p.N > 2 * kRows && p.N <= most_rows;
}

// The product C^T = B^T A. Where it goes, and the epilogue, is left to store_flipped.
template <class T>
PYNET_INLINE GemmArgs<T> flipped(const GemmArgs<T>& p) {
  GemmArgs<T> q{};
  q.A = p.B, q.A_row = p.B_col, q.A_col = p.B_row, q.A_batch = p.B_batch;
  q.B = p.A, q.B_row = p.A_col, q.B_col = p.A_row, q.B_batch = p.A_batch;
  q.batch = p.batch, q.M = p.N, q.N = p.M, q.K = p.K;
  q.alpha = 1;
  return q;
}

// Rows m0 .. m1-1 of C from the block of C^T that holds them: element (n, m) of the sums lies at
// block[n*block_row + m - m0]. `local` has room for kCols rows of C.
template <class T>
void store_flipped(const GemmArgs<T>& p, T* C, index_t m0, index_t m1, const T* block,
                   index_t block_row, T* local) {
  constexpr index_t S = kCols<T>;
  const Epilogue<T> e{p.alpha, p.beta, p.bias, true, true, p.relu};
  for (index_t first = m0; first < m1; first += S) {
    const index_t last = min_of(m1, first + S);
    transpose(local, p.N, block + first - m0, block_row, p.N, last - first);
    for (index_t m = first; m < last; ++m) {
      const T* sums = local + (m - first) * p.N;
      T* c = C + m * p.C_row;
      for_vectors<T>(0, p.N, [&](index_t n, auto lanes) {
        const vec<T> old = p.beta != 0 ? lanes.load(c + n) : vec<T>{};
        const vec<T> bias = p.bias ? lanes.load(p.bias + n) : vec<T>{};
        lanes.store(c + n, finish<T>(lanes.load(sums + n), old, bias, e));
      });
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
