// The transforms of Winograd's convolution, for the vectors of a processor and the threads of a
// GPU.
//
// F(m, 3) gives m neighbouring outputs of a filter g of three taps from m+2 inputs d with m+2
// products instead of 3m (Winograd, Arithmetic Complexity of Computations, 1980):
//
//   y = A^T ((G g) * (B^T d))
//
// The matrices say: multiply two polynomials by their values at m+2 points. In two dimensions they
// are applied to the columns, then to the rows (Lavin and Gray, Fast Algorithms for Convolutional
// Neural Networks, 2016). For m = 4 the points are 0, +-1/sqrt(2), +-sqrt(2) and infinity instead
// of the usual 0, +-1, +-2 and infinity: with pairs c and 1/c the entries of the matrices stay
// close to 1, and the result is two to four times as exact (Alam and others, Winograd Convolution
// for Deep Neural Networks: Efficient Point Selection, 2022).
#pragma once

#include "rules/lanes.h"

namespace pynet::PYNET_ISA {
namespace {

// The one-dimensional transforms for tiles of OUT outputs.
template <class T, int OUT>
struct Winograd;

template <class T>
struct Winograd<T, 2> {  // points 0, 1, -1, infinity
  static constexpr int kSide = 4;
  struct Image {
    static constexpr int kIn = 4, kOut = 4;
    static PYNET_INLINE void apply(const vec<T>* d, vec<T>* t) {
      t[0] = d[0] - d[2];
      t[1] = d[1] + d[2];
      t[2] = d[2] - d[1];
      t[3] = d[3] - d[1];
    }
  };
  struct Filter {
    static constexpr int kIn = 3, kOut = 4;
    static PYNET_INLINE void apply(const vec<T>* g, vec<T>* t) {
      const vec<T> even = g[0] + g[2];
      t[0] = g[0];
      t[1] = T(0.5) * (even + g[1]);
      t[2] = T(0.5) * (even - g[1]);
      t[3] = g[2];
    }
  };
  struct Output {
    static constexpr int kIn = 4, kOut = 2;
    static PYNET_INLINE void apply(const vec<T>* m, vec<T>* y) {
      y[0] = m[0] + m[1] + m[2];
      y[1] = m[1] - m[2] + m[3];
    }
  };
};

template <class T>
struct Winograd<T, 4> {  // points 0, a, -a, b, -b, infinity
  static constexpr int kSide = 6;
  static constexpr T a = T(0.70710678118654752440), b = T(1.41421356237309504880);
  struct Image {
    static constexpr int kIn = 6, kOut = 6;
    static PYNET_INLINE void apply(const vec<T>* d, vec<T>* t) {
      const vec<T> two = splat(T(2)), half = splat(T(0.5)), sum = splat(T(2.5));
      t[0] = fma(-sum, d[2], d[0] + d[4]);
      t[5] = fma(-sum, d[3], d[1] + d[5]);
      const vec<T> p = fma(-two, d[2], d[4]), q = fma(-two, d[1], d[3]);
      t[1] = fma(splat(a), q, p);
      t[2] = fma(splat(-a), q, p);
      const vec<T> r = fma(-half, d[2], d[4]), s = fma(-half, d[1], d[3]);
      t[3] = fma(splat(b), s, r);
      t[4] = fma(splat(-b), s, r);
    }
  };
  struct Filter {
    static constexpr int kIn = 3, kOut = 6;
    static PYNET_INLINE void apply(const vec<T>* g, vec<T>* t) {
      const vec<T> p = fma(splat(T(0.5)), g[2], g[0]), q = splat(a) * g[1];
      t[0] = g[0];
      t[1] = splat(T(-2) / 3) * (p + q);
      t[2] = splat(T(-2) / 3) * (p - q);
      const vec<T> r = fma(splat(T(2)), g[2], g[0]), s = splat(b) * g[1];
      t[3] = splat(T(1) / 6) * (r + s);
      t[4] = splat(T(1) / 6) * (r - s);
      t[5] = g[2];
    }
  };
  struct Output {
    static constexpr int kIn = 6, kOut = 4;
    static PYNET_INLINE void apply(const vec<T>* m, vec<T>* y) {
      const vec<T> s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];
      const vec<T> two = splat(T(2)), half = splat(T(0.5));
      y[0] = m[0] + s + p;
      y[1] = splat(a) * fma(two, q, d);
      y[2] = fma(two, p, half * s);
      y[3] = fma(splat(a), fma(splat(T(4)), q, half * d), m[5]);
    }
  };
  struct OutputGradient {  // the transpose of Output
    static constexpr int kIn = 4, kOut = 6;
    static PYNET_INLINE void apply(const vec<T>* y, vec<T>* m) {
      const vec<T> two = splat(T(2)), half = splat(T(0.5));
      m[0] = y[0];
      m[5] = y[3];
      const vec<T> p = fma(half, y[2], y[0]), q = fma(half, y[3], y[1]);
      m[1] = fma(splat(a), q, p);
      m[2] = fma(splat(-a), q, p);
      const vec<T> r = fma(two, y[2], y[0]), s = fma(two, y[3], y[1]);
      m[3] = fma(splat(b), s, r);
      m[4] = fma(splat(-b), s, r);
    }
  };
  struct FilterGradient {  // the transpose of Filter
    static constexpr int kIn = 6, kOut = 3;
    static PYNET_INLINE void apply(const vec<T>* t, vec<T>* g) {
      const vec<T> p = splat(T(-2) / 3) * (t[1] + t[2]), q = splat(T(-2) / 3) * (t[1] - t[2]);
      const vec<T> r = splat(T(1) / 6) * (t[3] + t[4]), s = splat(T(1) / 6) * (t[3] - t[4]);
      g[0] = t[0] + p + r;
      g[1] = fma(splat(b), s, splat(a) * q);
      g[2] = fma(splat(T(0.5)), p, fma(splat(T(2)), r, t[5]));
    }
  };
};

}  // namespace
}  // namespace pynet::PYNET_ISA
