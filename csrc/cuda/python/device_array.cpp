// The words of python/ndarray.h for arrays in the memory of the GPU, and what Python sees of one.
#include "cuda/python/device_array.h"

#include <string>

#include "cuda/runtime/device.h"
#include "python/array_arg.h"

namespace pynet {
namespace {

cuda::Kind kind_of(const py::dtype& dtype) {
  const char kind = dtype.kind();
  const py::ssize_t bytes = dtype.itemsize();
  if (kind == 'b') return cuda::Kind::Bool;
  if (kind == 'u' && bytes == 1) return cuda::Kind::UInt8;
  if (kind == 'i' && bytes == 4) return cuda::Kind::Int32;
  if (kind == 'i' && bytes == 8) return cuda::Kind::Int64;
  if (kind == 'f' && bytes == 4) return cuda::Kind::Float32;
  if (kind == 'f' && bytes == 8) return cuda::Kind::Float64;
  fail_type(
      "DeviceArray", "dtype",
      "expected bool, uint8, int32, int64, float32 or float64, got " + std::string(py::str(dtype)));
}

void copy(void* to, const void* from, py::ssize_t bytes) {
  if (bytes == 0) return;
  cuda::check(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDefault, cuda::stream()),
      "copy");
}

NdArray wrap(DeviceArray array) {
  return py::reinterpret_borrow<NdArray>(py::cast(std::move(array)));
}

Shape shape_of(const DeviceArray& a) {
  return Shape(reinterpret_cast<const index_t*>(a.shape().data()), a.shape().size());
}

std::vector<py::ssize_t> sizes_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

}  // namespace

DeviceArray::DeviceArray(std::shared_ptr<void> owner, char* data, std::vector<py::ssize_t> shape,
                         py::dtype dtype, bool writeable)
    : owner_(std::move(owner)),
      data_(data),
      shape_(std::move(shape)),
      dtype_(std::move(dtype)),
      kind_(kind_of(dtype_)),
      writeable_(writeable) {}

py::ssize_t DeviceArray::size() const {
  py::ssize_t size = 1;
  for (const py::ssize_t n : shape_) size *= n;
  return size;
}

bool NdArray::is_one(PyObject* object) { return py::isinstance<DeviceArray>(py::handle(object)); }

const DeviceArray& NdArray::get() const { return py::cast<const DeviceArray&>(*this); }

py::ssize_t NdArray::strides(py::ssize_t axis) const {
  const DeviceArray& a = get();
  py::ssize_t stride = a.itemsize();
  for (py::ssize_t i = ndim() - 1; i > axis; --i) stride *= a.shape()[static_cast<std::size_t>(i)];
  return stride;
}

// --- what the bindings ask -----------------------------------------------------------------------

NdArray as_array(const char* op, const char* name, py::handle object) {
  fail_type(op, name,
            "expected a DeviceArray, got " + std::string(Py_TYPE(object.ptr())->tp_name) +
                ": pynet.to_device() copies an array to the GPU");
}

bool is_masked(const NdArray&) { return false; }
bool is_contiguous(const NdArray&) { return true; }

void copy_into(const NdArray& to, const NdArray& from) {
  const DeviceArray &a = to.get(), &b = from.get();
  if (a.kind() == b.kind()) {
    copy(a.data(), b.data(), to.nbytes());
  } else {
    cuda::cast(a.data(), a.kind(), b.data(), b.kind(), a.size());
  }
}

NdArray pool_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype) {
  index_t size = 1;
  for (const index_t n : shape) size *= n;
  const std::size_t bytes =
      static_cast<std::size_t>(size) * static_cast<std::size_t>(dtype.itemsize());
  void* block = nullptr;
  try {
    block = pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    std::size_t free = 0, total = 0;
    cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    const std::string text = std::string("[") + op + "] " + name +
                             ": expected an array that fits in the GPU's memory, got shape " +
                             repr(shape) + " of " + std::to_string(bytes) + " bytes, with " +
                             std::to_string(free) + " free";
    PyErr_SetString(PyExc_MemoryError, text.c_str());
    throw py::error_already_set();
  }
  std::shared_ptr<void> owner(block, [](void* memory) { pool_free(memory); });
  return wrap(DeviceArray(std::move(owner), static_cast<char*>(block), sizes_of(shape), dtype));
}

double number_in(const NdArray& array) {
  double number = 0;
  NdArray wide = pool_array("number", "x", Shape{}, py::dtype::of<double>());
  copy_into(wide, array);
  copy(&number, wide.data(), sizeof(number));
  cuda::synchronize();
  return number;
}

NdArray filled_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype,
                     double value) {
  const NdArray made = pool_array(op, name, shape, dtype);
  cuda::fill(made.get().data(), made.get().kind(), value, made.get().size());
  return made;
}

// Class numbers and the like: reported with the next synchronisation, as the GPU looks at them.
template <class T>
const T* Call::indices(Array& array, index_t limit) const {
  const py::dtype dtype = array.object().dtype();
  if (dtype.kind() != 'i' && dtype.kind() != 'u') {
    fail_type(op_, array.name(), "expected integers, got dtype " + std::string(py::str(dtype)));
  }
  cuda::check_range(op_, array.name(), array.data<std::int64_t>(), array.size(), limit);
  return array.data<T>();
}
template const std::int32_t* Call::indices<std::int32_t>(Array&, index_t) const;
template const std::int64_t* Call::indices<std::int64_t>(Array&, index_t) const;

// --- what Python sees ----------------------------------------------------------------------------

NdArray to_device(const char* op, const char* name, const py::array& array) {
  // What the GPU has no type for is held by the next larger one.
  const char kind = array.dtype().kind();
  const py::ssize_t size = array.dtype().itemsize();
  const char* wider = kind == 'f' && size == 2 ? "float32"
                      : (kind == 'i' || kind == 'u') && size < 4 && !(kind == 'u' && size == 1)
                          ? "int32"
                      : kind == 'u' && size > 1 ? "int64"
                                                : nullptr;
  const py::array plain =
      py::array::ensure(wider ? py::array(array.attr("astype")(wider)) : array, py::array::c_style);
  NdArray made = pool_array(op, name,
                            Shape(reinterpret_cast<const index_t*>(plain.shape()),
                                  static_cast<std::size_t>(plain.ndim())),
                            plain.dtype());
  copy(made.get().data(), plain.data(), plain.nbytes());
  cuda::synchronize();  // the copy reads memory that Python may free
  return made;
}

namespace {

py::array to_numpy(const DeviceArray& a) {
  py::array made(a.dtype(), a.shape());
  copy(made.mutable_data(), a.data(), a.size() * a.itemsize());
  cuda::synchronize();
  return made;
}

py::tuple shape_tuple(const DeviceArray& a) {
  py::tuple shape(a.shape().size());
  for (std::size_t i = 0; i < a.shape().size(); ++i) shape[i] = a.shape()[i];
  return shape;
}

// The same memory with other sizes; one of them may be -1.
DeviceArray reshape(const DeviceArray& a, const py::args& given) {
  const py::sequence sizes = given.size() == 1 && py::isinstance<py::sequence>(given[0])
                                 ? py::reinterpret_borrow<py::sequence>(given[0])
                                 : py::reinterpret_borrow<py::sequence>(given);
  std::vector<py::ssize_t> shape;
  py::ssize_t known = 1, open = -1;
  for (const py::handle size : sizes) {
    const py::ssize_t n = py::cast<py::ssize_t>(size);
    if (n == -1 && open < 0) {
      open = static_cast<py::ssize_t>(shape.size());
    } else {
      known *= n;
    }
    shape.push_back(n);
  }
  if (open >= 0 && known > 0 && a.size() % known == 0) {
    shape[static_cast<std::size_t>(open)] = a.size() / known;
    known = a.size();
  }
  if (known != a.size()) {
    fail_value("reshape", "shape",
               "expected " + std::to_string(a.size()) + " elements like " + repr(shape_of(a)) +
                   ", got " + text_of(sizes));
  }
  return DeviceArray(a.owner(), a.data(), std::move(shape), a.dtype(), a.writeable());
}

// a[i] or a[begin:end], along the first axis, as a view; a[...] is a.
DeviceArray part(const DeviceArray& a, const py::object& key) {
  if (key.ptr() == Py_Ellipsis) return a;
  const bool one = PyIndex_Check(key.ptr()) && !PyBool_Check(key.ptr());
  if (a.shape().empty() || (!one && !py::isinstance<py::slice>(key))) {
    fail_type("DeviceArray", "index",
              "expected an integer or a slice of the first axis, got " + text_of(key) +
                  ": to_numpy() gives an array with more ways to take parts");
  }
  const py::ssize_t n = a.shape()[0];
  py::ssize_t begin = 0, end = 0, step = 1, count = 1;
  if (one) {
    begin = py::cast<py::ssize_t>(key);
    if (begin < 0) begin += n;
    if (begin < 0 || begin >= n) {
      fail_index("DeviceArray", "index",
                 "expected a number below " + std::to_string(n) + ", got " + text_of(key));
    }
  } else {
    if (PySlice_Unpack(key.ptr(), &begin, &end, &step) < 0) throw py::error_already_set();
    count = PySlice_AdjustIndices(n, &begin, &end, step);
    if (step != 1) fail_value("DeviceArray", "index", "expected a step of 1, got " + text_of(key));
  }
  std::vector<py::ssize_t> shape(a.shape().begin() + (one ? 1 : 0), a.shape().end());
  if (!one) shape[0] = count;
  const py::ssize_t row = n == 0 ? 0 : a.size() / n * a.itemsize();
  return DeviceArray(a.owner(), a.data() + begin * row, std::move(shape), a.dtype(), a.writeable());
}

// a[key] = value: an array of the same shape, from the GPU or not, or one number.
void assign(const DeviceArray& a, const py::object& key, const py::object& value) {
  const DeviceArray to = part(a, key);
  if (!to.writeable())
    fail_value("DeviceArray", "self", "expected a writable array, got a read-only one");
  if (py::isinstance<NdArray>(value) || py::isinstance<py::array>(value)) {
    const NdArray from =
        py::isinstance<NdArray>(value)
            ? py::reinterpret_borrow<NdArray>(value)
            : to_device("DeviceArray", "value", py::reinterpret_borrow<py::array>(value));
    if (shape_of(from.get()) != shape_of(to)) {
      fail_value("DeviceArray", "value",
                 "expected shape " + repr(shape_of(to)) + ", got " + repr(shape_of(from.get())));
    }
    return copy_into(wrap(to), from);
  }
  cuda::fill(to.data(), to.kind(), Call("DeviceArray").number("value", value), to.size());
}

DeviceArray copied(const DeviceArray& a) {
  const NdArray made = pool_array("copy", "out", shape_of(a), a.dtype());
  copy(made.get().data(), a.data(), a.size() * a.itemsize());
  return made.get();
}

DeviceArray astype(const DeviceArray& a, const py::object& dtype, bool copy) {
  if (!copy && py::dtype::from_args(dtype).equal(a.dtype())) return a;
  const NdArray made = pool_array("astype", "out", shape_of(a), py::dtype::from_args(dtype));
  copy_into(made, wrap(a));
  return made.get();
}

py::dict interface(const DeviceArray& a) {
  py::dict d;
  d["shape"] = shape_tuple(a);
  d["typestr"] = a.dtype().attr("str");
  const auto place = a.size() == 0 ? 0 : reinterpret_cast<std::uintptr_t>(a.data());
  d["data"] = py::make_tuple(place, !a.writeable());
  d["version"] = 3;
  d["strides"] = py::none();
  d["stream"] = reinterpret_cast<std::uintptr_t>(cuda::stream());
  return d;
}

std::string text(const DeviceArray& a) {
  return "DeviceArray(shape=" + repr(shape_of(a)) + ", dtype=" + std::string(py::str(a.dtype())) +
         ")";
}

}  // namespace

void bind_device_array(py::module_& m) {
  py::class_<DeviceArray> c(m, "DeviceArray", py::module_local());
  c.def_property_readonly("shape", &shape_tuple)
      .def_property_readonly("ndim", [](const DeviceArray& a) { return a.shape().size(); })
      .def_property_readonly("size", &DeviceArray::size)
      .def_property_readonly("nbytes", [](const DeviceArray& a) { return a.size() * a.itemsize(); })
      .def_property_readonly("dtype", &DeviceArray::dtype)
      .def_property_readonly("device", [](const DeviceArray&) { return "cuda"; })
      .def_property_readonly("__cuda_array_interface__", &interface)
      .def("to_numpy", &to_numpy)
      .def("reshape", &reshape)
      .def("copy", &copied)
      .def("astype", &astype, py::arg("dtype"), py::arg("copy") = true)
      .def("__getitem__", &part)
      .def("__setitem__", &assign)
      .def("__len__",
           [](const DeviceArray& a) {
             if (a.shape().empty())
               fail_type("DeviceArray", "self", "expected an array with axes, got shape ()");
             return a.shape()[0];
           })
      .def("__repr__", &text);
  // NumPy would make an array of one object of it, or compute element by element.
  const auto refuse = [](const py::args&, const py::kwargs&) -> py::object {
    throw py::type_error(
        "[DeviceArray] NumPy and operators compute on the CPU: x.to_numpy() "
        "copies x there, pynet.ops compute on the GPU");
  };
  for (const char* name : {"__array__",    "__array_ufunc__", "__array_function__",
                           "__add__",      "__radd__",        "__sub__",
                           "__rsub__",     "__mul__",         "__rmul__",
                           "__truediv__",  "__rtruediv__",    "__matmul__",
                           "__rmatmul__",  "__neg__",         "__pow__",
                           "__iadd__",     "__isub__",        "__imul__",
                           "__itruediv__", "__float__",       "__bool__",
                           "__lt__",       "__le__",          "__gt__",
                           "__ge__"}) {
    c.def(name, refuse);
  }
}

}  // namespace pynet
