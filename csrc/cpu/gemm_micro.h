// The innermost loop of every matrix product: a tile of C held in registers.
#pragma once

#include "cpu/simd.h"

namespace pynet::PYNET_ISA {
namespace {

// A tile is kRows x kVectors vectors: as many accumulators as the registers hold, beside one row of
// B and one broadcast element of A.
#if defined(__AVX512F__)
constexpr int kRows = 14, kVectors = 2;  // 28 of 32 registers
#elif defined(__aarch64__)
constexpr int kRows = 8, kVectors = 3;  // 24 of 32
#else
constexpr int kRows = 6, kVectors = 2;  // 12 of 16
#endif

template <class T>
constexpr index_t kCols = kVectors * kLanes<T>;

// Longest stretch of K at a time: a sliver of B (kDepth x kCols) stays in the L1 cache.
constexpr index_t kDepth = 320;

// What happens to a finished tile on its way to C.
template <class T>
struct Epilogue {
  T alpha, beta;
  const T* bias;  // of the tile's first column, or null
  bool first;     // the first stretch of K: C = alpha*AB + beta*C; later ones add
  bool last;      // the last one: bias and ReLU are due
  bool relu;
  const T* row_bias = nullptr;  // of the tile's first row, instead of bias: convolution's filters
};

// One vector of C on its way out, given its column bias.
template <class T>
PYNET_INLINE vec<T> finish(vec<T> acc, vec<T> old, vec<T> bias, const Epilogue<T>& e) {
  vec<T> c = splat(e.alpha) * acc;
  if (!e.first) {
    c += old;
  } else if (e.beta != 0) {
    c += splat(e.beta) * old;
  }
  if (e.last && e.bias) c += bias;
  if (e.last && e.relu) c = c <= splat(T(0)) ? splat(T(0)) : c;  // NaN stays NaN
  return c;
}

// Stands in for a bias that is not there: adding zeros is cheaper than a branch for each vector.
template <class T>
constexpr T kNoBias[kCols<T> > kRows ? kCols<T> : kRows] = {};

// C (ROWS x VECTORS vectors, the last columns beyond `cols` left alone) from K steps of
// A (element (i, k) at a[i*a_row + k*a_col]) and B (row k at b + k*b_row).
template <class T, int ROWS, int VECTORS>
void micro(index_t K, const T* a, index_t a_row, index_t a_col, const T* b, index_t b_row, T* c,
           index_t c_row, index_t cols, const Epilogue<T>& e) {
  constexpr index_t L = kLanes<T>;
  vec<T> acc[ROWS][VECTORS] = {};
  for (index_t k = 0; k < K; ++k) {
    vec<T> row[VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) row[v] = load(b + v * L);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      const vec<T> element = splat(a[i * a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; ++v) acc[i][v] = fma(element, row[v], acc[i][v]);
    }
    a += a_col;
    b += b_row;
  }
  const bool whole = cols == VECTORS * L;
  const bool read = !e.first || e.beta != 0;
  const vec<T> alpha = splat(e.alpha), beta = splat(e.first ? e.beta : T(1));
  const T* row_bias = e.last && e.row_bias ? e.row_bias : kNoBias<T>;
  const T* col_bias = e.last && e.bias ? e.bias : kNoBias<T>;
  const bool relu = e.last && e.relu;
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; ++v) {
    const index_t n = whole ? L : min_of(L, cols - v * L);
    if (n <= 0) break;
    const vec<T> bias = n == L ? load(col_bias + v * L) : load_n(col_bias + v * L, n);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) acc[i][v] = alpha * acc[i][v];
    T* p = c + v * L;
    if (read) {
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) {
        const vec<T> old = n == L ? load(p + i * c_row) : load_n(p + i * c_row, n);
        acc[i][v] += beta * old;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) acc[i][v] += bias + splat(row_bias[i]);
    if (relu) {
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) {  // NaN stays NaN
        acc[i][v] = acc[i][v] <= splat(T(0)) ? splat(T(0)) : acc[i][v];
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      if (n == L) {
        store(p + i * c_row, acc[i][v]);
      } else {
        store_n(p + i * c_row, acc[i][v], n);
      }
    }
  }
}

template <class T>
using MicroKernel = void (*)(index_t, const T*, index_t, index_t, const T*, index_t, T*, index_t,
                             index_t, const Epilogue<T>&);

// The kernel for a tile of 1 .. kRows rows.
template <class T>
PYNET_INLINE MicroKernel<T> micro_kernel(index_t rows) {
  static constexpr MicroKernel<T> kernels[kRows + 1] = {
      nullptr,
      micro<T, 1, kVectors>,
      micro<T, 2, kVectors>,
      micro<T, 3, kVectors>,
      micro<T, 4, kVectors>,
      micro<T, 5, kVectors>,
      micro<T, 6, kVectors>,
#if defined(__AVX512F__) || defined(__aarch64__)
      micro<T, 7, kVectors>,
      micro<T, 8, kVectors>,
#endif
#if defined(__AVX512F__)
      micro<T, 9, kVectors>,
      micro<T, 10, kVectors>,
      micro<T, 11, kVectors>,
      micro<T, 12, kVectors>,
      micro<T, 13, kVectors>,
      micro<T, 14, kVectors>,
#endif
  };
  return kernels[rows];
}

}  // namespace
}  // namespace pynet::PYNET_ISA
