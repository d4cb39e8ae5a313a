#include "rules/activation.h"
#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

// y = rule(x); with arithmetic between its stores a cache line would be streamed in two halves.
template <class T, class Rule>
PYNET_INLINE void forward(const ActivationArgs<T>& args, const Tile& tile, const Rule& rule) {
  const T* x = args.x;
  T* y = args.y;
  for_tile<T>(args.n, tile,
              [=](index_t i, auto lanes) { lanes.store(y + i, rule(lanes.load(x + i))); });
}

// dx = rule(dout, y), written or added.
template <class T, class Rule>
PYNET_INLINE void backward(const ActivationBackwardArgs<T>& args, const Tile& tile,
                           const Rule& rule) {
  const T *dout = args.dout, *y = args.y;
  T* dx = args.dx;
  if (args.grad == Grad::Write) {
    for_tile(dx, args.n, tile, [=](index_t i, auto lanes) {
      lanes.store(dx + i, rule(lanes.load(dout + i), lanes.load(y + i)));
    });
  } else if (args.grad == Grad::Add) {
    for_tile<T>(args.n, tile, [=](index_t i, auto lanes) {
      lanes.store(dx + i, lanes.load(dx + i) + rule(lanes.load(dout + i), lanes.load(y + i)));
    });
  }
}

template <class T>
Work backward_plan(const ActivationBackwardArgs<T>& args) {
  const double moved = args.grad == Grad::Add ? 4 * sizeof(T) : 3 * sizeof(T);
  return plan_elements(args.grad == Grad::Skip ? 0 : args.n, moved);
}

template <class T>
Work relu_plan(const ActivationArgs<T>& args) {
  return plan_elements(args.n, 2 * sizeof(T));
}
template <class T>
void relu_run(const ActivationArgs<T>& args, const Tile& tile) {
  const T* x = args.x;
  T* y = args.y;
  for_tile(y, args.n, tile,
           [=](index_t i, auto lanes) { lanes.store(y + i, relu_of<T>(lanes.load(x + i))); });
}

template <class T>
Work relu_backward_plan(const ActivationBackwardArgs<T>& args) {
  return backward_plan(args);
}
template <class T>
void relu_backward_run(const ActivationBackwardArgs<T>& args, const Tile& tile) {
  backward<T>(args, tile, through_relu<T>);
}

template <class T>
Work sigmoid_plan(const ActivationArgs<T>& args) {
  return plan_elements(args.n, 4 * sizeof(T) * sizeof(T));
}
template <class T>
void sigmoid_run(const ActivationArgs<T>& args, const Tile& tile) {
  forward<T>(args, tile, [](vec<T> x) { return sigmoid_of<T>(x); });
}

template <class T>
Work sigmoid_backward_plan(const ActivationBackwardArgs<T>& args) {
  return backward_plan(args);
}
template <class T>
void sigmoid_backward_run(const ActivationBackwardArgs<T>& args, const Tile& tile) {
  backward<T>(args, tile, [](vec<T> dout, vec<T> y) { return dout * (1 - y) * y; });
}

template <class T>
Work tanh_plan(const ActivationArgs<T>& args) {
  return plan_elements(args.n, 4 * sizeof(T) * sizeof(T));
}
template <class T>
void tanh_run(const ActivationArgs<T>& args, const Tile& tile) {
  forward<T>(args, tile, [](vec<T> x) { return tanh_of<T>(x); });
}

// 1 - y^2 = (1 - y)(1 + y), which keeps its digits near y = 1.
template <class T>
Work tanh_backward_plan(const ActivationBackwardArgs<T>& args) {
  return backward_plan(args);
}
template <class T>
void tanh_backward_run(const ActivationBackwardArgs<T>& args, const Tile& tile) {
  backward<T>(args, tile, [](vec<T> dout, vec<T> y) { return dout * ((1 - y) * (1 + y)); });
}

// --- the family: one loop for each formula and each derivative, on whole vectors -----------------

template <class T>
using Loop = void (*)(T* out, const T* x, index_t n, T alpha, T beta);

template <class T, class Formula>
PYNET_INLINE void loop(T* out, const T* x, index_t n, const Formula& formula) {
  for (index_t i = 0; i < n; i += kLanes<T>) store(out + i, formula(load(x + i)));
}

template <class T>
struct RuleLoops {
  Loop<T> y, dy;
};

#define PYNET_LOOPS(name, cost)                                                        \
  {[](T* out, const T* x, index_t n, T alpha, T beta) {                                \
     loop<T>(out, x, n, [=](vec<T> v) { return rules::name<T>::y(v, alpha, beta); });  \
   },                                                                                  \
   [](T* out, const T* x, index_t n, T alpha, T beta) {                                \
     loop<T>(out, x, n, [=](vec<T> v) { return rules::name<T>::dy(v, alpha, beta); }); \
   }},
template <class T>
constexpr RuleLoops<T> kRules[] = {PYNET_ACTIVATIONS(PYNET_LOOPS)};
#undef PYNET_LOOPS

PYNET_INLINE double rule_cost(Rule rule) {
#define PYNET_COST(name, cost) cost,
  constexpr double kCosts[] = {PYNET_ACTIVATIONS(PYNET_COST)};
#undef PYNET_COST
  return kCosts[static_cast<int>(rule)];
}

// The last elements go through a vector of their own, so that there is one copy of each formula.
template <class T>
PYNET_INLINE void evaluate(Loop<T> formula, T* out, const T* x, index_t n, T alpha, T beta) {
  const index_t whole = n / kLanes<T> * kLanes<T>;
  formula(out, x, whole, alpha, beta);
  if (whole < n) {
    T rest[kLanes<T>];
    store(rest, load_n(x + whole, n - whole));
    formula(rest, rest, kLanes<T>, alpha, beta);
    store_n(out + whole, load(rest), n - whole);
  }
}

template <class T>
Work activation_plan(const RuleArgs<T>& args) {
  return plan_elements(args.n, rule_cost(args.rule) * 2 * sizeof(T));
}
template <class T>
void activation_run(const RuleArgs<T>& args, const Tile& tile) {
  const index_t begin = tile.index * kChunk, end = min_of(args.n, begin + kChunk);
  evaluate<T>(kRules<T>[static_cast<int>(args.rule)].y, args.y + begin, args.x + begin, end - begin,
              args.alpha, args.beta);
}

template <class T>
Work activation_backward_plan(const RuleBackwardArgs<T>& args) {
  const double moved = (rule_cost(args.rule) + 2) * 2 * sizeof(T);
  return plan_elements(args.grad == Grad::Skip ? 0 : args.n, moved);
}
template <class T>
void activation_backward_run(const RuleBackwardArgs<T>& args, const Tile& tile) {
  constexpr index_t kBlock = 512;
  T slope[kBlock];
  const Loop<T> derivative = kRules<T>[static_cast<int>(args.rule)].dy;
  const index_t end = min_of(args.n, (tile.index + 1) * kChunk);
  for (index_t i = tile.index * kChunk; i < end; i += kBlock) {
    const index_t n = min_of(kBlock, end - i);
    evaluate<T>(derivative, slope, args.x + i, n, args.alpha, args.beta);
    for_vectors<T>(0, n, [&](index_t j, auto lanes) {
      const vec<T> dx = lanes.load(args.dout + i + j) * lanes.load(slope + j);
      T* p = args.dx + i + j;
      lanes.store(p, args.grad == Grad::Add ? lanes.load(p) + dx : dx);
    });
  }
}

}  // namespace

PYNET_EXPORT(activation, RuleArgs)
PYNET_EXPORT(activation_backward, RuleBackwardArgs)
PYNET_EXPORT(relu, ActivationArgs)
PYNET_EXPORT(relu_backward, ActivationBackwardArgs)
PYNET_EXPORT(sigmoid, ActivationArgs)
PYNET_EXPORT(sigmoid_backward, ActivationBackwardArgs)
PYNET_EXPORT(tanh, ActivationArgs)
PYNET_EXPORT(tanh_backward, ActivationBackwardArgs)

}  // namespace pynet::PYNET_ISA
