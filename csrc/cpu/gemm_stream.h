// Products of a few steps of K with many columns, which wait for memory: a group of slivers of B at
// a time, read where it lies or packed. The group stays in the L1 cache while one row of tiles
// after another goes over it, so that each row of C is written in long pieces; what the next group
// needs of B and of C is fetched meanwhile.
#pragma once

#include "cpu/gemm_micro.h"
#include "cpu/pack.h"
#include "pynet/gemm.h"

namespace pynet::PYNET_ISA {
namespace {

constexpr index_t kGroup = 16;        // slivers of B read where they lie,
constexpr index_t kGroupSize = 4096;  // elements of packed ones

// Slivers of a group.
template <class T>
index_t group_of(index_t K, bool packed) {
  return packed ? max_of<index_t>(1, min_of<index_t>(8, kGroupSize / (kCols<T> * K))) : kGroup;
}

// ROWS rows of C, columns 0 .. N-1, from slivers of B that lie `sliver` apart; of C what lies
// `ahead` columns further on is fetched. This is the loop of the micro-kernel without its epilogue,
// which would take as long as so few steps of K.
template <class T, int ROWS>
void stream_row(index_t N, index_t K, const T* a, index_t a_row, index_t a_col, const T* B,
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

// The same of 1 .. kRows rows.
template <class T, int ROWS = kRows, class... Rest>
void stream_rows(index_t rows, const Rest&... rest) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return stream_rows<T, ROWS - 1>(rows, rest...);
  }
  stream_row<T, ROWS>(rest...);
}

// The whole slivers s0 .. s1-1 of C = op(A) op(B); A packed, or null and where it lies. `local` has
// room for a group that is packed, or is null. first(r) is the first row of the row of tiles r.
template <class T, class First>
void stream_slivers(const GemmArgs<T>& p, const T* packed_a, const T* A, const T* B, T* C,
                    index_t s0, index_t s1, Epilogue<T> e, index_t row_slivers, const First& first,
                    T* local) {
  constexpr index_t R = kRows, S = kCols<T>;
  const index_t slivers = group_of<T>(p.K, local);
  const index_t a_row = packed_a ? 1 : p.A_row, a_col = packed_a ? R : p.A_col;
  const bool sums = p.alpha == 1 && p.beta == 0 && !p.bias && !p.relu;  // are all there is of C
  for (index_t group = s0; group < s1; group += slivers) {
    const index_t n0 = group * S, n1 = min_of(s1, group + slivers) * S;
    for (index_t k = 0; local && k < p.K; k += 16) {  // a few rows of all of them
      for (index_t n = n0; n < n1; n += S) {
        pack_sliver<T, S>(local + (n - n0) * p.K + k * S, B + k * p.B_row + n, 1, p.B_row, S,
                          min_of<index_t>(16, p.K - k));
      }
    }
    fetch(B + n0 + slivers * S, p.B_row, p.K, slivers * S);
    const T* right = local ? local : B + n0;
    const index_t b_row = local ? S : p.B_row, sliver = local ? S * p.K : S;
    for (index_t r = 0, m = 0; r < row_slivers; ++r) {
      const index_t next = first(r + 1);
      const T* a = packed_a ? packed_a + r * R * p.K : A + m * p.A_row;
      if (sums) {
        stream_rows<T>(next - m, n1 - n0, p.K, a, a_row, a_col, right, b_row, sliver,
                       C + m * p.C_row + n0, p.C_row, slivers * S);
      }
      for (index_t n = n0; !sums && n < n1; n += S) {
        const T* b = right + (n - n0) / S * sliver;
        T* c = C + m * p.C_row + n;
        for (index_t j = 0; j < next - m; ++j) {
          __builtin_prefetch(c + j * p.C_row + slivers * S, 1);
        }
        e.bias = p.bias ? p.bias + n : nullptr;
        micro_kernel<T>(next - m, S)(p.K, a, a_row, a_col, b, b_row, c, p.C_row, S, e);
      }
      m = next;
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
