// The words of cpu/simd.h for one number, for a thread of a GPU.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace pynet::cuda {
namespace {

template <class T>
using vec = T;
using vuint32 = std::uint32_t;
using vuint64 = std::uint64_t;

template <class T>
PYNET_INLINE T splat(T x) {
  return x;
}
template <class V>
PYNET_INLINE V first_lane(V v) {
  return v;
}
template <class To, class From>
PYNET_INLINE To same_bits(From v) {
  To to;
  memcpy(&to, &v, sizeof(to));
  return to;
}

PYNET_INLINE float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
PYNET_INLINE double fma(double a, double b, double c) { return ::fma(a, b, c); }
PYNET_INLINE float sqrt(float a) { return ::sqrtf(a); }
PYNET_INLINE double sqrt(double a) { return ::sqrt(a); }

// The larger and the smaller one; b where either is NaN.
template <class T>
PYNET_INLINE T max(T a, T b) {
  return a > b ? a : b;
}
template <class T>
PYNET_INLINE T min(T a, T b) {
  return a < b ? a : b;
}

// max(0, x), where NaN stays NaN; and the gradient that it lets through, by its result y.
template <class T>
PYNET_INLINE T relu_of(T x) {
  return x <= 0 ? T{} : x;
}
template <class T>
PYNET_INLINE T through_relu(T dout, T y) {
  return y <= 0 ? T{} : dout;
}

}  // namespace
}  // namespace pynet::cuda
