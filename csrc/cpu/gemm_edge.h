// The last few columns of a matrix product, where a tile of whole vectors would mostly multiply by
// nothing: 2 columns of the 50 that the book's hidden layer has.
//
//   along K   rows of A are contiguous: each element of C is a dot product
//   along M   columns of A are contiguous: vectors of C^T, a column each
#pragma once

#include "cpu/gemm_micro.h"
#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

// So many columns at most: half a vector, or the vector is the better way.
template <class T>
constexpr index_t kEdgeCols = kLanes<T> / 2 < 4 ? kLanes<T> / 2 : 4;

// A stretch of K of the product of `rows` rows of A with the edge, columns of C from c on.
template <class T>
struct Edge {
  index_t rows, K;
  const T* a;  // element (m, k) at a[m*a_row + k*a_col]
  index_t a_row, a_col;
  const T* b;  // element (k, n) at b[k*b_row + n*b_col]
  index_t b_row, b_col;
  T* c;
  index_t c_row;
};

// COLS columns of C on their way out: rows m .. m+count-1, at most ROWS, from their sums.
template <class T, int COLS, int ROWS>
PYNET_INLINE void finish_block(const Edge<T>& p, index_t m, index_t count, T* sums,
                               const Epilogue<T>& e) {
  T* c = p.c + m * p.c_row;
  T old[COLS * ROWS] = {}, bias[COLS * ROWS] = {};
  if (!e.first || e.beta != 0) {
    for (int j = 0; j < COLS; ++j) {
      for (index_t i = 0; i < count; ++i) old[j * ROWS + i] = c[i * p.c_row + j];
    }
  }
  if (e.last && e.bias) {
    for (int i = 0; i < COLS * ROWS; ++i) bias[i] = e.bias[i / ROWS];
  }
  for_vectors<T>(0, COLS * ROWS, [&](index_t i, auto lanes) {
    lanes.store(sums + i,
                finish<T>(lanes.load(sums + i), lanes.load(old + i), lanes.load(bias + i), e));
  });
  for (index_t i = 0; i < count; ++i) {
    for (int j = 0; j < COLS; ++j) c[i * p.c_row + j] = sums[j * ROWS + i];
  }
}

template <class T, int COLS>
void edge_along_k(const Edge<T>& p, const Epilogue<T>& e) {
  constexpr index_t L = kLanes<T>;
  constexpr int ROWS = 8 / COLS;
  for (index_t m = 0; m < p.rows; m += ROWS) {
    const T* a[ROWS];  // beyond the last row, that one again
    for (int i = 0; i < ROWS; ++i) a[i] = p.a + min_of<index_t>(m + i, p.rows - 1) * p.a_row;
    vec<T> acc[COLS * ROWS] = {};
    const auto add = [&](index_t k, auto lanes) {
      vec<T> column[COLS];
#pragma GCC unroll 2
      for (int j = 0; j < COLS; ++j) column[j] = lanes.load(p.b + j * p.b_col + k);
#pragma GCC unroll 8
      for (int i = 0; i < ROWS; ++i) {
        const vec<T> row = lanes.load(a[i] + k);
#pragma GCC unroll 2
        for (int j = 0; j < COLS; ++j) acc[j * ROWS + i] = fma(row, column[j], acc[j * ROWS + i]);
      }
    };
    index_t k = 0;
    for (; k + L <= p.K; k += L) add(k, Whole{});
    if (k < p.K) add(k, Part{p.K - k});
    T sums[COLS * ROWS];
    sum_each<COLS * ROWS>(acc, sums);
    finish_block<T, COLS, ROWS>(p, m, min_of<index_t>(ROWS, p.rows - m), sums, e);
  }
}

template <class T, int COLS, int VECTORS, class Lanes>
PYNET_INLINE void edge_vectors(const Edge<T>& p, index_t m, const Epilogue<T>& e,
                               const Lanes& lanes) {
  constexpr index_t L = kLanes<T>;
  vec<T> acc[COLS][VECTORS] = {};
  const T* a = p.a + m;
  const T* b = p.b;
  for (index_t k = 0; k < p.K; ++k) {
    vec<T> column[VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) column[v] = lanes.load(a + v * L);
#pragma GCC unroll 2
    for (int j = 0; j < COLS; ++j) {
      const vec<T> x = splat(b[j * p.b_col]);
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; ++v) acc[j][v] = fma(column[v], x, acc[j][v]);
    }
    a += p.a_col, b += p.b_row;
  }
  T sums[COLS * VECTORS * L];
#pragma GCC unroll 2
  for (int j = 0; j < COLS; ++j) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) store(sums + (j * VECTORS + v) * L, acc[j][v]);
  }
  finish_block<T, COLS, VECTORS * L>(p, m, min_of(VECTORS * L, p.rows - m), sums, e);
}

template <class T, int COLS>
void edge_along_m(const Edge<T>& p, const Epilogue<T>& e) {
  constexpr index_t L = kLanes<T>;
  constexpr int VECTORS = 8 / COLS;
  index_t m = 0;
  for (; m + VECTORS * L <= p.rows; m += VECTORS * L) {
    edge_vectors<T, COLS, VECTORS>(p, m, e, Whole{});
  }
  for (; m + L <= p.rows; m += L) edge_vectors<T, COLS, 1>(p, m, e, Whole{});
  if (m < p.rows) edge_vectors<T, COLS, 1>(p, m, e, Part{p.rows - m});
}

// Two columns at a time, so that sums enough to hide the latency of adding fit the registers.
template <class T>
void run_edge(index_t cols, Edge<T> p, Epilogue<T> e) {
  const bool along_k = p.a_col == 1;
  for (; cols > 0; cols -= 2) {
    if (cols == 1) {
      along_k ? edge_along_k<T, 1>(p, e) : edge_along_m<T, 1>(p, e);
    } else {
      along_k ? edge_along_k<T, 2>(p, e) : edge_along_m<T, 2>(p, e);
    }
    p.b += 2 * p.b_col, p.c += 2;
    if (e.bias) e.bias += 2;
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
