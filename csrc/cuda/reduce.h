// Sums of a block of threads, in a fixed order: the same bits in every run, on every GPU. There are
// no atomic additions anywhere: what several blocks find goes to scratch memory, and one block adds
// it up in the order of the blocks.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

constexpr unsigned kReduceThreads = 256;
constexpr unsigned kWarpSize = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// The sum or the maximum over the lanes of a warp; every lane gets it.
template <class T>
PYNET_INLINE T warp_sum(T v) {
  PYNET_UNROLL
  for (int step = kWarpSize / 2; step > 0; step /= 2) v += __shfl_xor_sync(kAllLanes, v, step);
  return v;
}
template <class T>
PYNET_INLINE T warp_max(T v) {
  PYNET_UNROLL
  for (int step = kWarpSize / 2; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, v, step);
    v = other > v || other != other ? other : v;  // NaN wins
  }
  return v;
}

// Over the WARPS warps that share a row, which are a whole block where there are several; every
// thread gets the result. `shared` has room for WARPS values and may be used again at once.
struct Plus {
  template <class T>
  PYNET_INLINE T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  template <class T>
  PYNET_INLINE T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};
template <int WARPS, class T, class Join>
PYNET_INLINE T row_join(T v, const Join& join, T (&shared)[WARPS]) {
  PYNET_UNROLL
  for (int step = kWarpSize / 2; step > 0; step /= 2)
    v = join(v, __shfl_xor_sync(kAllLanes, v, step));
  if constexpr (WARPS > 1) {
    __syncthreads();
    if (threadIdx.x % kWarpSize == 0) shared[threadIdx.x / kWarpSize] = v;
    __syncthreads();
    v = shared[0];
    for (int i = 1; i < WARPS; ++i) v = join(v, shared[i]);
  }
  return v;
}

// Over all threads of a block of kReduceThreads.
template <class T>
PYNET_INLINE T block_sum(T v) {
  using Sums = T[kReduceThreads / kWarpSize];
  PYNET_SHARED(Sums, sums);
  return row_join<kReduceThreads / kWarpSize>(v, Plus{}, sums);
}

// Thread 0 of such a block gets the least of what all have.
PYNET_INLINE index_t block_least(index_t mine) {
  using Found = index_t[kReduceThreads];
  PYNET_SHARED(Found, found);
  found[threadIdx.x] = mine;
  for (unsigned half = kReduceThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half && found[threadIdx.x + half] < found[threadIdx.x]) {
      found[threadIdx.x] = found[threadIdx.x + half];
    }
  }
  return threadIdx.x == 0 ? found[0] : mine;
}

// A sum of n terms is cut into this many parts, by n alone.
constexpr index_t kTermsOfAPart = 8192, kMostParts = 512;
inline index_t parts_of(index_t n) {
  const index_t parts = ceil_div(n, kTermsOfAPart);
  return parts < 1 ? 1 : parts < kMostParts ? parts : kMostParts;
}

// result = divisor^-1 * (partial[0] + ... + partial[n-1]); the loss of a batch, say.
void add_partials(const char* op, double* result, const double* partial, index_t n, double divisor);

}  // namespace pynet::cuda
