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

// A group of slivers of B, columns n0 .. n1-1, packed one behind the other.
template <class T>
void pack_group(T* packed, const GemmArgs<T>& p, const T* B, index_t n0, index_t n1) {
  constexpr index_t S = kCols<T>;
  const index_t steps = p.B_col == 1 ? 16 : p.K;  // along rows of B a few of all slivers at a time
  for (index_t k = 0; k < p.K; k += steps) {
    for (index_t n = n0; n < n1; n += S) {
      pack_sliver<T, S>(packed + (n - n0) * p.K + k * S, B + k * p.B_row + n * p.B_col, p.B_col,
                        p.B_row, S, min_of(steps, p.K - k));
    }
  }
}

// The whole slivers s0 .. s1-1 of the rows of tiles r0 .. r1-1 of C = op(A) op(B), of which
// first(r) is the first row of r. A and B packed, or null and where they lie; `local` has room for
// a group of slivers that is packed here, or is null.
template <class T, class First>
void stream_slivers(const GemmArgs<T>& p, const T* packed_a, const T* packed_b, const T* A,
                    const T* B, T* C, index_t r0, index_t r1, index_t s0, index_t s1, Epilogue<T> e,
                    const First& first, T* local) {
  constexpr index_t R = kRows, S = kCols<T>;
  const bool packed = packed_b || local;
  const index_t slivers = group_of<T>(p.K, packed);
  const index_t a_row = packed_a ? 1 : p.A_row, a_col = packed_a ? R : p.A_col;
  const index_t b_row = packed ? S : p.B_row, sliver = packed ? S * p.K : S;
  const bool sums = p.alpha == 1 && p.beta == 0 && !p.bias && !p.relu;  // are all there is of C
  for (index_t group = s0; group < s1; group += slivers) {
    const index_t n0 = group * S, n1 = min_of(s1, group + slivers) * S;
    const T* right = packed_b ? packed_b + n0 * p.K : local ? local : B + n0;
    if (local) pack_group(local, p, B, n0, n1);
    if (!packed_b && p.B_col == 1) fetch(B + n0 + slivers * S, p.B_row, p.K, slivers * S);
    for (index_t r = r0, m = first(r0); r < r1; ++r) {
      const index_t next = first(r + 1);
      const T* a = packed_a ? packed_a + r * R * p.K : A + m * p.A_row;
      if (sums) {
        stream_kernel<T>(next - m)(n1 - n0, p.K, a, a_row, a_col, right, b_row, sliver,
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
