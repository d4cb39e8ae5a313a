#include "python/bind.h"

namespace pynet {
namespace {

// --- softmax -------------------------------------------------------------------------------------

index_t row_length(const char* op, const Array& x) {
  if (x.ndim() == 0) fail_value(op, x.name(), "expected at least 1 dimension, got shape ()");
  return x.shape(-1);
}

template <class Pair>
NdArray forward(const char* op, const Pair& kernel, py::object x_object) {
  Call call(op);
  Array x = call.array("x", x_object);
  const index_t D = row_length(op, x);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", py::none(), x.shape());
    run(kernel, SoftmaxArgs<T>{y.data<T>(), x.data<T>(), x.size() / D, D});
    return y.object();
  });
}

template <class Pair>
NdArray backward(const char* op, const Pair& kernel, py::object dout_object, py::object y_object) {
  Call call(op);
  Array y = call.array("y", y_object), dout = call.follower("dout", dout_object);
  const index_t D = row_length(op, y);
  dout.expect_shape(y.shape(), "like y");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", py::none(), y.shape());
    run(kernel, SoftmaxBackwardArgs<T>{dx.data<T>(), dout.data<T>(), y.data<T>(), y.size() / D, D});
    return dx.object();
  });
}

NdArray softmax(py::object x) { return forward("softmax", kernels().softmax, x); }
NdArray log_softmax(py::object x) { return forward("log_softmax", kernels().log_softmax, x); }
NdArray softmax_backward(py::object dout, py::object y) {
  return backward("softmax_backward", kernels().softmax_backward, dout, y);
}
NdArray log_softmax_backward(py::object dout, py::object y) {
  return backward("log_softmax_backward", kernels().log_softmax_backward, dout, y);
}

// --- softmax cross entropy -----------------------------------------------------------------------

// Labels beside scores x: class numbers, or rows of weights.
class Labels {
 public:
  Labels(Call& call, const Array& x, py::handle object) {
    if (x.ndim() != 1 && x.ndim() != 2) {
      fail_value(call.op(), x.name(), "expected shape (N, D) or (D,), got " + repr(x.shape()));
    }
    N = x.ndim() == 2 ? x.shape(0) : 1;
    D = x.shape(-1);
    t_ = call.follower("t", object);
    const Shape& shape = t_.shape();
    // As many weights as scores; rows of one weight and single rows may leave that axis out.
    const bool as_rows = shape == x.shape() || shape == Shape{N, D} ||
                         (N == 1 && shape == Shape{D}) || (D == 1 && shape == Shape{N});
    const bool as_numbers =
        shape == Shape{N} || (N == 1 && (shape.empty() || shape == Shape{1, 1}));
    if (as_rows) return;
    if (!as_numbers) {
      fail_value(call.op(), "t",
                 "expected class numbers of shape " + repr({N}) + " or rows of shape " +
                     repr({N, D}) + ", got " + repr(shape));
    }
    numbers_ = call.indices<std::int64_t>(t_, D);
  }

  index_t N, D;

  const std::int64_t* numbers() const { return numbers_; }
  template <class T>
  const T* rows() {
    return numbers_ ? nullptr : t_.data<T>();
  }

 private:
  Array t_;
  const std::int64_t* numbers_ = nullptr;
};

py::tuple softmax_cross_entropy(py::object x_object, py::object t_object) {
  Call call("softmax_cross_entropy");
  Array x = call.array("x", x_object);
  Labels t(call, x, t_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", py::none(), x.shape());
    double loss = 0;
    run(kernels().softmax_cross_entropy,
        SoftmaxCrossEntropyArgs<T>{y.data<T>(), &loss, x.data<T>(), t.numbers(), t.rows<T>(), t.N,
                                   t.D, nullptr, 0});
    return py::make_tuple(loss, y.object());
  });
}

NdArray softmax_cross_entropy_backward(py::object y_object, py::object t_object,
                                       py::object scale_object) {
  Call call("softmax_cross_entropy_backward");
  Array y = call.array("y", y_object);
  Labels t(call, y, t_object);
  const double scale = call.number("scale", scale_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", py::none(), y.shape());
    run(kernels().softmax_cross_entropy_backward,
        SoftmaxCrossEntropyBackwardArgs<T>{dx.data<T>(), y.data<T>(), t.numbers(), t.rows<T>(), t.N,
                                           t.D, scale});
    return dx.object();
  });
}

// --- losses of pairs -----------------------------------------------------------------------------

index_t batch_size(const char* op, const Array& x) {
  row_length(op, x);
  return x.shape(0);
}

py::tuple sigmoid_cross_entropy(py::object x_object, py::object t_object) {
  Call call("sigmoid_cross_entropy");
  Array x = call.array("x", x_object), t = call.follower("t", t_object);
  const index_t N = batch_size(call.op(), x);
  t.expect_shape(x.shape(), "like x");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", py::none(), x.shape());
    double loss = 0;
    run(kernels().sigmoid_cross_entropy,
        PairLossArgs<T>{y.data<T>(), &loss, x.data<T>(), t.data<T>(), x.size(), N});
    return py::make_tuple(loss, y.object());
  });
}

double squared_error(py::object y_object, py::object t_object) {
  Call call("squared_error");
  Array y = call.array("y", y_object), t = call.follower("t", t_object);
  const index_t N = batch_size(call.op(), y);
  t.expect_shape(y.shape(), "like y");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    double loss = 0;
    run(kernels().squared_error,
        PairLossArgs<T>{nullptr, &loss, y.data<T>(), t.data<T>(), y.size(), N});
    return loss;
  });
}

NdArray pair_loss_backward(const char* op, py::object y_object, py::object t_object,
                           py::object scale_object) {
  Call call(op);
  Array y = call.array("y", y_object), t = call.follower("t", t_object);
  const index_t N = batch_size(op, y);
  t.expect_shape(y.shape(), "like y");
  const double scale = call.number("scale", scale_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", py::none(), y.shape());
    run(kernels().pair_loss_backward,
        PairLossBackwardArgs<T>{dx.data<T>(), y.data<T>(), t.data<T>(), y.size(), N, scale});
    return dx.object();
  });
}
NdArray sigmoid_cross_entropy_backward(py::object y, py::object t, py::object scale) {
  return pair_loss_backward("sigmoid_cross_entropy_backward", y, t, scale);
}
NdArray squared_error_backward(py::object y, py::object t, py::object scale) {
  return pair_loss_backward("squared_error_backward", y, t, scale);
}

template <auto function>
void def_loss_backward(py::module_& m, const char* name) {
  def_op<function>(m, name, py::arg("y"), py::arg("t"), py::kw_only(), py::arg("scale") = 1.0);
}

}  // namespace

void bind_loss(py::module_& m) {
  using py::arg;
  def_op<&softmax>(m, "softmax", arg("x"));
  def_op<&softmax_backward>(m, "softmax_backward", arg("dout"), arg("y"));
  def_op<&log_softmax>(m, "log_softmax", arg("x"));
  def_op<&log_softmax_backward>(m, "log_softmax_backward", arg("dout"), arg("y"));
  def_op<&softmax_cross_entropy>(m, "softmax_cross_entropy", arg("x"), arg("t"));
  def_op<&sigmoid_cross_entropy>(m, "sigmoid_cross_entropy", arg("x"), arg("t"));
  def_op<&squared_error>(m, "squared_error", arg("y"), arg("t"));
  def_loss_backward<&softmax_cross_entropy_backward>(m, "softmax_cross_entropy_backward");
  def_loss_backward<&sigmoid_cross_entropy_backward>(m, "sigmoid_cross_entropy_backward");
  def_loss_backward<&squared_error_backward>(m, "squared_error_backward");
}

}  // namespace pynet
