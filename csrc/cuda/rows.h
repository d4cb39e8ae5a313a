// Kernels that work row by row over an array (N, D): a warp for a short row, a block for a long
// one.
#pragma once

#include "cuda/reduce.h"

namespace pynet::cuda {

constexpr int kBlockWarps = static_cast<int>(kReduceThreads / kWarpSize);
constexpr index_t kShortRow = 1024;  // at most so many elements for a warp

// The place of a thread: its row, and its lane among the threads that share the row.
template <int WARPS>
struct RowThread {
  static constexpr int kLanes = WARPS * static_cast<int>(kWarpSize);
  index_t row;
  int lane;
  PYNET_INLINE RowThread()
      : row(WARPS == 1 ? static_cast<index_t>(blockIdx.x) * kBlockWarps + threadIdx.x / kWarpSize
                       : blockIdx.x),
        lane(static_cast<int>(WARPS == 1 ? threadIdx.x % kWarpSize : threadIdx.x)) {}
};

// What the threads of a row join their values in.
template <int WARPS>
struct RowJoin {
  double (&shared)[WARPS];
  template <class T>
  PYNET_INLINE T sum(T v) const {
    return row_join<WARPS>(v, Plus{}, reinterpret_cast<T(&)[WARPS]>(shared));
  }
  template <class T>
  PYNET_INLINE T largest(T v) const {
    return row_join<WARPS>(v, Larger{}, reinterpret_cast<T(&)[WARPS]>(shared));
  }
};

// Calls body(thread, join) for the rows of the grid.
template <int WARPS, class Body>
__global__ void rows_kernel(index_t N, Body body) {
  using Shared = double[WARPS];
  PYNET_SHARED(Shared, shared);
  const RowThread<WARPS> thread;
  if (thread.row < N) body(thread, RowJoin<WARPS>{shared});
}

// `body` is called with a RowThread and a RowJoin; all threads of a row stay together.
template <class Body>
void for_rows(const char* op, index_t N, index_t D, const Body& body) {
  if (N <= 0) return;
  if (D <= kShortRow) {
    launch(op, rows_kernel<1, Body>, static_cast<unsigned>(ceil_div(N, kBlockWarps)),
           kReduceThreads, N, body);
  } else {
    launch(op, rows_kernel<kBlockWarps, Body>, static_cast<unsigned>(N), kReduceThreads, N, body);
  }
}

}  // namespace pynet::cuda
