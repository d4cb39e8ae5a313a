// pynet.DeviceArray: an array in the memory of the GPU. Contiguous, in C order; a pointer, a shape,
// a data type and an owner, and nothing that computes: that is what ops are for.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <vector>

#include "cuda/copy.h"
#include "cuda/runtime/error.h"
#include "pynet/types.h"
#include "python/shape.h"

namespace pynet {

namespace py = pybind11;

class DeviceArray {
 public:
  DeviceArray(std::shared_ptr<void> owner, char* data, std::vector<py::ssize_t> shape,
              py::dtype dtype, bool writeable = true);

  char* data() const { return data_; }
  const std::vector<py::ssize_t>& shape() const { return shape_; }
  const py::dtype& dtype() const { return dtype_; }
  cuda::Kind kind() const { return kind_; }
  bool writeable() const { return writeable_; }
  const std::shared_ptr<void>& owner() const { return owner_; }
  py::ssize_t size() const;
  py::ssize_t itemsize() const { return dtype_.itemsize(); }

 private:
  std::shared_ptr<void> owner_;
  char* data_;
  std::vector<py::ssize_t> shape_;
  py::dtype dtype_;
  cuda::Kind kind_;
  bool writeable_;
};

// The Python object, in the words of python/ndarray.h.
class NdArray : public py::object {
 public:
  PYBIND11_OBJECT_DEFAULT(NdArray, py::object, NdArray::is_one)
  static bool is_one(PyObject* object);

  const DeviceArray& get() const;
  const void* data() const { return get().data(); }
  const void* data() { return get().data(); }
  py::ssize_t ndim() const { return static_cast<py::ssize_t>(get().shape().size()); }
  const py::ssize_t* shape() const { return get().shape().data(); }
  py::ssize_t shape(py::ssize_t axis) const { return shape()[axis]; }
  py::ssize_t strides(py::ssize_t axis) const;
  py::ssize_t size() const { return get().size(); }
  py::ssize_t itemsize() const { return get().itemsize(); }
  py::ssize_t nbytes() const { return size() * itemsize(); }
  const py::dtype& dtype() const { return get().dtype(); }
  bool writeable() const { return get().writeable(); }
};

using cuda::Doing;
constexpr const char* kArrayType = "DeviceArray";  // as docstrings name it

NdArray wrap(DeviceArray array);
Shape shape_of(const DeviceArray& a);
py::tuple shape_tuple(const DeviceArray& a);
void wait();  // for this thread's stream; other Python threads go on meanwhile
void copy_bytes(void* to, const void* from, py::ssize_t bytes);  // on this thread's stream

// An array on the GPU with the elements of one of NumPy's, and the way back.
NdArray to_device(const char* op, const char* name, const py::array& array);
py::array to_numpy(const DeviceArray& a);

void bind_device_array(py::module_& m);

}  // namespace pynet

// Its name in docstrings.
template <>
struct pybind11::detail::handle_type_name<pynet::NdArray> {
  static constexpr auto name = const_name("DeviceArray");
};
