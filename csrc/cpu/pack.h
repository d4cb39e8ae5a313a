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

// A whole sliver of 6 rows: pairs of rows are interleaved, pairs of pairs are what is stored.
// Returns the steps done.
PYNET_INLINE index_t transpose_6(float* dst, const float* src, index_t row, index_t K) {
  index_t k = 0;
  for (; k + 8 <= K; k += 8, src += 8, dst += 48) {
    const auto rows = [&](int i) { return _mm256_loadu_ps(src + i * row); };
    const auto put = [&](int i, __m256 a) {  // steps 0 .. 3 below, 4 .. 7 above
      _mm_storeu_ps(dst + 4 * i, _mm256_castps256_ps128(a));
      _mm_storeu_ps(dst + 4 * i + 24, _mm256_extractf128_ps(a, 1));
    };
    const __m256 r0 = rows(0), r1 = rows(1), r2 = rows(2), r3 = rows(3), r4 = rows(4), r5 = rows(5);
    const __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpacklo_ps(r2, r3);
    const __m256 c = _mm256_unpacklo_ps(r4, r5);
    put(0, _mm256_shuffle_ps(a, b, 0x44));
    put(1, _mm256_shuffle_ps(c, a, 0xe4));
    put(2, _mm256_shuffle_ps(b, c, 0xee));
    const __m256 d = _mm256_unpackhi_ps(r0, r1), e = _mm256_unpackhi_ps(r2, r3);
    const __m256 f = _mm256_unpackhi_ps(r4, r5);
    put(3, _mm256_shuffle_ps(d, e, 0x44));
    put(4, _mm256_shuffle_ps(f, d, 0xe4));
    put(5, _mm256_shuffle_ps(e, f, 0xee));
  }
  return k;
}
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

// What is packed next, into the cache: its pieces of rows are too short for the processor to see
// where they lead.
template <class T>
PYNET_INLINE void fetch(const T* from, index_t row, index_t rows, index_t cols) {
  for (index_t j = 0; j < cols; j += kLine<T>) {
    for (index_t i = 0; i < rows; ++i) __builtin_prefetch(from + i * row + j);
  }
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
    index_t done = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (WIDTH == 6 && sizeof(T) == 4) {
      if (rows == 6) done = transpose_6(dst, src, row, K);
    }
#endif
    transpose(dst + done * WIDTH, WIDTH, src + done, row, rows, K - done);
  } else {
    for (index_t k = 0; k < K; ++k) {
      for (index_t i = 0; i < rows; ++i) dst[k * WIDTH + i] = src[i * row + k * col];
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
