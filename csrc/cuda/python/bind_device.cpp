#include "cuda/python/bind_device.h"

#include "cuda/python/device_array.h"
#include "cuda/python/exchange.h"
#include "cuda/runtime/device.h"
#include "python/bind.h"

namespace pynet {
namespace {

NdArray empty(py::object shape_object, py::object dtype_object) {
  Call call("empty");
  if (PyIndex_Check(shape_object.ptr())) shape_object = py::make_tuple(shape_object);
  const int rank =
      py::isinstance<py::sequence>(shape_object) ? static_cast<int>(py::len(shape_object)) : 1;
  const Shape shape = call.shape("shape", shape_object, rank);
  return pool_array(call.op(), "shape", shape, py::dtype::from_args(dtype_object));
}

py::dict info() {
  const cuda::DeviceInfo found = cuda::device_info();
  py::dict d;
  d["present"] = found.present;
  d["reason"] = found.reason;
  if (!found.present) return d;
  d["name"] = found.name;
  d["compute_capability"] = py::make_tuple(found.major, found.minor);
  d["processors"] = found.processors;
  d["memory"] = found.bytes;
  d["driver"] = found.driver;
  d["runtime"] = found.runtime;
  return d;
}

py::dict memory_info() {
  const MemoryStats stats = memory();
  py::dict d;
  d["in_use"] = stats.in_use;
  d["cached"] = stats.cached;
  d["peak"] = stats.peak;
  d["system_allocations"] = stats.system_allocations;
  return d;
}

}  // namespace

void bind_device(py::module_& m) {
  m.def("version", [] { return PYNET_VERSION; });
  m.def("device_info", &info);
  m.def("synchronize", &cuda::synchronize, py::call_guard<py::gil_scoped_release>());
  m.def("memory", &memory_info);
  m.def("free_memory", [] {  // what new arrays can take, the pool's own unused blocks included
    std::size_t free = 0, total = 0;
    cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return free + memory().cached;
  });
  m.def("caching", &caching);
  m.def("release_memory", &release_memory);
  m.def("winograd", &winograd);
  m.def("set_winograd", &set_winograd, py::arg("on"));
  m.def("empty", &empty, py::arg("shape"), py::arg("dtype") = py::dtype::of<float>());
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
