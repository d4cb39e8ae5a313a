#include "rules/activation.h"

#include "cuda/elements.h"

namespace pynet::cuda {
namespace {

// y = rule(x)
template <class T, class F>
void forward(const char* op, const ActivationArgs<T>& args, const F& rule) {
  for_elements(op, args.n, [=] __device__(T& y, T x) { y = rule(x); }, out(args.y), in(args.x));
}

// dx = rule(dout, y), written or added.
template <class T, class F>
void backward(const char* op, const ActivationBackwardArgs<T>& args, const F& rule) {
  if (args.grad == Grad::Write) {
    for_elements(
        op, args.n, [=] __device__(T& dx, T dout, T y) { dx = rule(dout, y); }, out(args.dx),
        in(args.dout), in(args.y));
  } else if (args.grad == Grad::Add) {
    for_elements(
        op, args.n, [=] __device__(T& dx, T dout, T y) { dx += rule(dout, y); }, in_out(args.dx),
        in(args.dout), in(args.y));
  }
}

#define PYNET_ACTIVATION(name, y_of_x, dx_of_dout_y)                             \
  template <class T>                                                             \
  struct name##_rule {                                                           \
    PYNET_INLINE T operator()(T x) const { return y_of_x; }                      \
    PYNET_INLINE T operator()(T dout, T y) const { return dx_of_dout_y; }        \
  };                                                                             \
  template <class T>                                                             \
  Work name##_plan(const ActivationArgs<T>&) {                                   \
    return plan_launch();                                                        \
  }                                                                              \
  template <class T>                                                             \
  void name##_run(const ActivationArgs<T>& args, const Tile&) {                  \
    forward(#name, args, name##_rule<T>{});                                      \
  }                                                                              \
  template <class T>                                                             \
  Work name##_backward_plan(const ActivationBackwardArgs<T>&) {                  \
    return plan_launch();                                                        \
  }                                                                              \
  template <class T>                                                             \
  void name##_backward_run(const ActivationBackwardArgs<T>& args, const Tile&) { \
    backward(#name "_backward", args, name##_rule<T>{});                         \
  }

PYNET_ACTIVATION(relu, relu_of<T>(x), through_relu<T>(dout, y))
PYNET_ACTIVATION(sigmoid, sigmoid_of<T>(x), dout * (1 - y) * y)
PYNET_ACTIVATION(tanh, tanh_of<T>(x), dout * ((1 - y) * (1 + y)))
#undef PYNET_ACTIVATION

// --- the family ----------------------------------------------------------------------------------

// One kernel for all rules: which one is the same for every thread, and memory is what takes time.
template <class T>
PYNET_INLINE T y_of(Rule rule, T x, T a, T b) {
  switch (rule) {
#define PYNET_CASE(name, cost) \
  case Rule::name:             \
    return rules::name<T>::y(x, a, b);
    PYNET_ACTIVATIONS(PYNET_CASE)
#undef PYNET_CASE
  }
  return x;
}
template <class T>
PYNET_INLINE T dy_of(Rule rule, T x, T a, T b) {
  switch (rule) {
#define PYNET_CASE(name, cost) \
  case Rule::name:             \
    return rules::name<T>::dy(x, a, b);
    PYNET_ACTIVATIONS(PYNET_CASE)
#undef PYNET_CASE
  }
  return x;
}

template <class T>
Work activation_plan(const RuleArgs<T>&) {
  return plan_launch();
}
template <class T>
void activation_run(const RuleArgs<T>& args, const Tile&) {
  for_indices("activation", args.n, [=] __device__(index_t i) {
    args.y[i] = y_of(args.rule, args.x[i], args.alpha, args.beta);
  });
}

template <class T>
Work activation_backward_plan(const RuleBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void activation_backward_run(const RuleBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const bool add = args.grad == Grad::Add;
  for_indices("activation_backward", args.n, [=] __device__(index_t i) {
    const T dx = args.dout[i] * dy_of(args.rule, args.x[i], args.alpha, args.beta);
    args.dx[i] = add ? args.dx[i] + dx : dx;
  });
}

}  // namespace

PYNET_EXPORT(relu, ActivationArgs)
PYNET_EXPORT(relu_backward, ActivationBackwardArgs)
PYNET_EXPORT(sigmoid, ActivationArgs)
PYNET_EXPORT(sigmoid_backward, ActivationBackwardArgs)
PYNET_EXPORT(tanh, ActivationArgs)
PYNET_EXPORT(tanh_backward, ActivationBackwardArgs)
PYNET_EXPORT(activation, RuleArgs)
PYNET_EXPORT(activation_backward, RuleBackwardArgs)

}  // namespace pynet::cuda
