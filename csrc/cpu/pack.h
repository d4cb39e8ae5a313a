// Packing: operands of a matrix product laid out as the micro-kernel reads them.
//
// A sliver is WIDTH rows of A (or columns of B), interleaved: element i of step k at
// dst[k*WIDTH + i]. Missing rows are zeros. Transposes are nothing but other strides here.
#pragma once

#include "cpu/simd.h"

namespace pynet::PYNET_ISA {
namespace {

// Four rows of L lanes each become L steps of four interleaved elements.
template <class T>
PYNET_INLINE void interleave(T* dst, index_t dst_step, const T* src, index_t row, index_t rows,
                             index_t K) {
  for (index_t k = 0; k < K; ++k) {
    for (index_t i = 0; i < rows; ++i) dst[k * dst_step + i] = src[i * row + k];
  }
}

#if defined(__AVX2__)
// dst[k*dst_step + i] = src[i*row + k] for an 8 x 8 block; rows beyond `rows` are zeros.
PYNET_INLINE void transpose_block(float* dst, index_t dst_step, const float* src, index_t row,
                                  index_t rows = 8) {
  __m256 r[8], s[8];
  for (int i = 0; i < 8; ++i)
    r[i] = i < rows ? _mm256_loadu_ps(src + i * row) : _mm256_setzero_ps();
  for (int i = 0; i < 4; ++i) {
    s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xee);
  }
  // In the order of the steps: transpose() lets a step run over into the next one.
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(dst + i * dst_step, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(dst + (i + 4) * dst_step, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
// The same for a 4 x 4 block.
PYNET_INLINE void transpose_block(double* dst, index_t dst_step, const double* src, index_t row,
                                  index_t rows = 4) {
  __m256d r[4], s[4];
  for (int i = 0; i < 4; ++i)
    r[i] = i < rows ? _mm256_loadu_pd(src + i * row) : _mm256_setzero_pd();
  for (int i = 0; i < 2; ++i) {
    s[2 * i] = _mm256_unpacklo_pd(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_pd(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    _mm256_storeu_pd(dst + i * dst_step, _mm256_permute2f128_pd(s[i], s[i + 2], 0x20));
  }
  for (int i = 0; i < 2; ++i) {
    _mm256_storeu_pd(dst + (i + 2) * dst_step, _mm256_permute2f128_pd(s[i], s[i + 2], 0x31));
  }
}
template <class T>
constexpr index_t kBlock = 32 / static_cast<index_t>(sizeof(T));
#else
template <class T>
PYNET_INLINE void transpose_block(T* dst, index_t dst_step, const T* src, index_t row,
                                  index_t rows = 4) {
  interleave(dst, dst_step, src, row, rows, 4);
}
template <class T>
constexpr index_t kBlock = 4;
#endif

// dst[k*dst_step + i] = src[i*row + k] for i < rows, k < K; elements rows .. dst_step-1 of a step
// may become zeros.
template <class T>
void transpose(T* dst, index_t dst_step, const T* src, index_t row, index_t rows, index_t K) {
  constexpr index_t B = kBlock<T>;
  index_t i = 0;
  for (; i + B <= rows; i += B) {
    index_t k = 0;
    for (; k + B <= K; k += B)
      transpose_block(dst + k * dst_step + i, dst_step, src + i * row + k, row);
    interleave(dst + k * dst_step + i, dst_step, src + i * row + k, row, B, K - k);
  }
  if (i == rows) return;
  // The last rows, fewer than a block. A whole block is stored all the same: its zeros fall on the
  // padding of the step, or on the start of the next step, which is written after.
  const bool fits = i + B <= dst_step;
  index_t k = 0;
  if (fits || i == 0) {
    for (; k + B + (fits ? 0 : 1) <= K; k += B) {
      transpose_block(dst + k * dst_step + i, dst_step, src + i * row + k, row, rows - i);
    }
  }
  interleave(dst + k * dst_step + i, dst_step, src + i * row + k, row, rows - i, K - k);
}

// One sliver: element (i, k) is src[i*row + k*col]; rows <= WIDTH.
template <class T, index_t WIDTH>
void pack_sliver(T* dst, const T* src, index_t row, index_t col, index_t rows, index_t K) {
  constexpr index_t L = kLanes<T>;
  if (rows < WIDTH && (row != 1 || WIDTH % L != 0)) {
    for (index_t k = 0; k < K; ++k) {
      for (index_t i = rows; i < WIDTH; ++i) dst[k * WIDTH + i] = 0;
    }
  }
  if (row == 1 && rows == WIDTH && WIDTH % L == 0) {
    for (index_t k = 0; k < K; ++k) {
#pragma GCC unroll 4
      for (index_t i = 0; i < WIDTH; i += L) store(dst + k * WIDTH + i, load(src + k * col + i));
    }
  } else if (row == 1 && rows == WIDTH) {
    for (index_t k = 0; k < K; ++k) {
      __builtin_memcpy(dst + k * WIDTH, src + k * col, WIDTH * sizeof(T));
    }
  } else if (row == 1 && WIDTH % L == 0) {
    for (index_t i = 0; i < WIDTH; i += L) {
      const index_t n = min_of(L, max_of<index_t>(0, rows - i));
      for (index_t k = 0; k < K; ++k) store(dst + k * WIDTH + i, load_n(src + k * col + i, n));
    }
  } else if (col == 1) {
    transpose(dst, WIDTH, src, row, rows, K);
  } else {
    for (index_t k = 0; k < K; ++k) {
      for (index_t i = 0; i < rows; ++i) dst[k * WIDTH + i] = src[i * row + k * col];
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
