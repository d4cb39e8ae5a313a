// The rules of the optimizers: each is a rule for one element, in the order of operations of its
// formula.
//
// A rule takes its numbers from the state record once and returns what moves one vector: the
// parameter p by its gradient g, with up to three vectors s, r, q of what it keeps between steps.
#pragma once

#include "pynet/optimizer.h"
#include "rules/lanes.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
using Ref = vec<T>&;

// Added to the root in the denominator, outside of it, as in the book.
template <class T>
constexpr T kEpsilon = static_cast<T>(1e-7);

// base^n by repeated squaring.
PYNET_INLINE double power(double base, std::int64_t n) {
  double result = 1;
  for (; n > 0; n /= 2, base *= base) {
    if (n % 2 == 1) result *= base;
  }
  return result;
}

template <class T>
PYNET_INLINE auto sgd_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr);
  return [=](Ref<T> p, vec<T> g, Ref<T>, Ref<T>, Ref<T>) { p -= lr * g; };
}

template <class T>
PYNET_INLINE auto momentum_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr), momentum = static_cast<T>(state.a);
  return [=](Ref<T> p, vec<T> g, Ref<T> v, Ref<T>, Ref<T>) {
    v = momentum * v - lr * g;
    p += v;
  };
}

template <class T>
PYNET_INLINE auto nesterov_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr), momentum = static_cast<T>(state.a);
  const T of_v = static_cast<T>(state.a * state.a), of_g = static_cast<T>((1 + state.a) * state.lr);
  return [=](Ref<T> p, vec<T> g, Ref<T> v, Ref<T>, Ref<T>) {
    p += of_v * v;
    p -= of_g * g;
    v = momentum * v - lr * g;
  };
}

// The numbers of LARS for a parameter of that norm, whose gradient has norm `slope`: its own rate,
// and no decay where there is no telling what suits it.
PYNET_INLINE UpdateState trusted(UpdateState state, double size, double slope) {
  const double trust = state.c;
  if (size > 0 && slope > 0) {
    state.lr *= trust * size / (slope + state.b * size);
  } else {
    state.lr *= trust;
    state.b = 0;
  }
  return state;
}

// Takes what trusted() made of its numbers.
template <class T>
PYNET_INLINE auto lars_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr), momentum = static_cast<T>(state.a);
  const T weight_decay = static_cast<T>(state.b);
  return [=](Ref<T> p, vec<T> g, Ref<T> v, Ref<T>, Ref<T>) {
    v = momentum * v - lr * (g + weight_decay * p);
    p += v;
  };
}

template <class T>
PYNET_INLINE auto rprop_rule(const UpdateState& state) {
  const T least = static_cast<T>(state.a), most = static_cast<T>(state.b);
  const T shrink = static_cast<T>(state.c), grow = static_cast<T>(state.d);
  return [=](Ref<T> p, vec<T> g, Ref<T> sign, Ref<T> step, Ref<T>) {
    const vec<T> zero{}, one = splat(T{1});
    const vec<T> now = g > zero ? one : (g < zero ? -one : g);  // NaN stays NaN
    const vec<T> longer = step * grow, shorter = step * shrink, same = now * sign;
    step = same > zero ? (longer < most ? longer : splat(most))
                       : (same < zero ? (shorter > least ? shorter : splat(least)) : step);
    sign = same < zero ? zero : now;
    p -= sign * step;
  };
}

template <class T>
PYNET_INLINE auto adagrad_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr);
  return [=](Ref<T> p, vec<T> g, Ref<T> h, Ref<T>, Ref<T>) {
    h += g * g;
    p -= lr * g / (sqrt(h) + kEpsilon<T>);
  };
}

template <class T>
PYNET_INLINE auto rmsprop_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr), decay_rate = static_cast<T>(state.a);
  const T rest = static_cast<T>(1 - state.a);
  return [=](Ref<T> p, vec<T> g, Ref<T> h, Ref<T>, Ref<T>) {
    h = decay_rate * h + rest * g * g;
    p -= lr * g / (sqrt(h) + kEpsilon<T>);
  };
}

template <class T>
PYNET_INLINE auto adadelta_rule(const UpdateState& state) {
  const T lr = static_cast<T>(state.lr), decay_rate = static_cast<T>(state.a);
  const T rest = static_cast<T>(1 - state.a), eps = static_cast<T>(state.b);
  return [=](Ref<T> p, vec<T> g, Ref<T> h, Ref<T> u, Ref<T>) {
    h = decay_rate * h + rest * g * g;
    const vec<T> step = sqrt(u + eps) / sqrt(h + eps) * g;
    u = decay_rate * u + rest * step * step;
    p -= lr * step;
  };
}

// What Adam and its relatives share: the running means m of g and v of g^2.
template <class T>
struct AdamMeans {
  T rest1, rest2;
  double rate;  // lr * sqrt(1 - beta2^iter), to be divided by a correction of m

  PYNET_INLINE explicit AdamMeans(const UpdateState& state)
      : rest1(static_cast<T>(1 - state.a)),
        rest2(static_cast<T>(1 - state.b)),
        rate(state.lr *
             first_lane(sqrt(splat(1 - power(state.b, static_cast<std::int64_t>(state.iter)))))) {}

  PYNET_INLINE void move(vec<T> g, Ref<T> m, Ref<T> v) const {
    m += rest1 * (g - m);
    v += rest2 * (g * g - v);
  }
};

PYNET_INLINE double rest_of_m(const UpdateState& state, std::int64_t later = 0) {
  return 1 - power(state.a, static_cast<std::int64_t>(state.iter) + later);
}

template <class T>
PYNET_INLINE auto adam_rule(const UpdateState& state) {
  const AdamMeans<T> means(state);
  const T lr = static_cast<T>(means.rate / rest_of_m(state));
  return [=](Ref<T> p, vec<T> g, Ref<T> m, Ref<T> v, Ref<T>) {
    means.move(g, m, v);
    p -= lr * m / (sqrt(v) + kEpsilon<T>);
  };
}

template <class T>
PYNET_INLINE auto adamw_rule(const UpdateState& state) {
  const AdamMeans<T> means(state);
  const T lr = static_cast<T>(means.rate / rest_of_m(state));
  const T kept = static_cast<T>(1 - state.lr * state.c);
  return [=](Ref<T> p, vec<T> g, Ref<T> m, Ref<T> v, Ref<T>) {
    means.move(g, m, v);
    p *= kept;
    p -= lr * m / (sqrt(v) + kEpsilon<T>);
  };
}

template <class T>
PYNET_INLINE auto nadam_rule(const UpdateState& state) {
  const AdamMeans<T> means(state);
  const T of_m = static_cast<T>(means.rate * state.a / rest_of_m(state, 1));
  const T of_g = static_cast<T>(means.rate * (1 - state.a) / rest_of_m(state));
  return [=](Ref<T> p, vec<T> g, Ref<T> m, Ref<T> v, Ref<T>) {
    means.move(g, m, v);
    p -= (of_m * m + of_g * g) / (sqrt(v) + kEpsilon<T>);
  };
}

template <class T>
PYNET_INLINE auto amsgrad_rule(const UpdateState& state) {
  const AdamMeans<T> means(state);
  const T lr = static_cast<T>(means.rate / rest_of_m(state));
  return [=](Ref<T> p, vec<T> g, Ref<T> m, Ref<T> v, Ref<T> v_max) {
    means.move(g, m, v);
    v_max = max(v_max, v);  // v where one is NaN
    p -= lr * m / (sqrt(v_max) + kEpsilon<T>);
  };
}

template <class T>
PYNET_INLINE auto average_rule(const UpdateState& state) {
  const T rate = static_cast<T>(state.lr);
  return [=](Ref<T> p, vec<T> g, Ref<T>, Ref<T>, Ref<T>) { p += rate * (g - p); };
}

}  // namespace
}  // namespace pynet::PYNET_ISA
