// What only some activations need: the normal distribution, sine and cosine, on whole vectors.
//
// Largest errors measured over 10^6 samples, in units in the last place: exp(-x^2) 1.7, the normal
// mass times x (GELU) 5.5, sine and cosine 2.4. Without fused multiply-add what rounding took from
// x^2 is lost: exp(-x^2) is then off by x^2 more. NaN stays NaN.
#pragma once

#include "rules/vmath.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
struct SpecialConstants;

template <>
struct SpecialConstants<float> {
  // The mass beyond z > 0 is exp(-z^2/2) / (z + kTailAt) * polynomial((z - kTailAt)/(z + kTailAt)).
  static constexpr float kTailAt = 3.0f;
  static constexpr Coefficients<float, 11> tail() {
    return {{0.7290837f, -0.509332f, 0.23001768f, -0.04726273f, -0.010462311f, 0.0069696894f,
             0.0010241576f, -0.0010338913f, -0.00024448393f, 0.00013282591f, 5.5174623e-05f}};
  }
  // Half a turn's half, pi/2, in parts whose multiples up to 2^13 are exact, and the rest.
  static constexpr Coefficients<float, 4> quarter() {
    return {{1.5703125f, 0.0004837513f, 7.5495336e-08f, 2.563344e-12f}};
  }
  // (sin(r) - r) / r^3 and (cos(r) - 1 + r^2/2) / r^4 in powers of r^2, |r| <= pi/4
  static constexpr Coefficients<float, 4> sin() {
    return {{-0.16666667f, 0.008333332f, -0.00019840039f, 2.7243811e-06f}};
  }
  static constexpr Coefficients<float, 3> cos() {
    return {{0.041666664f, -0.0013888279f, 2.4542896e-05f}};
  }
};

template <>
struct SpecialConstants<double> {
  static constexpr double kTailAt = 3.5;
  static constexpr Coefficients<double, 24> tail() {
    return {{0.7444160754359381,      -0.565561816053779,      0.31542496988795254,
             -0.1160509287140811,     0.017407832602043358,    0.006476218919948955,
             -0.003189101048143628,   -0.00044501295099115713, 0.0004766570988030791,
             6.703323764980577e-05,   -7.558463136719157e-05,  -1.878891681913762e-05,
             1.1506486478907127e-05,  5.6519413985765165e-06,  -1.1645880536733884e-06,
             -1.4791427717652125e-06, -1.4402013511507835e-07, 2.9423445557605215e-07,
             1.248249015759425e-07,   -2.98157162047873e-08,   -3.690785771190413e-08,
             -4.1057852555823515e-09, 5.062059415246328e-09,   1.5691103766456627e-09}};
  }
  static constexpr Coefficients<double, 3> quarter() {
    return {{1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21}};
  }
  static constexpr Coefficients<double, 7> sin() {
    return {{-0.16666666666666666, 0.0083333333333333, -0.000198412698412646, 2.755731921895673e-06,
             -2.505210610092667e-08, 1.605851097953535e-10, -7.58549250782124e-13}};
  }
  static constexpr Coefficients<double, 6> cos() {
    return {{0.041666666666666664, -0.0013888888888887241, 2.4801587298533456e-05,
             -2.755731715246704e-07, 2.087612165887116e-09, -1.1380876948169717e-11}};
  }
};

// x held between low and high; NaN passes.
template <class T>
PYNET_INLINE vec<T> held(vec<T> x, T low, T high) {
  return min(splat(high), max(splat(low), x));
}

// polynomial(c, x) as a polynomial of the even and one of the odd powers: a chain half as long.
template <class T, int COUNT>
PYNET_INLINE vec<T> polynomial_by_halves(const Coefficients<T, COUNT>& of, vec<T> x) {
  constexpr int even = (COUNT - 1) / 2 * 2, odd = COUNT / 2 * 2 - 1;
  const vec<T> square = x * x;
  vec<T> evens = splat(of.c[even]), odds = splat(of.c[odd]);
  PYNET_UNROLL
  for (int i = even - 2; i >= 0; i -= 2) evens = fma(evens, square, splat(of.c[i]));
  PYNET_UNROLL
  for (int i = odd - 2; i >= 0; i -= 2) odds = fma(odds, square, splat(of.c[i]));
  return fma(odds, x, evens);
}

// exp(-c x^2) for a power of two c > 0 and |x| below 10^10: what rounding x^2 took away is put
// back.
template <class T>
PYNET_INLINE vec<T> exp_of_minus_square(T c, vec<T> x) {
  const vec<T> square = x * x, lost = fma(x, x, -square);
  const vec<T> e = exp_of_negative<T>(-c * square);
  return fma(-c * lost, e, e);
}

// The normal distribution with mean 0 and variance 1: its density at x, and its mass up to x.
template <class T>
struct Normal {
  vec<T> density, mass;
};

template <class T>
PYNET_INLINE Normal<T> normal_of(vec<T> x) {
  using C = SpecialConstants<T>;
  const vec<T> near = held<T>(x, -40, 40);  // beyond, the density is 0
  const vec<T> e = exp_of_minus_square<T>(static_cast<T>(0.5), near);
  const vec<T> z = -minus_abs<T>(near), u = 1 / (z + C::kTailAt);
  const vec<T> tail = e * (u * polynomial_by_halves(C::tail(), (z - C::kTailAt) * u));
  return {e * static_cast<T>(0.3989422804014327), x > 0 ? 1 - tail : tail};
}

// sin(x + turns pi/2), turns = 0 or 1. For |x| above 10^4 (float64: 10^6) digits are lost
// with the argument's, and where neighbouring numbers lie a radian apart it is some number from -1
// to 1. NaN for infinities.
template <class T>
PYNET_INLINE vec<T> sin_of(vec<T> x, int turns) {
  using C = SpecialConstants<T>;
  typedef typename MathConstants<T>::uint uint;
  constexpr T kRound = MathConstants<T>::kRound;
  const vec<T> rounded = fma(x, splat(static_cast<T>(0.6366197723675814)), splat(kRound));
  const vec<T> n = rounded - kRound;
  vec<T> r = x;
  constexpr auto quarter = C::quarter();
  PYNET_UNROLL
  for (const T part : quarter.c) r = fma(n, splat(-part), r);
  r = held<T>(r, static_cast<T>(-0.8), static_cast<T>(0.8));
  const vec<T> z = r * r;
  const vec<T> sine = fma(r * z, polynomial(C::sin(), z), r);
  const vec<T> cosine =
      fma(z * z, polynomial(C::cos(), z), fma(z, splat(static_cast<T>(-0.5)), splat<T>(1)));
  const uvec<T> quarters = bits_of<T>(rounded) + static_cast<uint>(turns);
  const vec<T> y = (quarters & 1) != 0 ? cosine : sine;
  return number_of<T>(bits_of<T>(y) ^ ((quarters & 2) << (sizeof(T) * 8 - 2)));
}

}  // namespace
}  // namespace pynet::PYNET_ISA
