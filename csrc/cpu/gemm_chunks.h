// The last phase of a small product with a long K, which is cut into chunks with a sum each.
#pragma once

#include "cpu/gemm_micro.h"
#include "cpu/loop.h"
#include "pynet/gemm.h"

namespace pynet::PYNET_ISA {
namespace {

constexpr index_t kSumRows = 32;  // of C in a tile

// C from the sums of the chunks, added in their order.
template <class T>
void add_chunks(const GemmArgs<T>& p, const T* partial, index_t chunks, index_t index) {
  const index_t tiles = ceil_div(p.M, kSumRows), i = index / tiles;
  const index_t m0 = index % tiles * kSumRows, m1 = min_of(p.M, m0 + kSumRows);
  const index_t chunk = p.batch * p.M * p.N;
  const Epilogue<T> e{p.alpha, p.beta, p.bias, true, true, p.relu};
  for (index_t m = m0; m < m1; ++m) {
    const T* from = partial + (i * p.M + m) * p.N;
    T* c = p.C + i * p.C_batch + m * p.C_row;
    for_vectors<T>(0, p.N, [&](index_t n, auto lanes) {
      vec<T> sum = lanes.load(from + n);
      for (index_t j = 1; j < chunks; ++j) sum += lanes.load(from + j * chunk + n);
      const vec<T> old = p.beta != 0 ? lanes.load(c + n) : vec<T>{};
      const vec<T> bias = p.bias ? lanes.load(p.bias + n) : vec<T>{};
      lanes.store(c + n, finish<T>(sum, old, bias, e));
    });
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
