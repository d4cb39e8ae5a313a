// Sums of columns beside a product: the gradient of a layer's biases in the launch that computes
// that of its weights, by blocks of its own.
#pragma once

#include <type_traits>

#include "cuda/reduce.h"

namespace pynet::cuda {

// y[c] = the sum of column c of x, by blocks of any number of whole warps. Eight threads share a
// column and their sums are added in order, as in column_sums_kernel (channels.h): so are the bits.
template <class T>
struct ColumnSums {
  static constexpr int kRows = 8, kColumns = static_cast<int>(kWarpSize) / kRows;  // of a warp
  T* y;        // (C), or null: nothing is to be done
  const T* x;  // (N, C)
  index_t N, C;

  index_t blocks(int threads) const { return y ? ceil_div(C * kRows, threads) : 0; }
  PYNET_INLINE void run(index_t block) const {
    const int lane = static_cast<int>(threadIdx.x % kWarpSize), column = lane % kColumns;
    const index_t warp = (block * blockDim.x + threadIdx.x) / kWarpSize;
    const index_t c = warp * kColumns + column;
    double part = 0, sum = 0;
    for (index_t n = lane / kColumns; c < C && n < N; n += kRows) {
      part += static_cast<double>(x[n * C + c]);
    }
    PYNET_UNROLL
    for (int row = 0; row < kRows; ++row) {
      sum += __shfl_sync(kAllLanes, part, row * kColumns + column);
    }
    if (lane < kColumns && c < C) y[c] = static_cast<T>(sum);
  }
};

// Whether a product has such sums to compute: C has `beside`.
template <class C, class = void>
struct HasBeside : std::false_type {};
template <class C>
struct HasBeside<C, std::void_t<decltype(&C::beside)>> : std::true_type {};

template <class C>
index_t blocks_beside(const C& c, int threads) {
  if constexpr (HasBeside<C>::value) return c.beside.blocks(threads);
  return 0;
}

}  // namespace pynet::cuda
