#include <cmath>

#include "python/bind.h"

namespace pynet {
namespace {

double sum(py::object x_object) {
  Call call("sum");
  Array x = call.array("x", x_object, true);
  if (x.size() == 0) return 0;
  double result = 0;
  call.dispatch([&](auto zero) {
    using T = decltype(zero);
    run(kernels().sum, SumArgs<T>{&result, x.data<T>(), x.size()});
  });
  return result;
}

double norm(py::object x_object) {
  Call call("norm");
  Array x = call.array("x", x_object, true);
  if (x.size() == 0) return 0;
  double squares = 0;
  call.dispatch([&](auto zero) {
    using T = decltype(zero);
    run(kernels().sum_squares, SumArgs<T>{&squares, x.data<T>(), x.size()});
  });
  return std::sqrt(squares);
}

NdArray sum_channels(py::object x_object, py::object out) {
  Call call("sum_channels");
  Array x = call.array("x", x_object);
  if (x.ndim() != 2 && x.ndim() != 4) {
    fail_value(call.op(), "x",
               "expected 2 dimensions (N, C) or 4 (N, C, H, W), got shape " + repr(x.shape()));
  }
  const index_t S = x.ndim() == 4 ? x.shape(2) * x.shape(3) : 1;
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, {x.shape(1)});
    run(kernels().sum_channels,
        SumChannelsArgs<T>{y.data<T>(), x.data<T>(), x.shape(0), x.shape(1), S});
    return y.object();
  });
}

}  // namespace

void bind_reduce(py::module_& m) {
  def_op<&sum>(m, "sum", py::arg("x"));
  def_op<&norm>(m, "norm", py::arg("x"));
  def_op<&sum_channels>(m, "sum_channels", py::arg("x"), py::kw_only(),
                        py::arg("out") = py::none());
}

}  // namespace pynet
