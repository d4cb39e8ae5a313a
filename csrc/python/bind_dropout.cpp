#include <string>

#include "python/bind.h"

namespace pynet {
namespace {

// An integer of any size modulo 2^64.
std::uint64_t counter(const Call& call, const char* name, const py::object& object) {
  const py::object index = PyBool_Check(object.ptr())
                               ? py::object()
                               : py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
  if (!index) {
    PyErr_Clear();
    fail_type(call.op(), name, "expected an integer, got " + text_of(object));
  }
  return PyLong_AsUnsignedLongLongMask(index.ptr());
}

py::tuple dropout(py::object x_object, py::object ratio_object, py::object seed, py::object layer,
                  py::object step, bool inverted) {
  Call call("dropout");
  Array x = call.array("x", x_object);
  const double ratio = call.number("ratio", ratio_object);
  const float ratio32 = static_cast<float>(ratio);
  if (ratio < 0 || ratio > 1 || (inverted && ratio32 == 1)) {
    fail_value(call.op(), "ratio",
               std::string("expected 0 <= ratio ") + (inverted ? "<" : "<=") + " 1, got " +
                   text_of(ratio_object));
  }
  const RandomState state{counter(call, "seed", seed),
                          static_cast<std::uint32_t>(counter(call, "layer", layer)),
                          static_cast<std::uint32_t>(counter(call, "step", step))};
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", py::none(), x.shape());
    Array mask = call.output<std::uint8_t>("mask", py::none(), x.shape());
    DropoutArgs<T> args{};
    args.y = y.data<T>(), args.mask = mask.data<std::uint8_t>(), args.x = x.data<T>();
    args.n = x.size(), args.state = &state, args.ratio = &ratio32;
    args.scale = inverted ? 1 / (1 - static_cast<T>(ratio)) : T{1};
    run(kernels().dropout, args);
    return py::make_tuple(y.object(), mask.object());
  });
}

NdArray dropout_backward(py::object dout_object, py::object mask_object, py::object scale_object,
                         py::object out, bool add) {
  Call call("dropout_backward");
  Array dout = call.array("dout", dout_object);
  Array mask = call.follower("mask", mask_object);
  const double scale = call.number("scale", scale_object);
  mask.expect_shape(dout.shape(), "like dout");
  const py::dtype dtype = mask.object().dtype();
  if (dtype.kind() != 'b' && !(dtype.kind() == 'u' && dtype.itemsize() == 1)) {
    fail_type(call.op(), "mask", "expected dtype uint8, got " + std::string(py::str(dtype)));
  }
  if (add && out.is_none()) fail_value(call.op(), "out", "expected an array to add to, got None");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, dout.shape(), !add);
    run(kernels().dropout_backward,
        DropoutBackwardArgs<T>{dx.data<T>(), dout.data<T>(), mask.data<std::uint8_t>(), dx.size(),
                               static_cast<T>(scale), add ? Grad::Add : Grad::Write});
    return dx.object();
  });
}

}  // namespace

void bind_dropout(py::module_& m) {
  def_op<&dropout>(m, "dropout", py::arg("x"), py::arg("ratio"), py::kw_only(), py::arg("seed"),
                   py::arg("layer"), py::arg("step"), py::arg("inverted") = false);
  def_op<&dropout_backward>(m, "dropout_backward", py::arg("dout"), py::arg("mask"), py::kw_only(),
                            py::arg("scale") = 1.0, py::arg("out") = py::none(),
                            py::arg("add") = false);
}

}  // namespace pynet
