#include "python/array_arg.h"

#include <cmath>
#include <limits>

namespace pynet {
namespace {

// Arrays beyond this many elements are refused before their bytes can overflow a size.
constexpr index_t kLargestSize = index_t(1) << 43;

std::string text_of(py::handle object) {
  std::string text = py::str(py::repr(object));
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

std::string message(const char* op, const char* argument, const std::string& text) {
  return "[" + std::string(op) + "] " + argument + ": " + text;
}

// The product of the sizes, or -1 when it is beyond kLargestSize.
index_t product(const Shape& shape) {
  index_t size = 1;
  for (index_t n : shape) {
    if (n == 0) return 0;
    if (n < 0 || size > kLargestSize / n) return -1;
    size *= n;
  }
  return size;
}

struct Range {
  std::uintptr_t begin, end;
};

// The first and last byte an array may touch, whatever its strides.
Range extent(const py::array& a) {
  std::uintptr_t low = reinterpret_cast<std::uintptr_t>(a.data()), high = low;
  for (py::ssize_t i = 0; i < a.ndim(); ++i) {
    const std::intptr_t reach = (a.shape(i) - 1) * a.strides(i);
    (reach < 0 ? low : high) += reach;
  }
  return {low, high + static_cast<std::uintptr_t>(a.itemsize())};
}

bool is_contiguous(const py::array& a) {
  constexpr int wanted =
      py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  return (a.flags() & wanted) == wanted;
}

}  // namespace

std::string repr(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

void fail_value(const char* op, const char* argument, const std::string& text) {
  throw py::value_error(message(op, argument, text));
}
void fail_type(const char* op, const char* argument, const std::string& text) {
  throw py::type_error(message(op, argument, text));
}
void fail_index(const char* op, const char* argument, const std::string& text) {
  throw py::index_error(message(op, argument, text));
}

// --- Array ---------------------------------------------------------------------------------------

Array::Array(const char* op, const char* name, py::array array)
    : op_(op), name_(name), shape_(array.shape(), array.shape() + array.ndim()) {
  object_ = std::move(array);
}

index_t Array::size() const { return product(shape_); }

bool Array::is_double() const {
  const py::dtype dtype = object().dtype();
  return dtype.kind() == 'f' && dtype.itemsize() == 8;
}

void Array::expect_rank(int rank, const char* meaning) const {
  if (ndim() != rank) {
    fail_value(op_, name_,
               "expected " + std::to_string(rank) + " dimensions " + meaning + ", got shape " +
                   repr(shape_));
  }
}

void Array::expect_shape(const Shape& shape, const std::string& why) const {
  if (shape_ != shape) {
    fail_value(
        op_, name_,
        "expected shape " + repr(shape) + (why.empty() ? "" : " " + why) + ", got " + repr(shape_));
  }
}

// --- Call ----------------------------------------------------------------------------------------

Array Call::open(const char* name, py::handle object) {
  py::array array;
  if (py::isinstance<py::array>(object)) {
    array = py::reinterpret_borrow<py::array>(object);
  } else {
    try {
      array = py::array::ensure(object);
    } catch (const py::error_already_set&) {
    }
    if (!array) {
      PyErr_Clear();
      fail_type(op_, name, "expected an array of numbers, got " + text_of(object));
    }
  }
  const char kind = array.dtype().kind();
  const bool real =
      kind == 'b' || kind == 'i' || kind == 'u' || (kind == 'f' && array.dtype().itemsize() <= 8);
  if (!real) {
    fail_type(op_, name, "expected real numbers, got dtype " + std::string(py::str(array.dtype())));
  }
  if (array.size() == 0) {
    fail_value(op_, name,
               "expected at least one element, got shape " +
                   repr(Shape(array.shape(), array.shape() + array.ndim())));
  }
  inputs_.push_back(array);
  return Array(op_, name, array);
}

Array Call::array(const char* name, py::handle object) {
  Array array = open(name, object);
  double_ = double_ || array.is_double();
  return array;
}

Array Call::follower(const char* name, py::handle object) { return open(name, object); }

Array Call::optional(const char* name, py::handle object) {
  return object.is_none() ? Array() : array(name, object);
}

void Call::expect_apart(const char* name, const py::array& out, bool in_place) const {
  const Range mine = extent(out);
  const auto overlaps = [&](const py::array& other) {
    const Range theirs = extent(other);
    return mine.begin < theirs.end && theirs.begin < mine.end;
  };
  for (const py::array& input : inputs_) {
    const bool same = in_place && input.data() == out.data() && is_contiguous(input) &&
                      input.dtype().is(out.dtype()) && input.size() == out.size();
    if (!same && overlaps(input)) {
      fail_value(op_, name, "expected memory apart from the inputs, got an overlapping array");
    }
  }
  for (const py::array& output : outputs_) {
    if (overlaps(output)) {
      fail_value(op_, name,
                 "expected memory apart from the other outputs, got an overlapping array");
    }
  }
}

Array Call::take(const char* name, py::handle out, const Shape& shape, const py::dtype& dtype,
                 bool in_place) {
  expect_size(name, shape);
  if (out.is_none()) return Array(op_, name, pool_array(op_, shape, dtype));
  if (!py::isinstance<py::array>(out)) {
    fail_type(op_, name, "expected a NumPy array, got " + text_of(out));
  }
  py::array array = py::reinterpret_borrow<py::array>(out);
  if (!array.dtype().equal(dtype)) {
    fail_type(op_, name,
              "expected dtype " + std::string(py::str(dtype)) + ", got " +
                  std::string(py::str(array.dtype())));
  }
  Array taken(op_, name, array);
  taken.expect_shape(shape);
  if (!array.writeable()) fail_value(op_, name, "expected a writable array, got a read-only one");
  if (!is_contiguous(array)) {
    fail_value(op_, name, "expected a C-contiguous array, got strides of another layout");
  }
  expect_apart(name, array, in_place);
  outputs_.push_back(array);
  return taken;
}

index_t Call::integer(const char* name, py::handle object, index_t least, index_t most) const {
  const std::string wanted = "expected an integer of at least " + std::to_string(least);
  py::object index = PyBool_Check(object.ptr())
                         ? py::object()
                         : py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
  if (!index) {
    PyErr_Clear();
    fail_type(op_, name, wanted + ", got " + text_of(object));
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow < 0 || (overflow == 0 && value < least)) {
    fail_value(op_, name, wanted + ", got " + text_of(object));
  }
  if (overflow > 0 || value > most) {
    fail_value(
        op_, name,
        "expected an integer of at most " + std::to_string(most) + ", got " + text_of(object));
  }
  return static_cast<index_t>(value);
}

Pair Call::pair(const char* name, py::handle object, index_t least) const {
  constexpr index_t most = std::numeric_limits<std::int32_t>::max();
  if (!py::isinstance<py::tuple>(object) && !py::isinstance<py::list>(object)) {
    const index_t both = integer(name, object, least, most);
    return {both, both};
  }
  const py::sequence sequence = py::reinterpret_borrow<py::sequence>(object);
  if (sequence.size() != 2) {
    fail_value(op_, name, "expected an integer or a pair (height, width), got " + text_of(object));
  }
  return {integer(name, py::object(sequence[0]), least, most),
          integer(name, py::object(sequence[1]), least, most)};
}

double Call::number(const char* name, py::handle object) const {
  const double value = PyComplex_Check(object.ptr()) ? -1 : PyFloat_AsDouble(object.ptr());
  if (PyComplex_Check(object.ptr()) || (value == -1 && PyErr_Occurred())) {
    PyErr_Clear();
    fail_type(op_, name, "expected a number, got " + text_of(object));
  }
  if (!std::isfinite(value)) {
    fail_value(op_, name, "expected a finite number, got " + text_of(object));
  }
  return value;
}

Shape Call::shape(const char* name, py::handle object, int rank) const {
  if (!PySequence_Check(object.ptr())) {
    fail_type(op_, name, "expected a shape, got " + text_of(object));
  }
  const py::sequence sequence = py::reinterpret_borrow<py::sequence>(object);
  if (static_cast<int>(sequence.size()) != rank) {
    fail_value(op_, name, "expected " + std::to_string(rank) + " sizes, got " + text_of(object));
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    shape.push_back(integer(name, py::object(sequence[i]), 1, kLargestSize));
  }
  expect_size(name, shape);
  return shape;
}

py::array_t<std::int64_t> Call::labels(const char* name, const Array& t, index_t N,
                                       index_t classes) const {
  const py::dtype dtype = t.object().dtype();
  const char kind = dtype.kind();
  if (kind != 'i' && kind != 'u') {
    fail_type(op_, name,
              "expected class numbers of an integer type, or rows of the shape of x, got "
              "dtype " +
                  std::string(py::str(dtype)));
  }
  if (t.size() != N) {
    fail_value(op_, name,
               "expected " + std::to_string(N) +
                   " class numbers like the rows of x, got "
                   "shape " +
                   repr(t.shape()));
  }
  const bool big = kind == 'u' && dtype.itemsize() == 8;
  auto labels =
      py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>::ensure(t.object());
  if (!labels) throw py::error_already_set();
  const std::int64_t* values = labels.data();
  for (index_t n = 0; n < N; ++n) {
    if (values[n] < 0 || values[n] >= classes) {
      const std::string got = big && values[n] < 0
                                  ? std::to_string(static_cast<std::uint64_t>(values[n]))
                                  : std::to_string(values[n]);
      fail_index(op_, name,
                 "expected class numbers in 0 .. " + std::to_string(classes - 1) + ", got " + got +
                     " at row " + std::to_string(n));
    }
  }
  return labels;
}

void Call::expect_size(const char* name, const Shape& shape) const {
  if (product(shape) < 0) {
    fail_value(op_, name, "expected an array that fits in memory, got shape " + repr(shape));
  }
}

py::array pool_array(const char* op, const Shape& shape, const py::dtype& dtype) {
  const std::size_t bytes =
      static_cast<std::size_t>(product(shape)) * static_cast<std::size_t>(dtype.itemsize());
  void* block = nullptr;
  try {
    block = pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError,
                    message(op, "out",
                            "expected " + std::to_string(bytes) + " bytes of memory for shape " +
                                repr(shape) + ", got none")
                        .c_str());
    throw py::error_already_set();
  }
  const py::capsule owner(block, [](void* p) { pool_free(p); });
  return py::array(dtype, shape, block, owner);
}

}  // namespace pynet
