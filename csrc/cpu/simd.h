// Vectors of the width of the instruction set being compiled, in a dozen functions.
//
// Every file of this folder is compiled once per instruction set, inside namespace
// pynet::PYNET_ISA and an anonymous namespace: each copy is private to its object file, so the
// linker cannot mix them. Only intrinsics and headers of plain structs may be included here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pynet/types.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define PYNET_INLINE inline __attribute__((always_inline))
#define PYNET_UNROLL _Pragma("GCC unroll 32")

namespace pynet::PYNET_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

typedef float vfloat __attribute__((vector_size(kVectorBytes)));
typedef double vdouble __attribute__((vector_size(kVectorBytes)));
typedef std::int32_t vint32 __attribute__((vector_size(kVectorBytes)));
typedef std::int64_t vint64 __attribute__((vector_size(kVectorBytes)));
typedef std::uint32_t vuint32 __attribute__((vector_size(kVectorBytes)));
typedef std::uint64_t vuint64 __attribute__((vector_size(kVectorBytes)));

// vec<T>: a vector of T. ivec<T>: integers of the same width, what comparisons return (-1 or 0).
template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  typedef vfloat type;
  typedef vint32 itype;
  typedef std::int32_t iscalar;
};
template <>
struct VecOf<double> {
  typedef vdouble type;
  typedef vint64 itype;
  typedef std::int64_t iscalar;
};
template <class T>
using vec = typename VecOf<T>::type;
template <class T>
using ivec = typename VecOf<T>::itype;

template <class T>
constexpr index_t kLanes = kVectorBytes / static_cast<index_t>(sizeof(T));
template <class T>
constexpr index_t kLine = 64 / static_cast<index_t>(sizeof(T));  // elements in a line of the cache

template <class T>
PYNET_INLINE vec<T> splat(T x) {
  return x - vec<T>{};  // x - 0 is x for every x, so that only the broadcast is left; 0 + x is not
}

// A vector of the same bits.
template <class To, class From>
PYNET_INLINE To same_bits(From v) {
  return (To)v;
}
template <class V>
PYNET_INLINE auto first_lane(V v) {
  return v[0];
}

// p need not be aligned.
template <class T>
PYNET_INLINE vec<T> load(const T* p) {
  vec<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
PYNET_INLINE void store(float* p, vfloat v) { __builtin_memcpy(p, &v, sizeof(v)); }
PYNET_INLINE void store(double* p, vdouble v) { __builtin_memcpy(p, &v, sizeof(v)); }

// Past the caches, straight to memory: for results that are too large to be found there again. p
// is aligned to whole vectors; order_streams() makes all of them visible to the other threads.
#if defined(__AVX512F__)
PYNET_INLINE void stream(float* p, vfloat v) { _mm512_stream_ps(p, v); }
PYNET_INLINE void stream(double* p, vdouble v) { _mm512_stream_pd(p, v); }
#elif defined(__AVX2__)
PYNET_INLINE void stream(float* p, vfloat v) { _mm256_stream_ps(p, v); }
PYNET_INLINE void stream(double* p, vdouble v) { _mm256_stream_pd(p, v); }
#elif defined(__x86_64__)
PYNET_INLINE void stream(float* p, vfloat v) { _mm_stream_ps(p, v); }
PYNET_INLINE void stream(double* p, vdouble v) { _mm_stream_pd(p, v); }
#else
PYNET_INLINE void stream(float* p, vfloat v) { store(p, v); }
PYNET_INLINE void stream(double* p, vdouble v) { store(p, v); }
#endif
PYNET_INLINE void order_streams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// The first n lanes, 0 <= n <= kLanes; the other lanes are 0, their memory is not touched.
#if defined(__AVX512F__)
PYNET_INLINE vfloat load_n(const float* p, index_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
PYNET_INLINE vdouble load_n(const double* p, index_t n) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
}
PYNET_INLINE void store_n(float* p, vfloat v, index_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
PYNET_INLINE void store_n(double* p, vdouble v, index_t n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#elif defined(__AVX2__)
PYNET_INLINE __m256i first_lanes32(index_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PYNET_INLINE __m256i first_lanes64(index_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
PYNET_INLINE vfloat load_n(const float* p, index_t n) {
  return _mm256_maskload_ps(p, first_lanes32(n));
}
PYNET_INLINE vdouble load_n(const double* p, index_t n) {
  return _mm256_maskload_pd(p, first_lanes64(n));
}
// By halves: a masked store takes a dozen cycles on some processors.
PYNET_INLINE void store_n(float* p, vfloat v, index_t n) {
  if (n == 8) return store(p, v);
  __m128 rest = _mm256_castps256_ps128(v);
  if (n & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, rest);
}
PYNET_INLINE void store_n(double* p, vdouble v, index_t n) {
  if (n == 4) return store(p, v);
  __m128d rest = _mm256_castpd256_pd128(v);
  if (n & 2) {
    _mm_storeu_pd(p, rest);
    rest = _mm256_extractf128_pd(v, 1);
    p += 2;
  }
  if (n & 1) _mm_store_sd(p, rest);
}
#else
template <class T>
PYNET_INLINE vec<T> load_n(const T* p, index_t n) {
  vec<T> v{};
  for (index_t i = 0; i < kLanes<T>; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
}
template <class V, class T>
PYNET_INLINE void store_lanes(T* p, V v, index_t n) {
  for (index_t i = 0; i < kLanes<T>; ++i) {
    if (i < n) p[i] = v[i];
  }
}
PYNET_INLINE void store_n(float* p, vfloat v, index_t n) { store_lanes(p, v, n); }
PYNET_INLINE void store_n(double* p, vdouble v, index_t n) { store_lanes(p, v, n); }
#endif

// -1 in the lanes begin .. end-1, which may lie outside of the vector; and what these lanes hold in
// memory, 0 in the others, whose memory is not touched.
template <class T>
PYNET_INLINE ivec<T> lanes_between(index_t begin, index_t end) {
  ivec<T> lane{};
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  const auto clamp = [](index_t i) {
    const index_t at = i < 0 ? 0 : i > kLanes<T> ? kLanes<T> : i;
    return ivec<T>{} + static_cast<typename VecOf<T>::iscalar>(at);
  };
  return (lane >= clamp(begin)) & (lane < clamp(end));
}
#if defined(__AVX512F__)
PYNET_INLINE vfloat load_where(const float* p, vint32 lanes) {
  return _mm512_maskz_loadu_ps(_mm512_test_epi32_mask((__m512i)lanes, (__m512i)lanes), p);
}
PYNET_INLINE vdouble load_where(const double* p, vint64 lanes) {
  return _mm512_maskz_loadu_pd(_mm512_test_epi64_mask((__m512i)lanes, (__m512i)lanes), p);
}
#elif defined(__AVX2__)
PYNET_INLINE vfloat load_where(const float* p, vint32 lanes) {
  return _mm256_maskload_ps(p, (__m256i)lanes);
}
PYNET_INLINE vdouble load_where(const double* p, vint64 lanes) {
  return _mm256_maskload_pd(p, (__m256i)lanes);
}
#else
template <class T>
PYNET_INLINE vec<T> load_where(const T* p, ivec<T> lanes) {
  vec<T> v{};
  for (index_t i = 0; i < kLanes<T>; ++i) {
    if (lanes[i]) v[i] = p[i];
  }
  return v;
}
#endif

// a*b + c, rounded once where the processor can.
#if defined(__AVX512F__)
PYNET_INLINE vfloat fma(vfloat a, vfloat b, vfloat c) { return _mm512_fmadd_ps(a, b, c); }
PYNET_INLINE vdouble fma(vdouble a, vdouble b, vdouble c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__FMA__)
PYNET_INLINE vfloat fma(vfloat a, vfloat b, vfloat c) { return _mm256_fmadd_ps(a, b, c); }
PYNET_INLINE vdouble fma(vdouble a, vdouble b, vdouble c) { return _mm256_fmadd_pd(a, b, c); }
#elif defined(__aarch64__)
PYNET_INLINE vfloat fma(vfloat a, vfloat b, vfloat c) {
  return (vfloat)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
PYNET_INLINE vdouble fma(vdouble a, vdouble b, vdouble c) {
  return (vdouble)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
PYNET_INLINE vfloat fma(vfloat a, vfloat b, vfloat c) { return a * b + c; }
PYNET_INLINE vdouble fma(vdouble a, vdouble b, vdouble c) { return a * b + c; }
#endif

#if defined(__AVX512F__)
// The plain intrinsics make GCC 12 warn of an uninitialised value inside its own header.
PYNET_INLINE vfloat sqrt(vfloat a) { return _mm512_maskz_sqrt_ps(0xffff, a); }
PYNET_INLINE vdouble sqrt(vdouble a) { return _mm512_maskz_sqrt_pd(0xff, a); }
#elif defined(__AVX2__)
PYNET_INLINE vfloat sqrt(vfloat a) { return _mm256_sqrt_ps(a); }
PYNET_INLINE vdouble sqrt(vdouble a) { return _mm256_sqrt_pd(a); }
#elif defined(__x86_64__)
PYNET_INLINE vfloat sqrt(vfloat a) { return _mm_sqrt_ps(a); }
PYNET_INLINE vdouble sqrt(vdouble a) { return _mm_sqrt_pd(a); }
#elif defined(__aarch64__)
PYNET_INLINE vfloat sqrt(vfloat a) { return (vfloat)vsqrtq_f32((float32x4_t)a); }
PYNET_INLINE vdouble sqrt(vdouble a) { return (vdouble)vsqrtq_f64((float64x2_t)a); }
#endif

// The larger and the smaller one; b where either is NaN.
#if defined(__AVX512F__)
PYNET_INLINE vfloat max(vfloat a, vfloat b) { return _mm512_maskz_max_ps(0xffff, a, b); }
PYNET_INLINE vdouble max(vdouble a, vdouble b) { return _mm512_maskz_max_pd(0xff, a, b); }
PYNET_INLINE vfloat min(vfloat a, vfloat b) { return _mm512_maskz_min_ps(0xffff, a, b); }
PYNET_INLINE vdouble min(vdouble a, vdouble b) { return _mm512_maskz_min_pd(0xff, a, b); }
#elif defined(__AVX2__)
PYNET_INLINE vfloat max(vfloat a, vfloat b) { return _mm256_max_ps(a, b); }
PYNET_INLINE vdouble max(vdouble a, vdouble b) { return _mm256_max_pd(a, b); }
PYNET_INLINE vfloat min(vfloat a, vfloat b) { return _mm256_min_ps(a, b); }
PYNET_INLINE vdouble min(vdouble a, vdouble b) { return _mm256_min_pd(a, b); }
#else
PYNET_INLINE vfloat max(vfloat a, vfloat b) { return a > b ? a : b; }
PYNET_INLINE vdouble max(vdouble a, vdouble b) { return a > b ? a : b; }
PYNET_INLINE vfloat min(vfloat a, vfloat b) { return a < b ? a : b; }
PYNET_INLINE vdouble min(vdouble a, vdouble b) { return a < b ? a : b; }
#endif

// max(0, x), where NaN stays NaN; and the gradient that it lets through, by its result y.
template <class T>
PYNET_INLINE vec<T> relu_of(vec<T> x) {
  return x <= 0 ? vec<T>{} : x;
}
template <class T>
PYNET_INLINE vec<T> through_relu(vec<T> dout, vec<T> y) {
  return y <= 0 ? vec<T>{} : dout;
}

// The sum and the maximum of all lanes, halves first: the same order on every call.
template <class T>
PYNET_INLINE T sum_lanes(vec<T> v) {
  T lane[kLanes<T>];
  __builtin_memcpy(lane, &v, sizeof(v));
  for (index_t half = kLanes<T> / 2; half > 0; half /= 2) {
    for (index_t i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}
template <class T>
PYNET_INLINE T max_lanes(vec<T> v) {
  T lane[kLanes<T>];
  __builtin_memcpy(lane, &v, sizeof(v));
  for (index_t half = kLanes<T> / 2; half > 0; half /= 2) {
    for (index_t i = 0; i < half; ++i)
      lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}

// out[i] = the sum of the lanes of v[i], for COUNT vectors.
template <int COUNT, class V, class T>
PYNET_INLINE void sum_each(const V* v, T* out) {
  if constexpr (COUNT > kLanes<T>) {
    sum_each<kLanes<T>>(v, out);
    return sum_each<COUNT - kLanes<T>>(v + kLanes<T>, out + kLanes<T>);
  }
#if defined(__AVX2__) && !defined(__AVX512F__)
  if constexpr (COUNT == 8 && sizeof(T) == 4) {
    const __m256 low = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    const __m256 high = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    return store(out,
                 _mm256_permute2f128_ps(low, high, 0x20) + _mm256_permute2f128_ps(low, high, 0x31));
  }
  if constexpr (COUNT == 4 && sizeof(T) == 4) {
    const __m256 each = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    return _mm_storeu_ps(out, _mm256_castps256_ps128(each) + _mm256_extractf128_ps(each, 1));
  }
  if constexpr (COUNT == 4 && sizeof(T) == 8) {
    const __m256d low = _mm256_hadd_pd(v[0], v[1]), high = _mm256_hadd_pd(v[2], v[3]);
    return store(out,
                 _mm256_permute2f128_pd(low, high, 0x20) + _mm256_permute2f128_pd(low, high, 0x31));
  }
#endif
  for (int i = 0; i < COUNT; ++i) out[i] = sum_lanes<T>(v[i]);
}

template <class T>
PYNET_INLINE T min_of(T a, T b) {
  return a < b ? a : b;
}
template <class T>
PYNET_INLINE T max_of(T a, T b) {
  return a > b ? a : b;
}
PYNET_INLINE index_t ceil_div(index_t a, index_t b) { return (a + b - 1) / b; }
PYNET_INLINE index_t round_up(index_t a, index_t b) { return ceil_div(a, b) * b; }

}  // namespace
}  // namespace pynet::PYNET_ISA
