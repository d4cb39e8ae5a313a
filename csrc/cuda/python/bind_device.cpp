#include "cuda/python/bind_device.h"

#include "cuda/python/device_array.h"
#include "cuda/python/exchange.h"
#include "cuda/runtime/device.h"
#include "cuda/runtime/precision.h"
#include "python/bind.h"

namespace pynet {
namespace {

py::dict info() {
  const cuda::DeviceInfo found = cuda::device_info();
  py::dict d;
  d["present"] = found.present;
  d["reason"] = found.reason;
  d["code"] = static_cast<int>(found.code);
  if (!found.present) return d;
  d["name"] = found.name;
  d["compute_capability"] = py::make_tuple(found.major, found.minor);
  d["processors"] = found.processors;
  d["memory"] = found.bytes;
  d["driver"] = found.driver;
  d["runtime"] = found.runtime;
  return d;
}

}  // namespace

void bind_device(py::module_& m) {
  m.def("version", [] { return PYNET_VERSION; });
  m.def("device_info", &info);
  m.def("free_memory", [] {  // what new arrays can take, the pool's own unused blocks included
    const Doing doing("free_memory");
    std::size_t free = 0, total = 0;
    cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return free + memory().cached;
  });
  m.def(
      "synchronize",
      [] {
        const Doing doing("synchronize");
        cuda::synchronize();
      },
      py::call_guard<py::gil_scoped_release>());
  m.def("precision", &cuda::precision_name);
  m.def("set_precision", &cuda::set_precision, py::arg("name"));
  m.def("winograd", &winograd);
  m.def("set_winograd", &set_winograd, py::arg("on"));
  m.def(
      "to_device",
      [](const py::object& x) -> py::object {
        if (py::isinstance<NdArray>(x)) return x;
        if (const auto taken = taken_over(x)) return wrap(*taken);
        const py::array array = py::array::ensure(x);
        if (!array) fail_type("to_device", "x", "expected an array, got " + text_of(x));
        return to_device("to_device", "x", array);
      },
      py::arg("x"));
}

}  // namespace pynet
