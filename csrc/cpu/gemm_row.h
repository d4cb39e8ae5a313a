// Matrix products of one or two rows, or of one step of K: what a batch of one sample needs,
// forward and backward. Each element of B (or of C) is used once, so the work is to let it pass by:
// nothing is packed and no tile is formed.
//
//   rows    C[m, strip] = sum over k of A[m, k] * B[k, strip]: the strip stays in registers while
//           rows of B pass. A long K is cut into chunks, whose sums are added in their order.
//   dots    C[m, n] = A[m, :] . B[:, n], both contiguous: as many columns at a time as a vector has
//           lanes, so that their sums become one vector
//   outer   K = 1: C[m, strip] = A[m] * B[strip], the strip of B in registers
#pragma once

#include "cpu/gemm_micro.h"
#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

constexpr index_t kStripVectors = 13;  // of a strip; the smallest register file has 16

// Strips of equal width, in whole vectors but for the last one.
template <class T>
PYNET_INLINE index_t strips_of(index_t N) {
  return ceil_div(N, kStripVectors * kLanes<T>);
}
template <class T>
PYNET_INLINE index_t strip_width(index_t N) {
  return round_up(ceil_div(N, strips_of<T>(N)), kLanes<T>);
}

// Columns n0 .. n1-1 of row m from their sums of products.
template <class T>
PYNET_INLINE void finish_row(const GemmArgs<T>& p, index_t i, index_t m, index_t n0, index_t n1,
                             const T* sums) {
  const Epilogue<T> e{p.alpha, p.beta, p.bias, true, true, p.relu};
  T* c = p.C + i * p.C_batch + m * p.C_row;
  for_vectors<T>(n0, n1, [&](index_t n, auto lanes) {
    const vec<T> old = p.beta != 0 ? lanes.load(c + n) : vec<T>{};
    const vec<T> bias = p.bias ? lanes.load(p.bias + n) : vec<T>{};
    lanes.store(c + n, finish<T>(lanes.load(sums + n - n0), old, bias, e));
  });
}

// --- rows ----------------------------------------------------------------------------------------

// sums = K elements of a times K rows of b, for VECTORS vectors. The last vector reaches back over
// the one before it by `back` elements, so that no row is read beyond its end.
template <class T, int VECTORS, class Lanes>
void sum_strip(index_t K, const T* a, index_t a_col, const T* b, index_t b_row, index_t back,
               T* sums, const Lanes& lanes) {
  constexpr index_t L = kLanes<T>;
  constexpr int LAST = VECTORS - 1;
  // Every APART-th row has sums of its own: an addition would wait for the one before.
  constexpr int APART = VECTORS == 1 ? 8 : VECTORS <= 3 ? 4 : VECTORS <= 6 ? 2 : 1;
  vec<T> acc[APART][VECTORS] = {};
  index_t k = 0;
  for (; k + APART <= K; k += APART) {
#pragma GCC unroll 8
    for (int u = 0; u < APART; ++u) {
      const vec<T> x = splat(a[u * a_col]);
      const T* row = b + u * b_row;
#pragma GCC unroll 16
      for (int v = 0; v < LAST; ++v) acc[u][v] = fma(x, load(row + v * L), acc[u][v]);
      acc[u][LAST] = fma(x, lanes.load(row + LAST * L - back), acc[u][LAST]);
    }
    a += APART * a_col, b += APART * b_row;
  }
  for (; k < K; ++k) {
    const vec<T> x = splat(*a);
#pragma GCC unroll 16
    for (int v = 0; v < LAST; ++v) acc[0][v] = fma(x, load(b + v * L), acc[0][v]);
    acc[0][LAST] = fma(x, lanes.load(b + LAST * L - back), acc[0][LAST]);
    a += a_col, b += b_row;
  }
#pragma GCC unroll 8
  for (int u = 1; u < APART; ++u) {
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; ++v) acc[0][v] += acc[u][v];
  }
#pragma GCC unroll 16
  for (int v = 0; v < LAST; ++v) store(sums + v * L, acc[0][v]);
  store(sums + LAST * L - back, acc[0][LAST]);
}

template <class T, int VECTORS = kStripVectors>
PYNET_INLINE void sum_strip(index_t vectors, index_t K, const T* a, index_t a_col, const T* b,
                            index_t b_row, index_t back, T* sums) {
  if constexpr (VECTORS > 1) {
    if (vectors < VECTORS) {
      return sum_strip<T, VECTORS - 1>(vectors, K, a, a_col, b, b_row, back, sums);
    }
  }
  sum_strip<T, VECTORS>(K, a, a_col, b, b_row, back, sums, Whole{});
}

constexpr index_t kRowWork = 65536;  // elements of B in a chunk of K

template <class T>
index_t row_chunks(const GemmArgs<T>& p) {
  return min_of<index_t>(16, max_of<index_t>(1, p.K * strip_width<T>(p.N) / kRowWork));
}

template <class T>
Work plan_rows_of(const GemmArgs<T>& p) {
  const index_t chunks = row_chunks(p), strips = p.batch * strips_of<T>(p.N);
  const double cost = 0.06 * p.batch * p.M * p.N * (p.K + 1);
  if (chunks == 1) return Work{1, {strips}, 0, 0, cost};
  const index_t size = p.batch * p.M * chunks * p.N;
  return Work{2, {strips * chunks, strips}, static_cast<std::size_t>(size) * sizeof(T), 0, cost};
}

template <class T>
void run_rows(const GemmArgs<T>& p, const Tile& tile) {
  constexpr index_t L = kLanes<T>;
  const index_t chunks = row_chunks(p), width = strip_width<T>(p.N), strips = strips_of<T>(p.N);
  const index_t strip = tile.phase == 0 ? tile.index / chunks : tile.index;
  const index_t chunk = tile.phase == 0 ? tile.index % chunks : 0;
  const index_t i = strip / strips;
  const index_t n0 = strip % strips * width, n1 = min_of(p.N, n0 + width), cols = n1 - n0;
  const index_t k0 = p.K * chunk / chunks, K = p.K * (chunk + 1) / chunks - k0;
  T local[kStripVectors * kLanes<T>];
  for (index_t m = 0; m < p.M; ++m) {
    // The sums of a chunk: row m of the product, then the next chunk.
    T* partial = static_cast<T*>(tile.shared) + (i * p.M + m) * chunks * p.N + n0;
    if (tile.phase == 1) {
      for_vectors<T>(0, cols, [&](index_t n, auto lanes) {
        vec<T> sum = lanes.load(partial + n);
        for (index_t c = 1; c < chunks; ++c) sum += lanes.load(partial + c * p.N + n);
        lanes.store(local + n, sum);
      });
    } else {
      const T* a = p.A + i * p.A_batch + m * p.A_row + k0 * p.A_col;
      const T* b = p.B + i * p.B_batch + k0 * p.B_row + n0;
      if (cols < L) {
        sum_strip<T, 1>(K, a, p.A_col, b, p.B_row, 0, local, Part{cols});
      } else {
        const index_t vectors = ceil_div(cols, L);
        sum_strip<T>(vectors, K, a, p.A_col, b, p.B_row, vectors * L - cols, local);
      }
    }
    if (chunks == 1 || tile.phase == 1) {
      finish_row(p, i, m, n0, n1, local);
    } else {
      for_vectors<T>(0, cols, [&](index_t n, auto lanes) {
        lanes.store(partial + chunk * p.N + n, lanes.load(local + n));
      });
    }
  }
}

// --- dots ----------------------------------------------------------------------------------------

constexpr index_t kDotCols = 64;  // columns of a tile

template <class T>
Work plan_dots(const GemmArgs<T>& p) {
  const double cost = 0.06 * p.batch * p.M * p.N * (p.K + 1);
  return Work{1, {p.batch * ceil_div(p.N, kDotCols)}, 0, 0, cost};
}

template <class T>
void run_dots(const GemmArgs<T>& p, const Tile& tile) {
  constexpr index_t L = kLanes<T>;
  constexpr int COLS = L < 8 ? static_cast<int>(L) : 8;
  const index_t col_tiles = ceil_div(p.N, kDotCols), i = tile.index / col_tiles;
  const index_t n0 = tile.index % col_tiles * kDotCols, n1 = min_of(p.N, n0 + kDotCols);
  T local[kDotCols];
  for (index_t m = 0; m < p.M; ++m) {
    const T* a = p.A + i * p.A_batch + m * p.A_row;
    for (index_t n = n0; n < n1; n += COLS) {
      const T* b[COLS];  // beyond the last column, that one again
      for (int j = 0; j < COLS; ++j) {
        b[j] = p.B + i * p.B_batch + min_of<index_t>(n + j, n1 - 1) * p.B_col;
      }
      vec<T> acc[COLS] = {};
      const auto add = [&](index_t k, auto lanes) {
        const vec<T> x = lanes.load(a + k);
#pragma GCC unroll 8
        for (int j = 0; j < COLS; ++j) acc[j] = fma(x, lanes.load(b[j] + k), acc[j]);
      };
      for_vectors<T>(0, p.K, add);
      sum_each<COLS>(acc, local + n - n0);
    }
    finish_row(p, i, m, n0, n1, local);
  }
}

// --- outer ---------------------------------------------------------------------------------------

constexpr index_t kOuterWork = 16384;  // elements of C in a tile
constexpr index_t kOuterVectors = 8;   // of B held in registers

template <class T>
index_t outer_rows(const GemmArgs<T>& p) {
  return max_of<index_t>(1, kOuterWork / p.N);
}

template <class T>
Work plan_outer(const GemmArgs<T>& p) {
  const double cost = 0.06 * sizeof(T) * p.batch * p.M * p.N;
  return Work{1, {p.batch * ceil_div(p.M, outer_rows(p))}, 0, 0, cost};
}

// Rows m0 .. m1-1 of c = a * b for VECTORS vectors, the last one reaching back as in sum_strip.
template <class T, int VECTORS = kOuterVectors>
void outer_strip(index_t vectors, index_t m0, index_t m1, const T* a, index_t a_row, const T* b,
                 index_t back, T alpha, T* c, index_t c_row) {
  if constexpr (VECTORS > 1) {
    if (vectors < VECTORS) {
      return outer_strip<T, VECTORS - 1>(vectors, m0, m1, a, a_row, b, back, alpha, c, c_row);
    }
  }
  constexpr index_t L = kLanes<T>;
  constexpr int LAST = VECTORS - 1;
  vec<T> row[VECTORS];
  for (int v = 0; v < LAST; ++v) row[v] = load(b + v * L);
  row[LAST] = load(b + LAST * L - back);
  for (index_t m = m0; m < m1; ++m) {
    const vec<T> x = splat(a[m * a_row]), scale = splat(alpha);
    T* to = c + m * c_row;
#pragma GCC unroll 8
    for (int v = 0; v < LAST; ++v) store(to + v * L, scale * (x * row[v]));
    store(to + LAST * L - back, scale * (x * row[LAST]));
  }
}

template <class T>
void run_outer(const GemmArgs<T>& p, const Tile& tile) {
  constexpr index_t L = kLanes<T>;
  const index_t rows = outer_rows(p), row_tiles = ceil_div(p.M, rows);
  const index_t i = tile.index / row_tiles;
  const index_t m0 = tile.index % row_tiles * rows, m1 = min_of(p.M, m0 + rows);
  const T* a = p.A + i * p.A_batch;
  const T* b = p.B + i * p.B_batch;
  if (p.N >= L && p.beta == 0 && !p.bias && !p.relu) {  // a gradient
    const index_t strips = ceil_div(p.N, kOuterVectors * L);
    const index_t width = round_up(ceil_div(p.N, strips), L);
    for (index_t n = 0; n < p.N; n += width) {
      const index_t cols = min_of(width, p.N - n), vectors = ceil_div(cols, L);
      // A strip narrower than a vector reaches back into the one before it.
      outer_strip<T>(vectors, m0, m1, a, p.A_row, b + n, vectors * L - cols, p.alpha,
                     p.C + i * p.C_batch + n, p.C_row);
    }
    return;
  }
  const Epilogue<T> e{p.alpha, p.beta, p.bias, true, true, p.relu};
  for (index_t m = m0; m < m1; ++m) {
    const vec<T> x = splat(a[m * p.A_row]);
    T* c = p.C + i * p.C_batch + m * p.C_row;
    for_vectors<T>(0, p.N, [&](index_t n, auto lanes) {
      const vec<T> old = p.beta != 0 ? lanes.load(c + n) : vec<T>{};
      const vec<T> bias = p.bias ? lanes.load(p.bias + n) : vec<T>{};
      lanes.store(c + n, finish<T>(x * lanes.load(b + n), old, bias, e));
    });
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
