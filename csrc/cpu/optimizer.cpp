// Optimizer updates: each is a rule for one element, in the order of operations of its formula.
#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

// Calls rule(p, g, s, r) on the vectors of a tile; STATES says how many of s and r there are.
template <int STATES, class T, class Rule>
PYNET_INLINE void update_range(const UpdateArgs<T>& args, const Tile& tile, const Rule& rule) {
  for_tile<T>(args.n, tile, [&](index_t i, auto lanes) {
    vec<T> p = lanes.load(args.p + i), s{}, r{};
    if constexpr (STATES > 0) s = lanes.load(args.s + i);
    if constexpr (STATES > 1) r = lanes.load(args.r + i);
    rule(p, lanes.load(args.g + i), s, r);
    lanes.store(args.p + i, p);
    if constexpr (STATES > 0) lanes.store(args.s + i, s);
    if constexpr (STATES > 1) lanes.store(args.r + i, r);
  });
}

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
Work sgd_update_plan(const UpdateArgs<T>& args) {
  return plan_elements(args.n, 3 * sizeof(T));
}
template <class T>
void sgd_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const T lr = static_cast<T>(args.state->lr);
  update_range<0>(args, tile, [=](vec<T>& p, vec<T> g, vec<T>&, vec<T>&) { p -= lr * g; });
}

template <class T>
Work momentum_update_plan(const UpdateArgs<T>& args) {
  return plan_elements(args.n, 5 * sizeof(T));
}
template <class T>
void momentum_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const T lr = static_cast<T>(args.state->lr), momentum = static_cast<T>(args.state->a);
  update_range<1>(args, tile, [=](vec<T>& p, vec<T> g, vec<T>& v, vec<T>&) {
    v = momentum * v - lr * g;
    p += v;
  });
}

template <class T>
Work nesterov_update_plan(const UpdateArgs<T>& args) {
  return plan_elements(args.n, 5 * sizeof(T));
}
template <class T>
void nesterov_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const UpdateState& state = *args.state;
  const T lr = static_cast<T>(state.lr), momentum = static_cast<T>(state.a);
  const T of_v = static_cast<T>(state.a * state.a), of_g = static_cast<T>((1 + state.a) * state.lr);
  update_range<1>(args, tile, [=](vec<T>& p, vec<T> g, vec<T>& v, vec<T>&) {
    p += of_v * v;
    p -= of_g * g;
    v = momentum * v - lr * g;
  });
}

template <class T>
Work adagrad_update_plan(const UpdateArgs<T>& args) {
  return plan_elements(args.n, 5 * sizeof(T));
}
template <class T>
void adagrad_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const T lr = static_cast<T>(args.state->lr);
  update_range<1>(args, tile, [=](vec<T>& p, vec<T> g, vec<T>& h, vec<T>&) {
    h += g * g;
    p -= lr * g / (sqrt(h) + kEpsilon<T>);
  });
}

template <class T>
Work rmsprop_update_plan(const UpdateArgs<T>& args) {
  return plan_elements(args.n, 5 * sizeof(T));
}
template <class T>
void rmsprop_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const T lr = static_cast<T>(args.state->lr), decay_rate = static_cast<T>(args.state->a);
  const T rest = static_cast<T>(1 - args.state->a);
  update_range<1>(args, tile, [=](vec<T>& p, vec<T> g, vec<T>& h, vec<T>&) {
    h = decay_rate * h + rest * g * g;
    p -= lr * g / (sqrt(h) + kEpsilon<T>);
  });
}

template <class T>
Work adam_update_plan(const UpdateArgs<T>& args) {
  return plan_elements(args.n, 7 * sizeof(T));
}
template <class T>
void adam_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const UpdateState& state = *args.state;
  const std::int64_t iter = static_cast<std::int64_t>(state.iter);
  const vdouble root = sqrt(splat(1 - power(state.b, iter)));
  const T lr = static_cast<T>(state.lr * root[0] / (1 - power(state.a, iter)));
  const T rest1 = static_cast<T>(1 - state.a), rest2 = static_cast<T>(1 - state.b);
  update_range<2>(args, tile, [=](vec<T>& p, vec<T> g, vec<T>& m, vec<T>& v) {
    m += rest1 * (g - m);
    v += rest2 * (g * g - v);
    p -= lr * m / (sqrt(v) + kEpsilon<T>);
  });
}

}  // namespace

PYNET_EXPORT(sgd_update, UpdateArgs)
PYNET_EXPORT(momentum_update, UpdateArgs)
PYNET_EXPORT(nesterov_update, UpdateArgs)
PYNET_EXPORT(adagrad_update, UpdateArgs)
PYNET_EXPORT(rmsprop_update, UpdateArgs)
PYNET_EXPORT(adam_update, UpdateArgs)

}  // namespace pynet::PYNET_ISA
