// The arrays that the bindings of a module take and return. The bindings are compiled for two
// modules: for _core, whose arrays are NumPy's, and for _cuda, whose arrays are DeviceArrays
// (cuda/python/device_array.h). What they need of an array is the same few words:
//
//   NdArray: data(), ndim(), shape(i), strides(i), size(), itemsize(), nbytes(), dtype(),
//   writeable()
//
// its name, kArrayType, and of a call: Doing(op), which lives as long as the op's function works.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#if defined(PYNET_CUDA_MODULE)
#include "cuda/python/device_array.h"
#else
namespace pynet {
namespace py = pybind11;
using NdArray = py::array;
constexpr const char* kArrayType = "numpy.ndarray";  // as docstrings name it
struct Doing {
  explicit Doing(const char*) {}
};
}  // namespace pynet
#endif

namespace pynet {

// An array of what Python hands over, or none; may throw a TypeError of its own.
NdArray as_array(const char* op, const char* name, py::handle object);
[[noreturn]] void fail_no_array(const char* op, const char* name, py::handle object);
bool is_masked(const NdArray& array);  // whether elements are marked as missing (numpy.ma)
bool is_contiguous(const NdArray& array);
void copy_into(const NdArray& to, const NdArray& from);  // of the same shape; converts
double number_in(const NdArray& array);                  // its one element

}  // namespace pynet
