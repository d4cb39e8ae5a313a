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

}  // namespace

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

template <class T>
using MicroKernel = void (*)(index_t, const T*, index_t, index_t, const T*, index_t, T*, index_t,
                             index_t, const Epilogue<T>&);

template <class T>
using StreamKernel = void (*)(index_t, index_t, const T*, index_t, index_t, const T*, index_t,
                              index_t, T*, index_t, index_t);

// By rows and vectors of the tile, both from 1: the kernels of gemm_micro.cpp.
typedef const MicroKernel<float> MicroTableF32[kRows + 1][kVectors + 1];
typedef const MicroKernel<double> MicroTableF64[kRows + 1][kVectors + 1];
extern MicroTableF32 kMicroF32;
extern MicroTableF64 kMicroF64;
typedef const StreamKernel<float> StreamTableF32[kRows + 1];
typedef const StreamKernel<double> StreamTableF64[kRows + 1];
extern StreamTableF32 kStreamF32;
extern StreamTableF64 kStreamF64;

namespace {

// The kernel for a tile of 1 .. kRows rows and 1 .. kCols columns: no wider than it must be. It
// computes C from K steps of A, element (i, k) at a[i*a_row + k*a_col], and B, row k at b +
// k*b_row; whole vectors of B are read, and only `cols` columns of C are touched:
//
//   micro_kernel<T>(rows, cols)(K, a, a_row, a_col, b, b_row, c, c_row, cols, epilogue)
template <class T>
PYNET_INLINE MicroKernel<T> micro_kernel(index_t rows, index_t cols) {
  const index_t vectors = (cols + kLanes<T> - 1) / kLanes<T>;
  if constexpr (sizeof(T) == sizeof(float)) {
    return kMicroF32[rows][vectors];
  } else {
    return kMicroF64[rows][vectors];
  }
}

// The kernel for 1 .. kRows rows of C, whole slivers wide, over a few steps of K: C = AB and
// nothing else. Slivers of B lie `sliver` apart; what lies `ahead` columns further on in C is
// fetched:
//
//   stream_kernel<T>(rows)(N, K, a, a_row, a_col, B, b_row, sliver, C, c_row, ahead)
template <class T>
PYNET_INLINE StreamKernel<T> stream_kernel(index_t rows) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return kStreamF32[rows];
  } else {
    return kStreamF64[rows];
  }
}

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
  if (e.last && e.relu) c = relu_of<T>(c);
  return c;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
