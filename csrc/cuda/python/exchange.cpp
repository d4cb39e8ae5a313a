#include "cuda/python/exchange.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/runtime/device.h"
#include "python/array_arg.h"

namespace pynet {
namespace {

// The structs of DLPack's ABI, version 0: https://dmlc.github.io/dlpack/latest/c_api.html
struct DLDevice {
  std::int32_t type, id;
};
struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null: C order
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor* self);
};
constexpr std::int32_t kCuda = 2;
constexpr std::uint8_t kInt = 0, kUInt = 1, kFloat = 2, kBool = 6;
constexpr const char* kFresh = "dltensor";
constexpr const char* kUsed = "used_dltensor";

// What an exported array keeps until its consumer is done with it.
struct Exported {
  DLManagedTensor managed;
  DeviceArray array;
  std::vector<std::int64_t> shape;
};

std::uint8_t code_of(const py::dtype& dtype) {
  switch (dtype.kind()) {
    case 'b':
      return kBool;
    case 'u':
      return kUInt;
    case 'i':
      return kInt;
    default:
      return kFloat;
  }
}

py::dtype dtype_of(const DLDataType& type) {
  const char* kind = type.code == kBool    ? "b"
                     : type.code == kUInt  ? "u"
                     : type.code == kInt   ? "i"
                     : type.code == kFloat ? "f"
                                           : nullptr;
  if (!kind || type.lanes != 1) {
    fail_type("to_device", "x", "expected real numbers, got a type of DLPack that is none");
  }
  return py::dtype::from_args(py::str(kind + std::to_string(type.bits / 8)));
}

[[noreturn]] void fail_buffer(const std::string& text) {
  PyErr_SetString(PyExc_BufferError, ("[DeviceArray] " + text).c_str());
  throw py::error_already_set();
}

// Keeps a Python object, for memory that may be let go of on any thread. Its library may use it
// again at once, on a stream that does not know ours.
std::shared_ptr<void> keeping(const py::object& object) {
  return std::shared_ptr<void>(new py::object(object), [](void* kept) {
    if (!Py_IsInitialized()) return;
    cuda::finish_uses(cuda::kNoLane);
    py::gil_scoped_acquire acquire;
    delete static_cast<py::object*>(kept);
  });
}

// ValueError unless the elements lie behind one another; strides in units of `unit` bytes.
template <class Strides>
void expect_c_order(const std::vector<py::ssize_t>& shape, const Strides& strides,
                    py::ssize_t unit) {
  py::ssize_t expected = unit;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && static_cast<py::ssize_t>(strides(i)) != expected) {
      fail_value("to_device", "x", "expected elements in C order without gaps, got another layout");
    }
    expected *= shape[i];
  }
}

DeviceArray from_interface(const py::object& object, const py::dict& d) {
  std::vector<py::ssize_t> shape = py::cast<std::vector<py::ssize_t>>(d["shape"]);
  const py::dtype dtype = py::dtype::from_args(d["typestr"]);
  if (d.contains("mask") && !d["mask"].is_none()) {
    fail_type("to_device", "x", "expected an array without masked elements, got a masked one");
  }
  const bool has_size = std::find(shape.begin(), shape.end(), 0) == shape.end();
  if (has_size && d.contains("strides") && !d["strides"].is_none()) {
    const auto strides = py::cast<std::vector<py::ssize_t>>(d["strides"]);
    expect_c_order(shape, [&](std::size_t i) { return strides[i]; }, dtype.itemsize());
  }
  if (!d.contains("stream")) {  // before version 3 nobody says what is under way, or where
    cuda::finish_all();
  } else if (!d["stream"].is_none()) {
    const auto stream = py::cast<std::uintptr_t>(d["stream"]);
    cuda::check(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(stream)), "to_device");
  }
  const auto data = py::cast<std::pair<std::uintptr_t, bool>>(d["data"]);
  return DeviceArray(keeping(object), reinterpret_cast<char*>(data.first), std::move(shape), dtype,
                     !data.second);
}

DeviceArray from_dlpack(const py::object& object) {
  using namespace pybind11::literals;
  // The producer makes our stream wait for its own: ours waits for no default stream.
  const auto stream = reinterpret_cast<std::uintptr_t>(cuda::stream());
  const py::capsule capsule = object.attr("__dlpack__")("stream"_a = stream);
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), kFresh));
  if (!managed) throw py::error_already_set();
  const DLTensor& tensor = managed->tensor;
  const py::dtype dtype = dtype_of(tensor.dtype);
  std::vector<py::ssize_t> shape(tensor.shape, tensor.shape + tensor.ndim);
  const bool has_size = std::find(shape.begin(), shape.end(), 0) == shape.end();
  if (has_size && tensor.strides) {
    expect_c_order(shape, [&](std::size_t i) { return tensor.strides[i]; }, 1);
  }
  PyCapsule_SetName(capsule.ptr(), kUsed);  // it is ours to delete now
  std::shared_ptr<void> owner(managed, [](void* kept) {
    auto* done = static_cast<DLManagedTensor*>(kept);
    if (!done->deleter || !Py_IsInitialized()) return;
    cuda::finish_uses(cuda::kNoLane);
    py::gil_scoped_acquire acquire;
    done->deleter(done);
  });
  char* data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  return DeviceArray(std::move(owner), data, std::move(shape), dtype);
}

}  // namespace

py::dict array_interface(const DeviceArray& a) {
  cuda::finish_uses(cuda::kNoLane);  // there are consumers that do not look at "stream"
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

std::pair<int, int> dlpack_device() { return {kCuda, 0}; }

py::capsule to_dlpack(const DeviceArray& a, const py::object& stream, const py::object&,
                      const py::object& dl_device, const py::object& copy) {
  if (!dl_device.is_none() && !dl_device.equal(py::cast(dlpack_device()))) {
    fail_buffer("dl_device: expected (2, 0), the GPU, got " + text_of(dl_device));
  }
  if (!a.writeable()) fail_buffer("self: expected a writable array, got a read-only one");
  DeviceArray given = a;
  if (!copy.is_none() && py::cast<bool>(copy)) {
    const NdArray made = pool_array("DeviceArray", "copy", shape_of(a), a.dtype());
    copy_bytes(made.get().data(), a.data(), made.nbytes());
    given = made.get();
  }
  if (stream.is_none() || !stream.equal(py::int_(-1))) cuda::synchronize();
  auto exported =
      std::make_unique<Exported>(Exported{{}, given, {given.shape().begin(), given.shape().end()}});
  DLTensor& tensor = exported->managed.tensor;
  tensor.data = given.size() == 0 ? nullptr : given.data();
  tensor.device = {kCuda, 0};
  tensor.ndim = static_cast<std::int32_t>(exported->shape.size());
  tensor.dtype = {code_of(given.dtype()), static_cast<std::uint8_t>(8 * given.itemsize()), 1};
  tensor.shape = exported->shape.data();
  exported->managed.context = exported.get();
  exported->managed.deleter = [](DLManagedTensor* self) {
    if (!Py_IsInitialized()) return;
    cuda::finish_all();  // the consumer's kernels may still read what the pool gives away next
    py::gil_scoped_acquire acquire;  // its data type is a Python object
    delete static_cast<Exported*>(self->context);
  };
  PyObject* capsule = PyCapsule_New(&exported->managed, kFresh, [](PyObject* unused) {
    if (!PyCapsule_IsValid(unused, kFresh)) return;  // a consumer took it, and deletes it
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(unused, kFresh));
    managed->deleter(managed);
  });
  if (!capsule) throw py::error_already_set();
  exported.release();
  return py::reinterpret_steal<py::capsule>(capsule);
}

std::optional<DeviceArray> taken_over(const py::object& object) {
  if (py::isinstance<py::array>(object)) return std::nullopt;
  // DLPack first: where there is both, as in torch, it alone may tell of streams.
  if (py::hasattr(object, "__dlpack_device__")) {
    const auto [type, number] = py::cast<std::pair<int, int>>(object.attr("__dlpack_device__")());
    if (type == kCuda && number != 0) {
      fail_value("to_device", "x",
                 "expected an array on GPU 0, got one on GPU " + std::to_string(number));
    }
    if (type == kCuda) return from_dlpack(object);
  }
  if (py::hasattr(object, "__cuda_array_interface__")) {
    return from_interface(object, object.attr("__cuda_array_interface__"));
  }
  return std::nullopt;
}

}  // namespace pynet
