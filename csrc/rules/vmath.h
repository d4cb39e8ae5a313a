// Exponential, logarithm and what follows from them, on whole vectors, without a math library.
//
// Largest errors measured over 10^7 samples, in units in the last place: exp 1.1, log 0.9, sigmoid
// 1.9, log(1 + exp(-|x|)) 1.7, tanh 2.7, exp(x) - 1 1.3. NaN stays NaN. Results below the
// smallest normal number are 0, and such arguments count as 0, as everywhere in the kernels
// (denormals are flushed). Polynomials interpolate at Chebyshev nodes. The same operations run in
// every lane, so that an element's result does not depend on where in a vector it lies.
#pragma once

#include "rules/lanes.h"

namespace pynet::PYNET_ISA {
namespace {

// Of a polynomial; a function gives them, as code for a GPU cannot refer to static arrays.
template <class T, int COUNT>
struct Coefficients {
  T c[COUNT];
};

template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  typedef vuint32 uvec;
  typedef std::uint32_t uint;
  static constexpr int kMantissa = 23;
  static constexpr uint kSign = 0x80000000u, kOne = 0x3f800000u;
  static constexpr float kLargestExp = 88.72283f;    // exp of more than this is infinite
  static constexpr float kSmallestExp = -87.33654f;  // exp of less than this is not normal
  static constexpr float kExpIsZero = -88.0f;  // exp of this or less has no place for its exponent
  static constexpr float kSmallest = 1.17549435e-38f;
  static constexpr float kTanhOne = 10.0f;  // beyond this tanh rounds to 1
  // 1.5 * 2^mantissa: added to a small number it rounds that to an integer in the lowest bits.
  static constexpr float kRound = 12582912.0f;
  static constexpr float kPower = 8388608.0f;  // 2^mantissa
  static constexpr uint kPowerBits = 0x4b000000u;
  // ln 2 in two parts, the first short enough that its multiples are exact.
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  static constexpr uint kRootHalf = 0x3f3504f3u;  // the bits of sqrt(1/2)
  static constexpr int kBias = 127;
  // (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2
  static constexpr Coefficients<float, 5> exp() {
    return {{0.5f, 0.166665763f, 0.0416665524f, 0.00836323295f, 0.00139262504f}};
  }
  // (log((1+s)/(1-s)) / s - 2) / s^2 in powers of s^2, s^2 <= 0.0295
  static constexpr Coefficients<float, 3> log() {
    return {{0.666666865f, 0.399887592f, 0.295809865f}};
  }
};

template <>
struct MathConstants<double> {
  typedef vuint64 uvec;
  typedef std::uint64_t uint;
  static constexpr int kMantissa = 52;
  static constexpr uint kSign = 0x8000000000000000u, kOne = 0x3ff0000000000000u;
  static constexpr double kLargestExp = 709.782712893384;
  static constexpr double kSmallestExp = -708.3964185322641;
  static constexpr double kExpIsZero = -709.3;
  static constexpr double kSmallest = 2.2250738585072014e-308;
  static constexpr double kTanhOne = 20.0;
  static constexpr double kRound = 6755399441055744.0;
  static constexpr double kPower = 4503599627370496.0;
  static constexpr uint kPowerBits = 0x4330000000000000u;
  static constexpr double kLn2High = 0.6931471803691238, kLn2Low = 1.9082149292705877e-10;
  static constexpr uint kRootHalf = 0x3fe6a09e667f3bcdu;
  static constexpr int kBias = 1023;
  static constexpr Coefficients<double, 10> exp() {
    return {{0.5, 0.16666666666666669, 0.041666666666623824, 0.008333333333330039,
             0.0013888888917367081, 0.00019841269863171557, 2.4801521057868204e-05,
             2.7557268276905696e-06, 2.7620201591031547e-07, 2.5100472505694996e-08}};
  }
  static constexpr Coefficients<double, 7> log() {
    return {{0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,
             0.1818289243253687, 0.15331611722055008, 0.14617807153417325}};
  }
};

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

template <class T>
using uvec = typename MathConstants<T>::uvec;

// The same bits as numbers and as unsigned integers.
template <class T>
PYNET_INLINE uvec<T> bits_of(vec<T> x) {
  return same_bits<uvec<T>>(x);
}
template <class T>
PYNET_INLINE vec<T> number_of(uvec<T> bits) {
  return same_bits<vec<T>>(bits);
}

// c[0] + c[1] x + c[2] x^2 + ...
template <class T, int COUNT>
PYNET_INLINE vec<T> polynomial(const Coefficients<T, COUNT>& of, vec<T> x) {
  vec<T> sum = splat(of.c[COUNT - 1]);
  PYNET_UNROLL
  for (int i = COUNT - 2; i >= 0; --i) sum = fma(sum, x, splat(of.c[i]));
  return sum;
}

template <class T>
PYNET_INLINE vec<T> minus_abs(vec<T> x) {
  return number_of<T>(bits_of<T>(x) | MathConstants<T>::kSign);
}

// exp(x) = 2^n * (1 + m) with |m| < 0.415; n is kept shifted to the place of the exponent.
template <class T>
struct ExpParts {
  vec<T> m;
  uvec<T> n;
};

template <class T>
PYNET_INLINE ExpParts<T> exp_parts(vec<T> x) {
  using C = MathConstants<T>;
  const vec<T> rounded = fma(x, splat(static_cast<T>(1.4426950408889634)), splat(C::kRound));
  const vec<T> n = rounded - C::kRound;
  const vec<T> r = fma(n, splat(-C::kLn2Low), fma(n, splat(-C::kLn2High), x));
  return {fma(r * r, polynomial(C::exp(), r), r), bits_of<T>(rounded) << C::kMantissa};
}

template <class T>
PYNET_INLINE vec<T> exp_of(vec<T> x) {
  using C = MathConstants<T>;
  const ExpParts<T> e = exp_parts<T>(x);
  vec<T> y = number_of<T>(bits_of<T>(1 + e.m) + e.n);
  y = x < C::kSmallestExp ? vec<T>{} : y;
  return x <= C::kLargestExp ? y : x + kInfinity<T>;  // NaN comes here too
}

// exp(x) for x <= 0 or NaN: where the exponent would be too small, its bits are those of 0.
template <class T>
PYNET_INLINE vec<T> exp_of_negative(vec<T> x) {
  using C = MathConstants<T>;
  const ExpParts<T> e = exp_parts<T>(max(splat(C::kExpIsZero), x));
  const vec<T> power = number_of<T>(e.n + C::kOne);  // 2^n
  return (1 + e.m) * power;
}

// exp(x) - 1 for x <= 0; a larger x counts as 0.
template <class T>
PYNET_INLINE vec<T> expm1_of_negative(vec<T> x) {
  using C = MathConstants<T>;
  const vec<T> t = max(splat(-2 * C::kTanhOne), min(vec<T>{}, x));
  const ExpParts<T> e = exp_parts<T>(t);
  const vec<T> power = number_of<T>(e.n + C::kOne);  // 2^n
  return fma(power, e.m, power - 1);
}

// log(1 + f) + k ln 2 for sqrt(1/2) <= 1 + f <= sqrt(2), by log(1+f) = 2 artanh(f / (2+f)).
template <class T>
PYNET_INLINE vec<T> log_of_parts(vec<T> f, vec<T> k) {
  using C = MathConstants<T>;
  const vec<T> s = f / (2 + f), z = s * s, half = f * f * static_cast<T>(0.5);
  const vec<T> rest = z * polynomial(C::log(), z);
  // 2s = f - f^2/2 + s f^2/2: f carries the digits, what is rounded is small.
  return k * C::kLn2High - ((half - fma(s, half + rest, k * C::kLn2Low)) - f);
}

template <class T>
PYNET_INLINE vec<T> log_of(vec<T> x) {
  using C = MathConstants<T>;
  typedef typename C::uint uint;
  // k + bias, the exponent of x / sqrt(1/2), as an integer and as a number.
  const uvec<T> k = (bits_of<T>(x) + static_cast<uint>(C::kOne - C::kRootHalf)) >> C::kMantissa;
  const vec<T> number = number_of<T>(k | C::kPowerBits) - (C::kPower + C::kBias);
  const vec<T> m = number_of<T>(bits_of<T>(x) - (k << C::kMantissa) + C::kOne);
  vec<T> y = log_of_parts<T>(m - 1, number);
  y = x < C::kSmallest ? splat(-kInfinity<T>) : y;
  y = x <= -C::kSmallest ? x - x + static_cast<T>(__builtin_nan("")) : y;
  return x < kInfinity<T> ? y : x;
}

// log(1 + exp(-|x|)), from 0 to ln 2.
template <class T>
PYNET_INLINE vec<T> log1p_exp_minus_abs(vec<T> x) {
  const vec<T> e = exp_of_negative<T>(minus_abs<T>(x));
  const auto high = e > static_cast<T>(0.41421356);  // 1 + e > sqrt(2): take half of it
  const vec<T> f = high ? (e - 1) * static_cast<T>(0.5) : e;
  return log_of_parts<T>(f, high ? splat<T>(1) : vec<T>{});
}

// a / (c + b), for sums from 1 to 2 with |b| <= c, as if the sum were not rounded: what rounding
// took from it is b - (sum - c), and 1 / sum is close enough to 1.457 - sum / 2 to put it right.
template <class T>
PYNET_INLINE vec<T> quotient(vec<T> a, T c, vec<T> b) {
  const vec<T> sum = c + b, lost = b - (sum - c), y = a / sum;
  return fma(y * lost, sum * static_cast<T>(0.5) - static_cast<T>(1.457), y);
}

// 1 / (1 + exp(-x)), from exp(-|x|), which cannot overflow.
template <class T>
PYNET_INLINE vec<T> sigmoid_of(vec<T> x) {
  const vec<T> e = exp_of_negative<T>(minus_abs<T>(x));
  return quotient<T>(x < 0 ? e : splat<T>(1), 1, e);
}

// tanh |x| = -m / (2 + m) with m = exp(-2|x|) - 1; the sign comes back at the end.
template <class T>
PYNET_INLINE vec<T> tanh_of(vec<T> x) {
  using C = MathConstants<T>;
  const vec<T> t = max(splat(-C::kTanhOne), minus_abs<T>(x));
  const ExpParts<T> e = exp_parts<T>(t + t);
  const vec<T> power = number_of<T>(e.n + C::kOne);  // 2^n
  const vec<T> m = fma(power, e.m, power - 1);
  const vec<T> y = quotient<T>(m, 2, m);
  return number_of<T>((bits_of<T>(y) & ~C::kSign) | (bits_of<T>(x) & C::kSign));
}

}  // namespace
}  // namespace pynet::PYNET_ISA
