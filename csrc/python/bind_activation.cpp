#include "python/bind.h"

namespace pynet {
namespace {

template <class Pair>
NdArray forward(const char* op, const Pair& kernel, py::object x_object, py::object out) {
  Call call(op);
  Array x = call.array("x", x_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, x.shape(), true);
    run(kernel, ActivationArgs<T>{y.data<T>(), x.data<T>(), y.size()});
    return y.object();
  });
}

template <class Pair>
NdArray backward(const char* op, const Pair& kernel, py::object dout_object, py::object y_object,
                 py::object out, bool add) {
  Call call(op);
  Array y = call.array("y", y_object), dout = call.follower("dout", dout_object);
  dout.expect_shape(y.shape(), "like y");
  if (add && out.is_none()) {
    fail_value(op, "out", "expected an array to add to, as add is True, got None");
  }
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, y.shape(), true);
    run(kernel, ActivationBackwardArgs<T>{dx.data<T>(), dout.data<T>(), y.data<T>(), y.size(),
                                          add ? Grad::Add : Grad::Write});
    return dx.object();
  });
}

NdArray relu(py::object x, py::object out) { return forward("relu", kernels().relu, x, out); }
NdArray sigmoid(py::object x, py::object out) {
  return forward("sigmoid", kernels().sigmoid, x, out);
}
NdArray tanh(py::object x, py::object out) { return forward("tanh", kernels().tanh, x, out); }

NdArray relu_backward(py::object dout, py::object y, py::object out, bool add) {
  return backward("relu_backward", kernels().relu_backward, dout, y, out, add);
}
NdArray sigmoid_backward(py::object dout, py::object y, py::object out, bool add) {
  return backward("sigmoid_backward", kernels().sigmoid_backward, dout, y, out, add);
}
NdArray tanh_backward(py::object dout, py::object y, py::object out, bool add) {
  return backward("tanh_backward", kernels().tanh_backward, dout, y, out, add);
}

// --- the family ----------------------------------------------------------------------------------

constexpr const char* kNames[] = {
#define PYNET_NAME(name, cost) #name,
    PYNET_ACTIVATIONS(PYNET_NAME)
#undef PYNET_NAME
};

Rule rule_of(const Call& call, py::handle name) {
  if (!py::isinstance<py::str>(name)) {
    fail_type(call.op(), "name", "expected a name, got " + text_of(name));
  }
  std::string names;
  int number = 0;
  for (const char* known : kNames) {
    if (PyUnicode_CompareWithASCIIString(name.ptr(), known) == 0) return static_cast<Rule>(number);
    names += (number++ ? ", " : "") + std::string(known);
  }
  fail_value(call.op(), "name", "expected one of " + names + ", got " + text_of(name));
}

NdArray activation(py::object x_object, py::object name, py::object alpha_object,
                   py::object beta_object, py::object out) {
  Call call("activation");
  Array x = call.array("x", x_object);
  const Rule rule = rule_of(call, name);
  const double alpha = call.number("alpha", alpha_object), beta = call.number("beta", beta_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, x.shape(), true);
    run(kernels().activation, RuleArgs<T>{y.data<T>(), x.data<T>(), y.size(), rule,
                                          static_cast<T>(alpha), static_cast<T>(beta)});
    return y.object();
  });
}

NdArray activation_backward(py::object dout_object, py::object x_object, py::object name,
                            py::object alpha_object, py::object beta_object, py::object out,
                            bool add) {
  Call call("activation_backward");
  Array x = call.array("x", x_object), dout = call.follower("dout", dout_object);
  dout.expect_shape(x.shape(), "like x");
  const Rule rule = rule_of(call, name);
  const double alpha = call.number("alpha", alpha_object), beta = call.number("beta", beta_object);
  if (add && out.is_none()) {
    fail_value(call.op(), "out", "expected an array to add to, as add is True, got None");
  }
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, x.shape(), true);
    run(kernels().activation_backward,
        RuleBackwardArgs<T>{dx.data<T>(), dout.data<T>(), x.data<T>(), x.size(), rule,
                            static_cast<T>(alpha), static_cast<T>(beta),
                            add ? Grad::Add : Grad::Write});
    return dx.object();
  });
}

template <auto function>
void def_forward(py::module_& m, const char* name) {
  def_op<function>(m, name, py::arg("x"), py::kw_only(), py::arg("out") = py::none());
}

template <auto function>
void def_backward(py::module_& m, const char* name) {
  def_op<function>(m, name, py::arg("dout"), py::arg("y"), py::kw_only(),
                   py::arg("out") = py::none(), py::arg("add") = false);
}

}  // namespace

void bind_activation(py::module_& m) {
  def_forward<&relu>(m, "relu");
  def_forward<&sigmoid>(m, "sigmoid");
  def_forward<&tanh>(m, "tanh");
  def_backward<&relu_backward>(m, "relu_backward");
  def_backward<&sigmoid_backward>(m, "sigmoid_backward");
  def_backward<&tanh_backward>(m, "tanh_backward");
  def_op<&activation>(m, "activation", py::arg("x"), py::arg("name"), py::arg("alpha") = 1.0,
                      py::arg("beta") = 1.0, py::kw_only(), py::arg("out") = py::none());
  def_op<&activation_backward>(m, "activation_backward", py::arg("dout"), py::arg("x"),
                               py::arg("name"), py::arg("alpha") = 1.0, py::arg("beta") = 1.0,
                               py::kw_only(), py::arg("out") = py::none(), py::arg("add") = false);
}

}  // namespace pynet
