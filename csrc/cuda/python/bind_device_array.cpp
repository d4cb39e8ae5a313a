// What Python sees of a DeviceArray: its shape, parts of it, copies. What computes is in the ops.
#include <string>

#include "cuda/python/device_array.h"
#include "cuda/python/exchange.h"
#include "cuda/python/recorded_copy.h"
#include "cuda/runtime/device.h"
#include "python/array_arg.h"

namespace pynet {
namespace {

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
      known = n < 0 || known < 0 ? -1 : known * n;
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

DeviceArray copied(const DeviceArray& a) {
  const Doing doing("copy");
  const NdArray made = pool_array("copy", "out", shape_of(a), a.dtype());
  copy_into(made, wrap(a));
  return made.get();
}

NdArray astype(const NdArray& a, const py::object& dtype, bool copy) {
  const Doing doing("astype");
  if (!copy && py::dtype::from_args(dtype).equal(a.dtype())) return a;  // the very object
  const NdArray made = pool_array("astype", "out", shape_of(a.get()), py::dtype::from_args(dtype));
  copy_into(made, a);
  return made;
}

// --- parts ---------------------------------------------------------------------------------------

struct Stretch {
  py::ssize_t begin, count;
};

Stretch stretch_of(const py::handle& slice, py::ssize_t size) {
  py::ssize_t begin = 0, end = 0, step = 1;
  if (PySlice_Unpack(slice.ptr(), &begin, &end, &step) < 0) throw py::error_already_set();
  const py::ssize_t count = PySlice_AdjustIndices(size, &begin, &end, step);
  if (step != 1) fail_value("DeviceArray", "index", "expected a step of 1, got " + text_of(slice));
  return {begin, count};
}

[[noreturn]] void fail_key(const py::object& key) {
  fail_type("DeviceArray", "index",
            "expected an integer, a slice or row numbers for the first axis, or [:, begin:end], "
            "got " +
                text_of(key) + ": to_numpy() gives an array with more ways to take parts");
}

// a[i] or a[begin:end], along the first axis: the same memory.
DeviceArray view(const DeviceArray& a, const py::object& key) {
  const bool empty = py::isinstance<py::tuple>(key) && py::len(key) == 0;
  if (key.ptr() == Py_Ellipsis || empty) return a;
  const bool one = PyIndex_Check(key.ptr()) && !PyBool_Check(key.ptr());
  if (a.shape().empty() || (!one && !py::isinstance<py::slice>(key))) fail_key(key);
  const py::ssize_t n = a.shape()[0];
  Stretch range{0, 1};
  if (one) {
    range.begin = py::cast<py::ssize_t>(key);
    if (range.begin < 0) range.begin += n;
    if (range.begin < 0 || range.begin >= n) {
      fail_index("DeviceArray", "index",
                 "expected a number below " + std::to_string(n) + ", got " + text_of(key));
    }
  } else {
    range = stretch_of(key, n);
  }
  std::vector<py::ssize_t> shape(a.shape().begin() + (one ? 1 : 0), a.shape().end());
  if (!one) shape[0] = range.count;
  const py::ssize_t row = n == 0 ? 0 : a.size() / n * a.itemsize();
  return DeviceArray(a.owner(), a.data() + range.begin * row, std::move(shape), a.dtype(),
                     a.writeable());
}

// a[:, begin:end]: in each row of the first axis, bytes that lie `pitch` behind those of the last.
struct Columns {
  char* data;
  std::vector<py::ssize_t> shape;
  std::size_t rows, bytes, pitch;
};

bool is_columns(const py::object& key) {
  if (!py::isinstance<py::tuple>(key) || py::len(key) != 2) return false;
  const py::tuple keys = py::reinterpret_borrow<py::tuple>(key);
  const py::object first = keys[0], second = keys[1];
  return first.equal(py::slice(std::nullopt, std::nullopt, std::nullopt)) &&
         py::isinstance<py::slice>(second);
}

Columns columns(const DeviceArray& a, const py::object& key) {
  if (a.shape().size() < 2) fail_key(key);
  const Stretch range = stretch_of(py::reinterpret_borrow<py::tuple>(key)[1], a.shape()[1]);
  std::vector<py::ssize_t> shape = a.shape();
  shape[1] = range.count;
  std::size_t inner = static_cast<std::size_t>(a.itemsize());
  for (std::size_t i = 2; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  return {a.data() + range.begin * static_cast<py::ssize_t>(inner), shape,
          static_cast<std::size_t>(shape[0]), inner * static_cast<std::size_t>(range.count),
          inner * static_cast<std::size_t>(a.shape()[1])};
}

void copy_columns(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                  const Columns& size) {
  const cuda::Kind any = cuda::Kind::UInt8;
  copy_recorded({static_cast<char*>(to), static_cast<const char*>(from), any, any, size.rows,
                 size.bytes, to_pitch, from_pitch, 0});
}

bool is_row_numbers(const py::object& key) {
  return py::isinstance<NdArray>(key) || py::isinstance<py::list>(key) ||
         (py::isinstance<py::array>(key) && py::cast<py::array>(key).ndim() > 0);
}

// Row numbers from Python are looked at here, those on the GPU by the GPU.
NdArray on_device(const py::object& key, py::ssize_t rows) {
  if (py::isinstance<NdArray>(key)) return py::reinterpret_borrow<NdArray>(key);
  const py::array given = py::array::ensure(key);
  const char kind = given ? given.dtype().kind() : 'O';
  if (given && given.ndim() == 1 && (kind == 'i' || kind == 'u' || given.size() == 0)) {
    using Numbers = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
    Numbers numbers(given.attr("astype")("int64"));
    std::int64_t* data = numbers.mutable_data();
    for (py::ssize_t i = 0; i < numbers.size(); ++i) {
      if (data[i] < -rows || data[i] >= rows) {
        fail_index("DeviceArray", "index",
                   "expected numbers below " + std::to_string(rows) + ", got " +
                       std::to_string(data[i]) + " as element " + std::to_string(i));
      }
      if (data[i] < 0) data[i] += rows;
    }
    return to_device("DeviceArray", "index", numbers);
  }
  fail_key(key);
}

// a[numbers]: these rows, copied.
NdArray rows(const DeviceArray& a, const py::object& key) {
  if (a.shape().empty()) fail_key(key);
  const NdArray index = on_device(key, a.shape()[0]);
  if (index.ndim() != 1) fail_key(key);
  Call call("DeviceArray");
  Array numbers(call.op(), "index", index);
  const std::int64_t* data = call.indices<std::int64_t>(numbers, a.shape()[0]);
  std::vector<index_t> shape(a.shape().begin(), a.shape().end());
  shape[0] = index.size();
  const NdArray made = pool_array(call.op(), "rows", Shape(shape.data(), shape.size()), a.dtype());
  if (made.nbytes() > 0) {
    cuda::gather_rows(made.get().data(), a.data(), data, index.size(), made.nbytes() / index.size(),
                      a.shape()[0]);
  }
  return made;
}

NdArray part(const DeviceArray& a, const py::object& key) {
  const Doing doing("DeviceArray");
  if (is_columns(key)) {
    const Columns from = columns(a, key);
    const NdArray made = pool_array(
        "DeviceArray", "columns",
        Shape(reinterpret_cast<const index_t*>(from.shape.data()), from.shape.size()), a.dtype());
    copy_columns(made.get().data(), from.bytes, from.data, from.pitch, from);
    return made;
  }
  return is_row_numbers(key) ? rows(a, key) : wrap(view(a, key));
}

// a[key] = value: an array of the same shape and, in columns, type, from the GPU or not; or one
// number.
void assign(const DeviceArray& a, const py::object& key, const py::object& value) {
  const Doing doing("DeviceArray");
  if (!a.writeable()) {
    fail_value("DeviceArray", "self", "expected a writable array, got a read-only one");
  }
  const auto expect = [](const Shape& shape, const NdArray& from) {
    if (shape_of(from.get()) == shape) return;
    fail_value("DeviceArray", "value",
               "expected shape " + repr(shape) + ", got " + repr(shape_of(from.get())));
  };
  const bool array = py::isinstance<NdArray>(value) || py::isinstance<py::array>(value);
  const auto there = [&] {
    return py::isinstance<NdArray>(value)
               ? py::reinterpret_borrow<NdArray>(value)
               : to_device("DeviceArray", "value", py::reinterpret_borrow<py::array>(value));
  };
  if (is_columns(key)) {
    const Columns to = columns(a, key);
    if (!array) fail_type("DeviceArray", "value", "expected an array, got " + text_of(value));
    const NdArray from = astype(there(), a.dtype(), false);
    expect(Shape(reinterpret_cast<const index_t*>(to.shape.data()), to.shape.size()), from);
    return copy_columns(to.data, to.pitch, from.data(), to.bytes, to);
  }
  const DeviceArray to = view(a, key);
  if (array) {
    const NdArray from = there();
    expect(shape_of(to), from);
    return copy_into(wrap(to), from);
  }
  cuda::fill(to.data(), to.kind(), Call("DeviceArray").number("value", value), to.size());
}

// --- what is no arithmetic -----------------------------------------------------------------------

std::string text(const DeviceArray& a) {
  return "DeviceArray(shape=" + repr(shape_of(a)) + ", dtype=" + std::string(py::str(a.dtype())) +
         ")";
}

py::ssize_t length(const DeviceArray& a) {
  if (a.shape().empty()) {
    fail_type("DeviceArray", "self", "expected an array with axes, got shape ()");
  }
  return a.shape()[0];
}

[[noreturn]] py::object refuse(const py::args&, const py::kwargs&) {
  throw py::type_error(
      "[DeviceArray] NumPy and operators compute on the CPU: x.to_numpy() "
      "copies x there, pynet.ops compute on the GPU");
}

// np.shape(x), np.ndim(x) and np.size(x) look at no element; all else of NumPy does.
py::object numpy_function(const py::object& self, const py::object& function, const py::object&,
                          const py::tuple& args, const py::dict& kwargs) {
  for (const char* name : {"shape", "ndim", "size"}) {
    const py::object known = py::module_::import("numpy").attr(name);
    if (function.is(known) && args.size() == 1 && kwargs.empty() && self.is(args[0])) {
      return self.attr(name);
    }
  }
  refuse({}, {});
}

// What NumPy's arrays have and this one has not, such as y.argmax().
py::object no_attribute(const DeviceArray&, const std::string& name) {
  throw py::attribute_error("'DeviceArray' object has no attribute '" + name +
                            "': x.to_numpy() copies x to the CPU, as an array of NumPy's");
}

// NumPy would make an array of one object of it, or compute element by element.
constexpr const char* kRefused[] = {
    "__array__",    "__array_ufunc__", "__add__",  "__radd__",    "__sub__",
    "__rsub__",     "__mul__",         "__rmul__", "__truediv__", "__rtruediv__",
    "__floordiv__", "__rfloordiv__",   "__mod__",  "__rmod__",    "__matmul__",
    "__rmatmul__",  "__neg__",         "__pos__",  "__abs__",     "__pow__",
    "__rpow__",     "__iadd__",        "__isub__", "__imul__",    "__itruediv__",
    "__float__",    "__int__",         "__bool__", "__eq__",      "__ne__",
    "__lt__",       "__le__",          "__gt__",   "__ge__",      "__contains__",
};

}  // namespace

void bind_device_array(py::module_& m) {
  py::class_<DeviceArray> c(m, "DeviceArray", py::module_local());
  c.def_property_readonly("shape", &shape_tuple)
      .def_property_readonly("ndim", [](const DeviceArray& a) { return a.shape().size(); })
      .def_property_readonly("size", &DeviceArray::size)
      .def_property_readonly("nbytes", [](const DeviceArray& a) { return a.size() * a.itemsize(); })
      .def_property_readonly("dtype", &DeviceArray::dtype)
      .def_property_readonly("device", [](const DeviceArray&) { return "cuda"; })
      .def("to_numpy", &to_numpy)
      .def("reshape", &reshape)
      .def("copy", &copied)
      .def("astype", &astype, py::arg("dtype"), py::arg("copy") = true)
      .def(
          "fill",
          [](const DeviceArray& a, const py::object& value) { assign(a, py::ellipsis(), value); },
          py::arg("value"))
      .def("__getitem__", &part)
      .def("__setitem__", &assign)
      .def("__len__", &length)
      .def("__repr__", &text)
      .def("__copy__", &copied)
      .def("__deepcopy__", [](const DeviceArray& a, const py::object&) { return copied(a); })
      // A pickle holds the elements; who reads it puts them on the GPU again.
      .def("__reduce__",
           [](const DeviceArray& a) {
             return py::make_tuple(py::module_::import("pynet.devices").attr("to_device"),
                                   py::make_tuple(to_numpy(a)));
           })
      .def_property_readonly("__cuda_array_interface__", &array_interface)
      .def("__dlpack_device__", [](const DeviceArray&) { return dlpack_device(); })
      .def("__dlpack__", &to_dlpack, py::kw_only(), py::arg("stream") = py::none(),
           py::arg("max_version") = py::none(), py::arg("dl_device") = py::none(),
           py::arg("copy") = py::none())
      .def("__array_function__", &numpy_function)
      .def("__getattr__", &no_attribute);
  for (const char* name : kRefused) c.def(name, &refuse);
}

}  // namespace pynet
