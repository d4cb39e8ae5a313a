#include <algorithm>
#include <limits>

#include "python/bind.h"

namespace pynet {
namespace {

// The options that all five ops share, as they come from Python.
struct Window {
  Pair stride, pad, dilation;
};

Window window_of(const Call& call, py::handle stride, py::handle pad, py::handle dilation) {
  return {call.pair("stride", stride, 1), call.pair("pad", pad, 0),
          call.pair("dilation", dilation, 1)};
}

std::string text(const Pair& pair) { return repr(Shape{pair.h, pair.w}); }

// The sizes of a convolution of an image of x_shape with FN filters of kernel.h x kernel.w.
// `argument` names what is too small when not one window fits.
ConvShape conv_shape(const Call& call, const char* argument, const Shape& x_shape, index_t FN,
                     const Pair& kernel, const Window& window, index_t groups) {
  const auto fits = [](index_t in, index_t k, index_t pad, index_t dilation) {
    return k - 1 <= (in + 2 * pad - 1) / dilation;  // dilation*(k-1) + 1 <= in + 2*pad
  };
  const Pair &stride = window.stride, &pad = window.pad, &dilation = window.dilation;
  ConvShape s{};
  s.N = x_shape[0], s.C = x_shape[1], s.H = x_shape[2], s.W = x_shape[3];
  s.FN = FN, s.FH = kernel.h, s.FW = kernel.w, s.groups = groups;
  if (!fits(s.H, s.FH, pad.h, dilation.h) || !fits(s.W, s.FW, pad.w, dilation.w)) {
    const auto least = [](index_t k, index_t pad, index_t dilation) {
      constexpr index_t most = index_t(1) << 31;
      return std::max<index_t>(1, dilation * std::min(k - 1, most) + 1 - 2 * pad);
    };
    fail_value(call.op(), argument,
               "expected at least " +
                   text(Pair{least(s.FH, pad.h, dilation.h), least(s.FW, pad.w, dilation.w)}) +
                   " pixels for a kernel of " + text(kernel) + " with padding " + text(pad) +
                   " and dilation " + text(dilation) + ", got " + repr(x_shape));
  }
  s.stride_h = stride.h, s.stride_w = stride.w, s.pad_h = pad.h, s.pad_w = pad.w;
  s.dilation_h = dilation.h, s.dilation_w = dilation.w;
  s.OH = (s.H + 2 * pad.h - dilation.h * (s.FH - 1) - 1) / stride.h + 1;
  s.OW = (s.W + 2 * pad.w - dilation.w * (s.FW - 1) - 1) / stride.w + 1;
  return s;
}

// The same for filters of W_shape, whose channels must be those of the image.
ConvShape filter_shape(const Call& call, const char* x_name, const Shape& x_shape,
                       const char* W_name, const Shape& W_shape, const Window& window,
                       py::handle groups_object) {
  const index_t FN = W_shape[0], C = x_shape[1];
  const index_t groups = call.integer("groups", groups_object, 1, std::max(FN, C));
  if (C % groups != 0) {
    fail_value(call.op(), "groups",
               "expected a divisor of the " + std::to_string(C) + " channels of " + x_name +
                   ", got " + std::to_string(groups));
  }
  if (W_shape[1] != C / groups) {
    fail_value(call.op(), W_name,
               "expected " + std::to_string(C / groups) + " input channels like " + x_name +
                   (groups > 1 ? " in " + std::to_string(groups) + " groups" : "") + ", got " +
                   repr(W_shape));
  }
  if (FN % groups != 0) {
    fail_value(call.op(), W_name,
               "expected a multiple of " + std::to_string(groups) +
                   " filters, one part for each group, got " + repr(W_shape));
  }
  return conv_shape(call, x_name, x_shape, FN, {W_shape[2], W_shape[3]}, window, groups);
}

constexpr const char* kImages = "(N, C, H, W)";
constexpr const char* kFilters = "(FN, C/groups, FH, FW)";

// What goes into a convolution: an image, its filters and their bias.
struct Inputs {
  Array x, W, b;
  ConvShape s;

  Inputs(Call& call, py::handle x_object, py::handle W_object, py::handle b_object,
         const Window& window, py::handle groups)
      : x(call.array("x", x_object)), W(call.array("W", W_object)) {
    x.expect_rank(4, kImages);
    W.expect_rank(4, kFilters);
    s = filter_shape(call, "x", x.shape(), "W", W.shape(), window, groups);
    // A plain number takes the data type of the arrays beside it.
    if (PyFloat_Check(b_object.ptr()) || PyLong_Check(b_object.ptr())) {
      number_ = PyFloat_AsDouble(b_object.ptr());
      is_number_ = true;
      return;
    }
    b = b_object.is_none() ? Array() : call.follower("b", b_object);
    if (b && b.ndim() > 0) b = call.array("b", b_object);
    if (b && b.ndim() > 0) b.expect_shape({s.FN}, "with one bias for each filter, or a number");
  }

  // The bias of each filter, or null.
  template <class T>
  const T* bias() {
    if (b && b.ndim() == 0) number_ = number_in(b.object()), is_number_ = true;
    if (!is_number_) return b.data<T>();
    spread_ =
        Array("conv2d", "b", filled_array("conv2d", "b", {s.FN}, py::dtype::of<T>(), number_));
    return spread_.data<T>();
  }

 private:
  double number_ = 0;
  bool is_number_ = false;
  Array spread_;
};

NdArray conv2d(py::object x, py::object W, py::object b, py::object stride, py::object pad,
               py::object dilation, py::object groups, bool relu, py::object out) {
  Call call("conv2d");
  Inputs in(call, x, W, b, window_of(call, stride, pad, dilation), groups);
  const ConvShape& s = in.s;
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, {s.N, s.FN, s.OH, s.OW});
    run(kernels().conv2d, Conv2dArgs<T>{y.data<T>(), in.x.data<T>(), in.W.data<T>(), in.bias<T>(),
                                        s, relu, winograd()});
    return y.object();
  });
}

// Windows side by side over the output of a convolution.
PoolShape pool_shape(const Call& call, const ConvShape& s, py::handle kernel_object) {
  const Pair kernel = call.pair("kernel", kernel_object, 1);
  if (kernel.h > s.OH || kernel.w > s.OW) {
    fail_value(call.op(), "kernel",
               "expected at most the output of the convolution " + repr({s.OH, s.OW}) + ", got " +
                   repr({kernel.h, kernel.w}));
  }
  if (kernel.h * kernel.w > std::numeric_limits<std::int32_t>::max()) {
    fail_value(call.op(), "kernel", "expected fewer than 2^31 pixels, got " + text(kernel));
  }
  PoolShape pool{};
  pool.N = s.N, pool.C = s.FN, pool.H = s.OH, pool.W = s.OW;
  pool.FH = pool.stride_h = kernel.h, pool.FW = pool.stride_w = kernel.w;
  pool.OH = s.OH / kernel.h, pool.OW = s.OW / kernel.w;
  return pool;
}

py::tuple conv2d_max_pool2d(py::object x, py::object W, py::object b, py::object kernel,
                            py::object stride, py::object pad, py::object dilation,
                            py::object groups, bool relu) {
  Call call("conv2d_max_pool2d");
  Inputs in(call, x, W, b, window_of(call, stride, pad, dilation), groups);
  const PoolShape pool = pool_shape(call, in.s, kernel);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    const Shape shape = {pool.N, pool.C, pool.OH, pool.OW};
    Array y = call.output<T>("y", py::none(), shape);
    Array arg = call.output<std::int32_t>("arg", py::none(), shape);
    run(kernels().conv2d_max_pool2d,
        Conv2dMaxPool2dArgs<T>{y.data<T>(), arg.data<std::int32_t>(), in.x.data<T>(),
                               in.W.data<T>(), in.bias<T>(), in.s, pool, relu, winograd()});
    return py::make_tuple(y.object(), arg.object());
  });
}

NdArray conv2d_dx(py::object dout_object, py::object W_object, py::object x_shape_object,
                  py::object stride, py::object pad, py::object dilation, py::object groups,
                  py::object out, bool add) {
  Call call("conv2d_dx");
  Array dout = call.follower("dout", dout_object), W = call.array("W", W_object);
  W.expect_rank(4, kFilters);
  const Shape x_shape = call.shape("x_shape", x_shape_object, 4);
  const ConvShape s = filter_shape(call, "x_shape", x_shape, "W", W.shape(),
                                   window_of(call, stride, pad, dilation), groups);
  dout.expect_shape({s.N, s.FN, s.OH, s.OW}, "like the output of conv2d");
  if (add && out.is_none()) {
    fail_value(call.op(), "out", "expected an array to add to, as add is true, got None");
  }
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, x_shape);
    run(kernels().conv2d_dx, Conv2dDxArgs<T>{dx.data<T>(), dout.data<T>(), W.data<T>(), s,
                                             add ? Grad::Add : Grad::Write, winograd(), nullptr});
    return dx.object();
  });
}

NdArray conv2d_dW(py::object dout_object, py::object x_object, py::object W_shape_object,
                  py::object stride, py::object pad, py::object dilation, py::object groups,
                  py::object out) {
  Call call("conv2d_dW");
  Array dout = call.follower("dout", dout_object), x = call.array("x", x_object);
  x.expect_rank(4, kImages);
  const Shape W_shape = call.shape("W_shape", W_shape_object, 4);
  const ConvShape s = filter_shape(call, "x", x.shape(), "W_shape", W_shape,
                                   window_of(call, stride, pad, dilation), groups);
  dout.expect_shape({s.N, s.FN, s.OH, s.OW}, "like the output of conv2d");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dW = call.output<T>("out", out, W_shape);
    run(kernels().conv2d_dW,
        Conv2dDwArgs<T>{dW.data<T>(), dout.data<T>(), x.data<T>(), s, winograd()});
    return dW.object();
  });
}

// The sizes of im2col and col2im, and the matrix between them.
ConvShape column_shape(const Call& call, const char* x_name, const Shape& x_shape, py::handle FH,
                       py::handle FW, const Window& window) {
  constexpr index_t most = std::numeric_limits<std::int32_t>::max();
  const Pair kernel{call.integer("FH", FH, 1, most), call.integer("FW", FW, 1, most)};
  const ConvShape s = conv_shape(call, x_name, x_shape, 1, kernel, window, 1);
  call.expect_size("col", {s.N, s.OH, s.OW, s.C, s.FH, s.FW});
  return s;
}

Shape columns(const ConvShape& s) { return {s.N * s.OH * s.OW, s.C * s.FH * s.FW}; }

NdArray im2col(py::object x_object, py::object FH, py::object FW, py::object stride, py::object pad,
               py::object dilation) {
  Call call("im2col");
  Array x = call.array("x", x_object);
  x.expect_rank(4, kImages);
  const ConvShape s =
      column_shape(call, "x", x.shape(), FH, FW, window_of(call, stride, pad, dilation));
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array col = call.output<T>("col", py::none(), columns(s));
    run(kernels().im2col, Im2colArgs<T>{col.data<T>(), x.data<T>(), s});
    return col.object();
  });
}

NdArray col2im(py::object col_object, py::object x_shape_object, py::object FH, py::object FW,
               py::object stride, py::object pad, py::object dilation) {
  Call call("col2im");
  Array col = call.array("col", col_object);
  const Shape x_shape = call.shape("x_shape", x_shape_object, 4);
  const ConvShape s =
      column_shape(call, "x_shape", x_shape, FH, FW, window_of(call, stride, pad, dilation));
  col.expect_shape(columns(s), "with a row for each window");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array x = call.output<T>("x", py::none(), x_shape);
    run(kernels().col2im, Col2imArgs<T>{x.data<T>(), col.data<T>(), s});
    return x.object();
  });
}

}  // namespace

void bind_conv(py::module_& m) {
  const auto stride = py::arg("stride") = 1, pad = py::arg("pad") = 0;
  const auto dilation = py::arg("dilation") = 1, groups = py::arg("groups") = 1;
  const auto out = py::arg("out") = py::none();
  def_op<&conv2d>(m, "conv2d", py::arg("x"), py::arg("W"), py::arg("b") = py::none(), py::kw_only(),
                  stride, pad, dilation, groups, py::arg("relu") = false, out);
  def_op<&conv2d_max_pool2d>(m, "conv2d_max_pool2d", py::arg("x"), py::arg("W"), py::arg("b"),
                             py::arg("kernel"), py::kw_only(), stride, pad, dilation, groups,
                             py::arg("relu") = false);
  def_op<&conv2d_dx>(m, "conv2d_dx", py::arg("dout"), py::arg("W"), py::arg("x_shape"),
                     py::kw_only(), stride, pad, dilation, groups, out, py::arg("add") = false);
  def_op<&conv2d_dW>(m, "conv2d_dW", py::arg("dout"), py::arg("x"), py::arg("W_shape"),
                     py::kw_only(), stride, pad, dilation, groups, out);
  def_op<&im2col>(m, "im2col", py::arg("x"), py::arg("FH"), py::arg("FW"), py::kw_only(), stride,
                  pad, dilation);
  def_op<&col2im>(m, "col2im", py::arg("col"), py::arg("x_shape"), py::arg("FH"), py::arg("FW"),
                  py::kw_only(), stride, pad, dilation);
}

}  // namespace pynet
