#include "cpu/loop.h"
#include "cpu/vmath.h"

namespace pynet::PYNET_ISA {
namespace {

// y = rule(x)
template <class T, class Rule>
PYNET_INLINE void forward(const ActivationArgs<T>& args, const Tile& tile, const Rule& rule) {
  for_tile<T>(args.n, tile, [&](index_t i, auto lanes) {
    lanes.store(args.y + i, rule(lanes.load(args.x + i)));
  });
}

// dx = rule(dout, y), written or added.
template <class T, class Rule>
PYNET_INLINE void backward(const ActivationBackwardArgs<T>& args, const Tile& tile,
                           const Rule& rule) {
  if (args.grad == Grad::Write) {
    for_tile<T>(args.n, tile, [&](index_t i, auto lanes) {
      lanes.store(args.dx + i, rule(lanes.load(args.dout + i), lanes.load(args.y + i)));
    });
  } else if (args.grad == Grad::Add) {
    for_tile<T>(args.n, tile, [&](index_t i, auto lanes) {
      const vec<T> dx = rule(lanes.load(args.dout + i), lanes.load(args.y + i));
      lanes.store(args.dx + i, lanes.load(args.dx + i) + dx);
    });
  }
}

template <class T>
Work backward_plan(const ActivationBackwardArgs<T>& args) {
  const double moved = args.grad == Grad::Add ? 4 * sizeof(T) : 3 * sizeof(T);
  return plan_elements(args.grad == Grad::Skip ? 0 : args.n, moved);
}

// max(0, x), written so that NaN stays NaN.
template <class T>
Work relu_plan(const ActivationArgs<T>& args) {
  return plan_elements(args.n, 2 * sizeof(T));
}
template <class T>
void relu_run(const ActivationArgs<T>& args, const Tile& tile) {
  forward<T>(args, tile, [](vec<T> x) { return x <= 0 ? vec<T>{} : x; });
}

template <class T>
Work relu_backward_plan(const ActivationBackwardArgs<T>& args) {
  return backward_plan(args);
}
template <class T>
void relu_backward_run(const ActivationBackwardArgs<T>& args, const Tile& tile) {
  backward<T>(args, tile, [](vec<T> dout, vec<T> y) { return y <= 0 ? vec<T>{} : dout; });
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

}  // namespace

PYNET_EXPORT(relu, ActivationArgs)
PYNET_EXPORT(relu_backward, ActivationBackwardArgs)
PYNET_EXPORT(sigmoid, ActivationArgs)
PYNET_EXPORT(sigmoid_backward, ActivationBackwardArgs)
PYNET_EXPORT(tanh, ActivationArgs)
PYNET_EXPORT(tanh_backward, ActivationBackwardArgs)

}  // namespace pynet::PYNET_ISA
