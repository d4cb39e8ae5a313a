#include "python/bind.h"

namespace pynet {
namespace {

NdArray add(py::object a_object, py::object b_object, py::object out) {
  Call call("add");
  Array a = call.array("a", a_object), b = call.array("b", b_object);
  b.expect_shape(a.shape(), "like a");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, a.shape(), true);
    run(kernels().add, AddArgs<T>{y.data<T>(), a.data<T>(), b.data<T>(), y.size()});
    return y.object();
  });
}

NdArray scale(py::object x_object, py::object alpha_object, py::object out) {
  Call call("scale");
  Array x = call.array("x", x_object);
  const double alpha = call.number("alpha", alpha_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, x.shape(), true);
    run(kernels().scale, ScaleArgs<T>{y.data<T>(), x.data<T>(), y.size(), static_cast<T>(alpha)});
    return y.object();
  });
}

NdArray clip(py::object x_object, py::object low_object, py::object high_object, py::object out) {
  Call call("clip");
  Array x = call.array("x", x_object);
  const double low = call.number("low", low_object), high = call.number("high", high_object);
  if (low > high) {
    fail_value(call.op(), "high",
               "expected at least low, " + std::to_string(low) + ", got " + std::to_string(high));
  }
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, x.shape(), true);
    run(kernels().clip,
        ClipArgs<T>{y.data<T>(), x.data<T>(), y.size(), static_cast<T>(low), static_cast<T>(high)});
    return y.object();
  });
}

}  // namespace

void bind_elementwise(py::module_& m) {
  def_op<&add>(m, "add", py::arg("a"), py::arg("b"), py::kw_only(), py::arg("out") = py::none());
  def_op<&scale>(m, "scale", py::arg("x"), py::arg("alpha"), py::kw_only(),
                 py::arg("out") = py::none());
  def_op<&clip>(m, "clip", py::arg("x"), py::arg("low"), py::arg("high"), py::kw_only(),
                py::arg("out") = py::none());
}

}  // namespace pynet
