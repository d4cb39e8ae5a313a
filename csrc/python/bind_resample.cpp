#include <limits>

#include "python/bind.h"

namespace pynet {
namespace {

// One axis of the new image: which old pixels make a new one, and their weights.
struct Taps {
  Array indices, weights;
};

Taps taps(Call& call, const char* name, const py::object& indices, const char* weight_name,
          const py::object& weights) {
  Taps taps{call.follower(name, indices), call.follower(weight_name, weights)};
  taps.indices.expect_rank(2, "(new size, pixels for each)");
  taps.weights.expect_shape(taps.indices.shape(), (std::string("like ") + name).c_str());
  return taps;
}

template <class T>
ResampleGrid<T> grid(const Call& call, const char* name, const Shape& x, Taps& rows,
                     Taps& columns) {
  constexpr index_t most = std::numeric_limits<std::int32_t>::max();
  if (x[2] >= most || x[3] >= most) {
    fail_value(call.op(), name, "expected sides below 2^31 - 1, got " + repr(x));
  }
  ResampleGrid<T> g{};
  g.planes = x[0] * x[1], g.H = x[2], g.W = x[3];
  g.OH = rows.indices.shape(0), g.P = rows.indices.shape(1);
  g.OW = columns.indices.shape(0), g.Q = columns.indices.shape(1);
  g.rows = call.indices<std::int32_t>(rows.indices, g.H + 1);
  g.columns = call.indices<std::int32_t>(columns.indices, g.W + 1);
  g.row_weights = rows.weights.data<T>();
  g.column_weights = columns.weights.data<T>();
  return g;
}

NdArray resample2d(py::object x_object, py::object rows_object, py::object row_weights,
                   py::object columns_object, py::object column_weights, py::object fill_object,
                   py::object out) {
  Call call("resample2d");
  Array x = call.array("x", x_object);
  x.expect_rank(4, "(N, C, H, W)");
  Taps rows = taps(call, "rows", rows_object, "row_weights", row_weights);
  Taps columns = taps(call, "columns", columns_object, "column_weights", column_weights);
  const double fill = call.number("fill", fill_object);
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    const ResampleGrid<T> g = grid<T>(call, "x", x.shape(), rows, columns);
    Array y = call.output<T>("out", out, {x.shape(0), x.shape(1), g.OH, g.OW});
    run(kernels().resample2d, Resample2dArgs<T>{y.data<T>(), x.data<T>(), g, static_cast<T>(fill)});
    return y.object();
  });
}

NdArray resample2d_backward(py::object dout_object, py::object rows_object, py::object row_weights,
                            py::object columns_object, py::object column_weights,
                            py::object x_shape, py::object out, bool add) {
  Call call("resample2d_backward");
  Array dout = call.array("dout", dout_object);
  Taps rows = taps(call, "rows", rows_object, "row_weights", row_weights);
  Taps columns = taps(call, "columns", columns_object, "column_weights", column_weights);
  const Shape shape = call.shape("x_shape", x_shape, 4);
  dout.expect_shape({shape[0], shape[1], rows.indices.shape(0), columns.indices.shape(0)},
                    "like the output of resample2d");
  if (add && out.is_none()) fail_value(call.op(), "out", "expected an array to add to, got None");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    const ResampleGrid<T> g = grid<T>(call, "x_shape", shape, rows, columns);
    Array dx = call.output<T>("out", out, shape);
    run(kernels().resample2d_backward,
        Resample2dBackwardArgs<T>{dx.data<T>(), dout.data<T>(), g, add ? Grad::Add : Grad::Write});
    return dx.object();
  });
}

}  // namespace

void bind_resample(py::module_& m) {
  def_op<&resample2d>(m, "resample2d", py::arg("x"), py::arg("rows"), py::arg("row_weights"),
                      py::arg("columns"), py::arg("column_weights"), py::kw_only(),
                      py::arg("fill") = 0.0, py::arg("out") = py::none());
  def_op<&resample2d_backward>(m, "resample2d_backward", py::arg("dout"), py::arg("rows"),
                               py::arg("row_weights"), py::arg("columns"),
                               py::arg("column_weights"), py::arg("x_shape"), py::kw_only(),
                               py::arg("out") = py::none(), py::arg("add") = false);
}

}  // namespace pynet
