// Products of a few steps of K with many columns, which wait for memory: B is read where it lies, a
// group of slivers at a time. The group stays in the L1 cache while one row of tiles after another
// goes over it, so that each row of C is written in long pieces; what the next group needs of B and
// of C is fetched meanwhile.
#pragma once

#include "cpu/gemm_micro.h"
#include "pynet/gemm.h"

namespace pynet::PYNET_ISA {
namespace {

constexpr index_t kGroup = 16;  // slivers of B

// The whole slivers s0 .. s1-1 of C = op(A) op(B); A packed, or null and where it lies. first(r) is
// the first row of the row of tiles r.
template <class T, class First>
void stream_slivers(const GemmArgs<T>& p, const T* packed_a, const T* A, const T* B, T* C,
                    index_t s0, index_t s1, Epilogue<T> e, index_t row_slivers,
                    const First& first) {
  constexpr index_t R = kRows, S = kCols<T>;
  for (index_t group = s0; group < s1; group += kGroup) {
    const index_t last = min_of(s1, group + kGroup);
    for (index_t r = 0, m = 0; r < row_slivers; ++r) {
      const index_t next = first(r + 1);
      const T* a = packed_a ? packed_a + r * R * p.K : A + m * p.A_row;
      for (index_t sliver = group; sliver < last; ++sliver) {
        const index_t n = sliver * S, ahead = n + kGroup * S;
        for (index_t j = m; j < next; ++j) __builtin_prefetch(C + j * p.C_row + ahead, 1);
        for (index_t k = 0; r == 0 && k < p.K; ++k) __builtin_prefetch(B + k * p.B_row + ahead);
        e.bias = p.bias ? p.bias + n : nullptr;
        micro_kernel<T>(next - m, S)(p.K, a, packed_a ? 1 : p.A_row, packed_a ? R : p.A_col, B + n,
                                     p.B_row, C + m * p.C_row + n, p.C_row, S, e);
      }
      m = next;
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
