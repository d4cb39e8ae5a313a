#include <limits>

#include "python/bind.h"

namespace pynet {
namespace {

// How a window moves over the image, as the caller gave it.
struct Windows {
  py::object kernel, stride, pad;
};

// Every window must see at least one pixel, so that its maximum and its mean exist.
PoolShape pool_shape(const Call& call, const Shape& x, const Windows& windows) {
  const Pair kernel = call.pair("kernel", windows.kernel, 1);
  const Pair stride = windows.stride.is_none() ? kernel : call.pair("stride", windows.stride, 1);
  const Pair pad = call.pair("pad", windows.pad, 0);
  if (pad.h >= kernel.h || pad.w >= kernel.w) {
    fail_value(call.op(), "pad",
               "expected less than the kernel " + repr({kernel.h, kernel.w}) +
                   ", so that every window sees a pixel, got " + repr({pad.h, pad.w}));
  }
  PoolShape s{};
  s.N = x[0], s.C = x[1], s.H = x[2], s.W = x[3];
  s.FH = kernel.h, s.FW = kernel.w;
  s.stride_h = stride.h, s.stride_w = stride.w, s.pad_h = pad.h, s.pad_w = pad.w;
  if (s.FH > s.H + 2 * s.pad_h || s.FW > s.W + 2 * s.pad_w) {
    fail_value(call.op(), "kernel",
               "expected at most the padded image " + repr({s.H + 2 * s.pad_h, s.W + 2 * s.pad_w}) +
                   ", got " + repr({s.FH, s.FW}));
  }
  if (s.FH * s.FW > std::numeric_limits<std::int32_t>::max()) {
    fail_value(call.op(), "kernel", "expected fewer than 2^31 pixels, got " + repr({s.FH, s.FW}));
  }
  s.OH = (s.H + 2 * s.pad_h - s.FH) / s.stride_h + 1;
  s.OW = (s.W + 2 * s.pad_w - s.FW) / s.stride_w + 1;
  return s;
}

Shape out_shape(const PoolShape& s) { return {s.N, s.C, s.OH, s.OW}; }

// The windows that make one mean of each channel.
PoolShape whole_image(const Shape& x) {
  PoolShape s{};
  s.N = x[0], s.C = x[1], s.H = s.FH = x[2], s.W = s.FW = x[3];
  s.OH = s.OW = s.stride_h = s.stride_w = 1;
  return s;
}

Grad grad_mode(const Call& call, bool add, const py::object& out) {
  if (add && out.is_none()) fail_value(call.op(), "out", "expected an array to add to, got None");
  return add ? Grad::Add : Grad::Write;
}

py::tuple max_pool2d(py::object x_object, py::object kernel, py::object stride, py::object pad) {
  Call call("max_pool2d");
  Array x = call.array("x", x_object);
  x.expect_rank(4, "(N, C, H, W)");
  const PoolShape s = pool_shape(call, x.shape(), {kernel, stride, pad});
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", py::none(), out_shape(s));
    Array arg = call.output<std::int32_t>("arg", py::none(), out_shape(s));
    run(kernels().max_pool2d,
        MaxPool2dArgs<T>{y.data<T>(), arg.data<std::int32_t>(), x.data<T>(), s});
    return py::make_tuple(y.object(), arg.object());
  });
}

NdArray max_pool2d_backward(py::object dout_object, py::object arg_object, py::object x_shape,
                            py::object kernel, py::object stride, py::object pad,
                            py::object y_object, py::object out, bool add) {
  Call call("max_pool2d_backward");
  // With y this is relu_backward as well, whose data type is that of y.
  Array y = call.optional("y", y_object);
  Array dout = y ? call.follower("dout", dout_object) : call.array("dout", dout_object);
  Array arg = call.follower("arg", arg_object);
  const Shape shape = call.shape("x_shape", x_shape, 4);
  const PoolShape s = pool_shape(call, shape, {kernel, stride, pad});
  const Grad grad = grad_mode(call, add, out);
  dout.expect_shape(out_shape(s), "like the output of max_pool2d");
  arg.expect_shape(out_shape(s), "like dout");
  if (y) y.expect_shape(out_shape(s), "like dout");
  const std::int32_t* places = call.indices<std::int32_t>(arg, s.FH * s.FW);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, shape);
    run(kernels().max_pool2d_backward,
        MaxPool2dBackwardArgs<T>{dx.data<T>(), dout.data<T>(), places, y.data<T>(), s, grad});
    return dx.object();
  });
}

NdArray avg_pool(Call& call, Array& x, const PoolShape& s, bool count_pad, const Shape& y_shape) {
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", py::none(), y_shape);
    run(kernels().avg_pool2d, AvgPool2dArgs<T>{y.data<T>(), x.data<T>(), s, count_pad});
    return y.object();
  });
}

NdArray avg_pool_backward(Call& call, Array& dout, const PoolShape& s, bool count_pad,
                          py::object out, Grad grad) {
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, {s.N, s.C, s.H, s.W});
    run(kernels().avg_pool2d_backward,
        AvgPool2dBackwardArgs<T>{dx.data<T>(), dout.data<T>(), s, count_pad, grad});
    return dx.object();
  });
}

NdArray avg_pool2d(py::object x_object, py::object kernel, py::object stride, py::object pad,
                   bool count_pad) {
  Call call("avg_pool2d");
  Array x = call.array("x", x_object);
  x.expect_rank(4, "(N, C, H, W)");
  const PoolShape s = pool_shape(call, x.shape(), {kernel, stride, pad});
  return avg_pool(call, x, s, count_pad, out_shape(s));
}

NdArray avg_pool2d_backward(py::object dout_object, py::object x_shape, py::object kernel,
                            py::object stride, py::object pad, bool count_pad, py::object out,
                            bool add) {
  Call call("avg_pool2d_backward");
  Array dout = call.array("dout", dout_object);
  const Shape shape = call.shape("x_shape", x_shape, 4);
  const PoolShape s = pool_shape(call, shape, {kernel, stride, pad});
  const Grad grad = grad_mode(call, add, out);
  dout.expect_shape(out_shape(s), "like the output of avg_pool2d");
  return avg_pool_backward(call, dout, s, count_pad, out, grad);
}

NdArray global_avg_pool2d(py::object x_object) {
  Call call("global_avg_pool2d");
  Array x = call.array("x", x_object);
  x.expect_rank(4, "(N, C, H, W)");
  return avg_pool(call, x, whole_image(x.shape()), true, {x.shape(0), x.shape(1)});
}

NdArray global_avg_pool2d_backward(py::object dout_object, py::object x_shape, py::object out,
                                   bool add) {
  Call call("global_avg_pool2d_backward");
  Array dout = call.array("dout", dout_object);
  const Shape shape = call.shape("x_shape", x_shape, 4);
  const Grad grad = grad_mode(call, add, out);
  dout.expect_shape({shape[0], shape[1]}, "like the output of global_avg_pool2d");
  return avg_pool_backward(call, dout, whole_image(shape), true, out, grad);
}

}  // namespace

void bind_pool(py::module_& m) {
  def_op<&max_pool2d>(m, "max_pool2d", py::arg("x"), py::arg("kernel"), py::kw_only(),
                      py::arg("stride") = py::none(), py::arg("pad") = 0);
  def_op<&max_pool2d_backward>(
      m, "max_pool2d_backward", py::arg("dout"), py::arg("arg"), py::arg("x_shape"),
      py::arg("kernel"), py::kw_only(), py::arg("stride") = py::none(), py::arg("pad") = 0,
      py::arg("y") = py::none(), py::arg("out") = py::none(), py::arg("add") = false);
  def_op<&avg_pool2d>(m, "avg_pool2d", py::arg("x"), py::arg("kernel"), py::kw_only(),
                      py::arg("stride") = py::none(), py::arg("pad") = 0,
                      py::arg("count_pad") = true);
  def_op<&avg_pool2d_backward>(m, "avg_pool2d_backward", py::arg("dout"), py::arg("x_shape"),
                               py::arg("kernel"), py::kw_only(), py::arg("stride") = py::none(),
                               py::arg("pad") = 0, py::arg("count_pad") = true,
                               py::arg("out") = py::none(), py::arg("add") = false);
  def_op<&global_avg_pool2d>(m, "global_avg_pool2d", py::arg("x"));
  def_op<&global_avg_pool2d_backward>(m, "global_avg_pool2d_backward", py::arg("dout"),
                                      py::arg("x_shape"), py::kw_only(),
                                      py::arg("out") = py::none(), py::arg("add") = false);
}

}  // namespace pynet
