// The activations of the op `activation`: each is its formula y and its derivative dy, here only.
//
// A new one is a struct here and a line in PYNET_ACTIVATIONS (pynet/activation.h). a and b are the
// op's alpha and beta. NaN stays NaN, and infinities go where the function goes: where 0 would meet
// infinity, x is held back first. At a kink dy is one of the two slopes.
#pragma once

#include "rules/vmath_special.h"

namespace pynet::PYNET_ISA {
namespace {
namespace rules {

template <class T>
constexpr T kSixth = static_cast<T>(1.0 / 6);
template <class T>
constexpr T kFar = 1000;  // the sigmoid is 0 and 1 beyond

// x, but finite where it is -inf: so that times 0 it is 0.
template <class T>
PYNET_INLINE vec<T> above_minus_infinity(vec<T> x) {
  constexpr T least = sizeof(T) == 4 ? static_cast<T>(-__FLT_MAX__) : static_cast<T>(-__DBL_MAX__);
  return x < least ? splat(least) : x;
}
// `slope` where low < x < high, else 0.
template <class T>
PYNET_INLINE vec<T> inside(vec<T> x, T low, T high, vec<T> slope) {
  slope = x <= low ? vec<T>{} : slope;
  return x >= high ? vec<T>{} : slope;
}
// y, but NaN where x is.
template <class T>
PYNET_INLINE vec<T> or_nan(vec<T> x, vec<T> y) {
  return x == x ? y : x;
}

template <class T>
struct identity {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) { return x; }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) { return or_nan<T>(x, splat<T>(1)); }
};

template <class T>
struct step {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    return or_nan<T>(x, x > 0 ? splat<T>(1) : vec<T>{});
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) { return or_nan<T>(x, vec<T>{}); }
};

template <class T>
struct leaky_relu {
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T) { return x > 0 ? x : a * x; }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T) {
    return or_nan<T>(x, x > 0 ? splat<T>(1) : splat(a));
  }
};

template <class T>
struct elu {  // b scales it: SELU
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T b) {
    return b * (x > 0 ? x : a * expm1_of_negative<T>(x));
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T b) {
    return b * (x > 0 ? splat<T>(1) : a * exp_of<T>(x));
  }
};

template <class T>
struct celu {
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T) {
    return x > 0 ? x : a * expm1_of_negative<T>(x / a);
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T) { return x > 0 ? splat<T>(1) : exp_of<T>(x / a); }
};

template <class T>
struct softplus {
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T) {
    const vec<T> z = a * x;
    return ((z < 0 ? vec<T>{} : z) + log1p_exp_minus_abs<T>(z)) / a;
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T) { return sigmoid_of<T>(a * x); }
};

template <class T>
struct log_sigmoid {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    return (x > 0 ? vec<T>{} : x) - log1p_exp_minus_abs<T>(x);
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) { return sigmoid_of<T>(-x); }
};

template <class T>
struct swish {  // SiLU with a = 1
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T) {
    return above_minus_infinity<T>(x) * sigmoid_of<T>(a * x);
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T) {
    const vec<T> z = held<T>(a * x, -kFar<T>, kFar<T>);
    return sigmoid_of<T>(z) * fma(z, sigmoid_of<T>(-z), splat<T>(1));
  }
};

template <class T>
struct gelu {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    return above_minus_infinity<T>(x) * normal_of<T>(x).mass;
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const Normal<T> normal = normal_of<T>(x);
    return fma(held<T>(x, -kFar<T>, kFar<T>), normal.density, normal.mass);
  }
};

template <class T>
struct gelu_tanh {  // (1 + tanh(u)) / 2 is the sigmoid of 2u, u = sqrt(2/pi) (x + 0.044715 x^3)
  static constexpr T c = static_cast<T>(1.5957691216057308), d = c * static_cast<T>(0.044715);
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    return above_minus_infinity<T>(x) * sigmoid_of<T>(x * (c + d * x * x));
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const vec<T> z = held<T>(x, -kFar<T>, kFar<T>), u = z * (c + d * z * z);
    return sigmoid_of<T>(u) * fma(z * (c + 3 * d * z * z), sigmoid_of<T>(-u), splat<T>(1));
  }
};

template <class T>
struct mish {  // with w = exp(x): tanh(log(1 + w)) = n / (n + 2), n = w (w + 2)
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    const vec<T> e = exp_of_negative<T>(minus_abs<T>(x)), top = x < 0 ? e * (e + 2) : 1 + 2 * e;
    return above_minus_infinity<T>(x) * (top / (top + (x < 0 ? splat<T>(2) : 2 * e * e)));
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const vec<T> z = held<T>(x, -kFar<T>, kFar<T>), e = exp_of_negative<T>(minus_abs<T>(z));
    const vec<T> top = z < 0 ? e * (e + 2) : 1 + 2 * e;
    const vec<T> u = 1 / (top + (z < 0 ? splat<T>(2) : 2 * e * e));
    return u * (top + 4 * z * (1 + e) * (z < 0 ? e : e * e) * u);
  }
};

template <class T>
struct hard_sigmoid {
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T b) {
    return held<T>(fma(splat(a), x, splat(b)), 0, 1);
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T b) {
    return or_nan<T>(x, inside<T>(fma(splat(a), x, splat(b)), 0, 1, splat(a)));
  }
};

template <class T>
struct hard_swish {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    return above_minus_infinity<T>(x) * (held<T>(x + 3, 0, 6) * kSixth<T>);
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const vec<T> slope = (2 * x + 3) * kSixth<T>;
    return x >= 3 ? splat<T>(1) : x <= -3 ? vec<T>{} : slope;
  }
};

template <class T>
struct hard_tanh {  // from a to b: ReLU6 with 0 and 6
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T b) { return held<T>(x, a, b); }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T b) {
    return or_nan<T>(x, inside<T>(x, a, b, splat<T>(1)));
  }
};

template <class T>
struct hard_shrink {
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T) { return minus_abs<T>(x) >= -a ? vec<T>{} : x; }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T) {
    return or_nan<T>(x, minus_abs<T>(x) >= -a ? vec<T>{} : splat<T>(1));
  }
};

template <class T>
struct soft_shrink {
  static PYNET_INLINE vec<T> y(vec<T> x, T a, T) {
    return minus_abs<T>(x) >= -a ? vec<T>{} : x > 0 ? x - a : x + a;
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T a, T) { return hard_shrink<T>::dy(x, a, 0); }
};

template <class T>
struct tanh_shrink {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) { return x - tanh_of<T>(x); }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const vec<T> t = tanh_of<T>(x);
    return t * t;
  }
};

template <class T>
struct softsign {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    const vec<T> z = -above_minus_infinity<T>(minus_abs<T>(x));
    const vec<T> size = z / (1 + z);
    return number_of<T>(bits_of<T>(size) | (bits_of<T>(x) & MathConstants<T>::kSign));
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const vec<T> u = 1 / (1 - minus_abs<T>(x));
    return u * u;
  }
};

template <class T>
struct gaussian {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) {
    return exp_of_minus_square<T>(1, held<T>(x, -kFar<T>, kFar<T>));
  }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) {
    const vec<T> z = held<T>(x, -kFar<T>, kFar<T>);
    return -2 * z * exp_of_minus_square<T>(1, z);
  }
};

template <class T>
struct sinusoid {
  static PYNET_INLINE vec<T> y(vec<T> x, T, T) { return sin_of<T>(x, 0); }
  static PYNET_INLINE vec<T> dy(vec<T> x, T, T) { return sin_of<T>(x, 1); }
};

}  // namespace rules
}  // namespace
}  // namespace pynet::PYNET_ISA
