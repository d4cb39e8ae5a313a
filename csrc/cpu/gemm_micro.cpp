// The innermost loop of every matrix product, for each size of tile.
#include "cpu/gemm_micro.h"

namespace pynet::PYNET_ISA {
namespace {

// Stands in for a bias that is not there: adding zeros is cheaper than a branch for each vector.
template <class T>
constexpr T kNoBias[kCols<T> > kRows ? kCols<T> : kRows] = {};

// C (ROWS x VECTORS vectors, the last columns beyond `cols` left alone) from K steps of
// A (element (i, k) at a[i*a_row + k*a_col]) and B (row k at b + k*b_row).
template <class T, int ROWS, int VECTORS>
void micro(index_t K, const T* a, index_t a_row, index_t a_col, const T* b, index_t b_row, T* c,
           index_t c_row, index_t cols, const Epilogue<T>& e) {
  constexpr index_t L = kLanes<T>;
  // Rows of C that lie a power of two apart push each other out of the caches: their lines are
  // fetched while the products are computed.
  if (K >= 64) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      __builtin_prefetch(c + i * c_row, 1);
      __builtin_prefetch(c + i * c_row + cols - 1, 1);
    }
  }
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
  // The sum alone: what stands below would take as long as a few steps of K.
  if (whole && !read && !relu && e.alpha == 1 && row_bias == kNoBias<T> && col_bias == kNoBias<T>) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; ++v) store(c + i * c_row + v * L, acc[i][v]);
    }
    return;
  }
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
      for (int i = 0; i < ROWS; ++i) acc[i][v] = relu_of<T>(acc[i][v]);
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

// ROWS rows of C, columns 0 .. N-1, from slivers of B that lie `sliver` apart; of C what lies
// `ahead` columns further on is fetched. This is the loop of the micro-kernel without its epilogue,
// which would take as long as so few steps of K.
template <class T, int ROWS>
void stream(index_t N, index_t K, const T* a, index_t a_row, index_t a_col, const T* B,
            index_t b_row, index_t sliver, T* C, index_t c_row, index_t ahead) {
  constexpr index_t L = kLanes<T>;
  for (T* c = C; c < C + N; c += kCols<T>, B += sliver) {
    vec<T> acc[ROWS][kVectors] = {};
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) __builtin_prefetch(c + i * c_row + ahead, 1);
    for (index_t k = 0; k < K; ++k) {
      vec<T> row[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) row[v] = load(B + k * b_row + v * L);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) {
        const vec<T> element = splat(a[i * a_row + k * a_col]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[i][v] = fma(element, row[v], acc[i][v]);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(c + i * c_row + v * L, acc[i][v]);
    }
  }
}

}  // namespace

#if defined(__aarch64__)
#define PYNET_ROW(T, ROWS) {nullptr, micro<T, ROWS, 1>, micro<T, ROWS, 2>, micro<T, ROWS, 3>},
#else
#define PYNET_ROW(T, ROWS) {nullptr, micro<T, ROWS, 1>, micro<T, ROWS, 2>},
#endif
#define PYNET_STREAM(T, ROWS) stream<T, ROWS>,
#define PYNET_ROWS_6(ROW, T) ROW(T, 1) ROW(T, 2) ROW(T, 3) ROW(T, 4) ROW(T, 5) ROW(T, 6)
#define PYNET_ROWS_8(ROW, T) PYNET_ROWS_6(ROW, T) ROW(T, 7) ROW(T, 8)
#define PYNET_ROWS_14(ROW, T) \
  PYNET_ROWS_8(ROW, T)        \
  ROW(T, 9) ROW(T, 10) ROW(T, 11) ROW(T, 12) ROW(T, 13) ROW(T, 14)

#if defined(__AVX512F__)
#define PYNET_ALL_ROWS PYNET_ROWS_14
#elif defined(__aarch64__)
#define PYNET_ALL_ROWS PYNET_ROWS_8
#else
#define PYNET_ALL_ROWS PYNET_ROWS_6
#endif

MicroTableF32 kMicroF32 = {{}, PYNET_ALL_ROWS(PYNET_ROW, float)};
MicroTableF64 kMicroF64 = {{}, PYNET_ALL_ROWS(PYNET_ROW, double)};
StreamTableF32 kStreamF32 = {nullptr, PYNET_ALL_ROWS(PYNET_STREAM, float)};
StreamTableF64 kStreamF64 = {nullptr, PYNET_ALL_ROWS(PYNET_STREAM, double)};

}  // namespace pynet::PYNET_ISA
