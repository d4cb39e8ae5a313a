// Splitting neighbours and putting them together again, for windows of stride 2.
//
// split() of two vectors takes the even and the odd elements apart, but within 128 bits only, which
// is one instruction each; in_order() then moves the results to their places. The way back is
// spread() and join(). What is computed in between does not care about the order.
//
// The AVX-512 intrinsics are called with a full mask, because GCC 12 warns of an uninitialised
// variable inside those without one.
#pragma once

#include "cpu/simd.h"

namespace pynet::PYNET_ISA {
namespace {

template <class V>
struct PairOf {
  V first, second;
};

// Moves units of 64 bits: the even ones to the lower half and the odd ones to the upper half.
template <class V>
PYNET_INLINE V in_order(V v) {
#if defined(__AVX512F__)
  return (V)_mm512_maskz_permutexvar_epi64(0xFF, _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7),
                                           (__m512i)v);
#elif defined(__AVX2__)
  return (V)_mm256_permute4x64_epi64((__m256i)v, 0xD8);
#else
  return v;
#endif
}
template <class V>
PYNET_INLINE V spread(V v) {
#if defined(__AVX512F__)
  return (V)_mm512_maskz_permutexvar_epi64(0xFF, _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7),
                                           (__m512i)v);
#else
  return in_order(v);
#endif
}

// Even and odd elements of a and b.
PYNET_INLINE PairOf<vfloat> split(vfloat a, vfloat b) {
#if defined(__AVX512F__)
  return {_mm512_maskz_shuffle_ps(0xFFFF, a, b, 0x88), _mm512_maskz_shuffle_ps(0xFFFF, a, b, 0xDD)};
#elif defined(__AVX2__)
  return {_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD)};
#elif defined(__x86_64__)
  return {_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xDD)};
#else
  return {vfloat{a[0], a[2], b[0], b[2]}, vfloat{a[1], a[3], b[1], b[3]}};
#endif
}
PYNET_INLINE PairOf<vdouble> split(vdouble a, vdouble b) {
#if defined(__AVX512F__)
  return {_mm512_maskz_unpacklo_pd(0xFF, a, b), _mm512_maskz_unpackhi_pd(0xFF, a, b)};
#elif defined(__AVX2__)
  return {_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)};
#else
  return {vdouble{a[0], b[0]}, vdouble{a[1], b[1]}};
#endif
}

// even[0], odd[0], even[1], odd[1] ...
PYNET_INLINE PairOf<vfloat> join(vfloat even, vfloat odd) {
#if defined(__AVX512F__)
  return {_mm512_maskz_unpacklo_ps(0xFFFF, even, odd), _mm512_maskz_unpackhi_ps(0xFFFF, even, odd)};
#elif defined(__AVX2__)
  return {_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd)};
#elif defined(__x86_64__)
  return {_mm_unpacklo_ps(even, odd), _mm_unpackhi_ps(even, odd)};
#else
  return {vfloat{even[0], odd[0], even[1], odd[1]}, vfloat{even[2], odd[2], even[3], odd[3]}};
#endif
}
PYNET_INLINE PairOf<vdouble> join(vdouble even, vdouble odd) { return split(even, odd); }

// A vector from two places in memory, one for each half, and back.
template <class T>
PYNET_INLINE vec<T> load_halves(const T* low, const T* high) {
#if defined(__AVX512F__)
  return (vec<T>)_mm512_maskz_insertf64x4(
      0xFF, _mm512_castpd256_pd512(_mm256_loadu_pd(reinterpret_cast<const double*>(low))),
      _mm256_loadu_pd(reinterpret_cast<const double*>(high)), 1);
#elif defined(__AVX2__)
  return (vec<T>)_mm256_insertf128_pd(
      _mm256_castpd128_pd256(_mm_loadu_pd(reinterpret_cast<const double*>(low))),
      _mm_loadu_pd(reinterpret_cast<const double*>(high)), 1);
#else
  std::int64_t half[2];
  __builtin_memcpy(&half[0], low, sizeof(half[0]));
  __builtin_memcpy(&half[1], high, sizeof(half[1]));
  return (vec<T>)vint64{half[0], half[1]};
#endif
}
template <class T>
PYNET_INLINE void store_halves(T* low, T* high, vec<T> v) {
  __builtin_memcpy(low, &v, sizeof(v) / 2);
  __builtin_memcpy(high, reinterpret_cast<const char*>(&v) + sizeof(v) / 2, sizeof(v) / 2);
}

}  // namespace
}  // namespace pynet::PYNET_ISA
