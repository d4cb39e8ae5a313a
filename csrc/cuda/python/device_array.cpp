// The words of python/ndarray.h for arrays in the memory of the GPU.
#include "cuda/python/device_array.h"

#include <string>

#include "cuda/python/recorded_copy.h"
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
  if (kind == 'u' && bytes == 8) return cuda::Kind::UInt64;
  if (kind == 'f' && bytes == 4) return cuda::Kind::Float32;
  if (kind == 'f' && bytes == 8) return cuda::Kind::Float64;
  fail_type("DeviceArray", "dtype",
            "expected bool, uint8, int32, int64, uint64, float32 or float64, got " +
                std::string(py::str(dtype)));
}

std::vector<py::ssize_t> sizes_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

}  // namespace

void wait() {
  const py::gil_scoped_release release;
  cuda::synchronize();
}

void copy_bytes(void* to, const void* from, py::ssize_t bytes) {
  if (bytes == 0) return;
  cuda::check(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDefault, cuda::stream()),
      "cudaMemcpyAsync");
}

namespace {
// Memory of Python's is not pinned: the copy itself keeps the processor busy.
void copy_and_wait(void* to, const void* from, py::ssize_t bytes) {
  const py::gil_scoped_release release;
  copy_bytes(to, from, bytes);
  cuda::synchronize();
}
}  // namespace

NdArray wrap(DeviceArray array) {
  return py::reinterpret_borrow<NdArray>(py::cast(std::move(array)));
}

Shape shape_of(const DeviceArray& a) {
  return Shape(reinterpret_cast<const index_t*>(a.shape().data()), a.shape().size());
}

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

py::tuple shape_tuple(const DeviceArray& a) {
  py::tuple shape(a.shape().size());
  for (std::size_t i = 0; i < a.shape().size(); ++i) shape[i] = a.shape()[i];
  return shape;
}

// --- what the bindings ask -----------------------------------------------------------------------

NdArray as_array(const char* op, const char* name, py::handle object) {
  fail_no_array(op, name, object);
}
void fail_no_array(const char* op, const char* name, py::handle object) {
  fail_type(op, name,
            "expected a DeviceArray, got " + std::string(Py_TYPE(object.ptr())->tp_name) +
                ": pynet.to_device() copies an array to the GPU");
}

bool is_masked(const NdArray&) { return false; }
bool is_contiguous(const NdArray&) { return true; }

void copy_into(const NdArray& to, const NdArray& from) {
  const DeviceArray &a = to.get(), &b = from.get();
  const std::size_t bytes = static_cast<std::size_t>(to.nbytes());
  copy_recorded({a.data(), b.data(), a.kind(), b.kind(), 1, bytes, bytes, bytes, a.size()});
}

NdArray pool_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype) {
  index_t size = 1;
  for (const index_t n : shape) size *= n;
  const std::size_t bytes =
      static_cast<std::size_t>(size) * static_cast<std::size_t>(dtype.itemsize());
  void* block = nullptr;
  try {
    block = pool_allocate(bytes);
  } catch (const cuda::OutOfMemory& error) {
    const std::string text = std::string("[") + op + "] " + name +
                             ": expected an array that fits in memory, got shape " + repr(shape) +
                             " of " + error.numbers();
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
  copy_and_wait(&number, wide.data(), sizeof(number));
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
  if (dtype.itemsize() == sizeof(std::int32_t)) {
    cuda::check_range(op_, array.name(), array.data<std::int32_t>(), array.size(), limit);
  } else if (dtype.kind() == 'u' && dtype.itemsize() == sizeof(std::uint64_t)) {
    cuda::check_range(op_, array.name(), array.data<std::uint64_t>(), array.size(), limit);
  } else {
    cuda::check_range(op_, array.name(), array.data<std::int64_t>(), array.size(), limit);
  }
  return array.data<T>();
}
template const std::int32_t* Call::indices<std::int32_t>(Array&, index_t) const;
template const std::int64_t* Call::indices<std::int64_t>(Array&, index_t) const;

// --- in and out ----------------------------------------------------------------------------------

NdArray to_device(const char* op, const char* name, const py::array& array) {
  const Doing doing(op);
  // What the GPU has no type for is held by the next larger one.
  const char kind = array.dtype().kind();
  const py::ssize_t size = array.dtype().itemsize();
  const bool whole = kind == 'i' || kind == 'u';
  py::object type = array.dtype().attr("newbyteorder")("=");
  if (kind == 'f' && size == 2) type = py::str("float32");
  if (whole && size < 4 && !(kind == 'u' && size == 1)) type = py::str("int32");
  if (kind == 'u' && size == 4) type = py::str("int64");
  using namespace pybind11::literals;
  const py::array plain = array.attr("astype")(type, "order"_a = "C", "copy"_a = false);
  NdArray made = pool_array(op, name,
                            Shape(reinterpret_cast<const index_t*>(plain.shape()),
                                  static_cast<std::size_t>(plain.ndim())),
                            plain.dtype());
  if (Recording* recording = Recording::current()) recording->note_copy();
  copy_and_wait(made.get().data(), plain.data(), plain.nbytes());
  return made;
}

py::array to_numpy(const DeviceArray& a) {
  const Doing doing("to_numpy");
  py::array made(a.dtype(), a.shape());
  copy_and_wait(made.mutable_data(), a.data(), a.size() * a.itemsize());
  return made;
}

}  // namespace pynet
