// The memory pool, and arrays from it.
#include "python/bind.h"

namespace pynet {
namespace {

NdArray empty(py::object shape_object, py::object dtype_object) {
  Call call("empty");
  const Doing doing(call.op());
  if (PyIndex_Check(shape_object.ptr())) shape_object = py::make_tuple(shape_object);
  const int rank =
      py::isinstance<py::sequence>(shape_object) ? static_cast<int>(py::len(shape_object)) : 1;
  constexpr int kMostDimensions = 32;  // of NumPy 1
  if (rank > kMostDimensions) {
    fail_value(call.op(), "shape", "expected at most 32 sizes, got " + text_of(shape_object));
  }
  const Shape shape = call.shape("shape", shape_object, rank);
  py::dtype dtype;
  try {
    dtype = py::dtype::from_args(dtype_object);
  } catch (const py::error_already_set&) {
    fail_type(call.op(), "dtype", "expected real numbers, got " + text_of(dtype_object));
  }
  const char kind = dtype.kind();
  if (kind != 'b' && kind != 'i' && kind != 'u' && kind != 'f') {
    fail_type(call.op(), "dtype", "expected real numbers, got " + std::string(py::str(dtype)));
  }
  return pool_array(call.op(), "shape", shape, dtype);
}

py::dict memory_info() {
  const Doing doing("memory");
  const MemoryStats stats = memory();
  py::dict info;
  info["in_use"] = stats.in_use;
  info["cached"] = stats.cached;
  info["peak"] = stats.peak;
  info["system_allocations"] = stats.system_allocations;
  return info;
}

}  // namespace

void bind_memory(py::module_& m) {
  m.def("memory", &memory_info);
  m.def("caching", &caching);
  m.def("release_memory", &release_memory);
  m.def("empty", &empty, py::arg("shape"), py::arg("dtype") = py::dtype::of<float>());
}

}  // namespace pynet
