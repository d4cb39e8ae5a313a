#include "python/array_arg.h"

#include <cmath>
#include <limits>
#include <type_traits>

namespace pynet {
namespace {

// Arrays beyond this many elements are refused before their bytes can overflow a size.
constexpr index_t kLargestSize = index_t(1) << 43;

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
Range extent(const NdArray& a) {
  std::uintptr_t low = reinterpret_cast<std::uintptr_t>(a.data()), high = low;
  for (py::ssize_t i = 0; i < a.ndim(); ++i) {
    const std::intptr_t reach = (a.shape(i) - 1) * a.strides(i);
    (reach < 0 ? low : high) += reach;
  }
  return {low, high + static_cast<std::uintptr_t>(a.itemsize())};
}

Shape shape_of(const NdArray& a) {
  static_assert(sizeof(py::ssize_t) == sizeof(index_t), "sizes are copied as they are");
  return Shape(reinterpret_cast<const index_t*>(a.shape()), static_cast<std::size_t>(a.ndim()));
}

bool same_dtype(const py::dtype& a, const py::dtype& b) { return a.is(b) || a.equal(b); }

// Whether an object of NumPy's is one real number: a scalar or a 0-d array.
bool is_real_scalar(py::handle object) {
  const py::array array = py::array::ensure(object);
  const char kind = array && array.ndim() == 0 ? array.dtype().kind() : 'O';
  return kind == 'i' || kind == 'u' || kind == 'f';
}

}  // namespace

std::string repr(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::string text_of(py::handle object) {
  try {
    const py::str text = py::repr(object);
    if (py::len(text) <= 60) return text;
    return std::string(py::str(text[py::slice(0, 57, 1)])) + "...";  // 57 characters, not bytes
  } catch (const py::error_already_set&) {  // the object's own __repr__ failed
    return Py_TYPE(object.ptr())->tp_name;
  }
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

Array::Array(const char* op, const char* name, NdArray array)
    : op_(op), name_(name), shape_(shape_of(array)) {
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

void Array::expect_shape(const Shape& shape, const char* why) const {
  if (shape_ != shape) {
    fail_value(op_, name_,
               "expected shape " + repr(shape) + (*why ? " " : "") + why + ", got " + repr(shape_));
  }
}

void Array::convert(const py::dtype& dtype) {
  const NdArray array = object();
  if (is_contiguous(array) && same_dtype(array.dtype(), dtype)) return;
#if !defined(PYNET_CUDA_MODULE)  // there copies are recorded
  if (Recording* recording = Recording::current()) recording->note_copy();
#endif
  NdArray copy = pool_array(op_, name_, shape_, dtype);
  copy_into(copy, array);
  object_ = std::move(copy);
}

// --- Call ----------------------------------------------------------------------------------------

Array Call::open(const char* name, py::handle object, bool may_be_empty) {
  const bool given = py::isinstance<NdArray>(object);
  const NdArray array =
      given ? py::reinterpret_borrow<NdArray>(object) : as_array(op_, name, object);
  const char kind = array ? array.dtype().kind() : 'O';
  const bool real =
      kind == 'b' || kind == 'i' || kind == 'u' || (kind == 'f' && array.dtype().itemsize() <= 8);
  if (!real && !given) {
    fail_type(op_, name, "expected an array of real numbers, got " + text_of(object));
  }
  if (!real) {
    fail_type(op_, name, "expected real numbers, got dtype " + std::string(py::str(array.dtype())));
  }
  if (is_masked(array)) {
    fail_type(op_, name, "expected an array without masked elements, got " + text_of(object));
  }
  if (array.size() == 0 && !may_be_empty) {
    fail_value(op_, name, "expected at least one element, got shape " + repr(shape_of(array)));
  }
  expect_size(name, shape_of(array));
  inputs_.add(array);
  return Array(op_, name, array);
}

Array Call::array(const char* name, py::handle object, bool may_be_empty) {
  Array array = open(name, object, may_be_empty);
  double_ = double_ || array.is_double();
  return array;
}

Array Call::follower(const char* name, py::handle object) { return open(name, object); }

Array Call::optional(const char* name, py::handle object) {
  return object.is_none() ? Array() : array(name, object);
}

void Call::expect_apart(const char* name, const NdArray& out, bool in_place) const {
  const Range mine = extent(out);
  const auto overlaps = [&](const NdArray& other) {
    const Range theirs = extent(other);
    return mine.begin < theirs.end && theirs.begin < mine.end;
  };
  for (int i = 0; i < inputs_.size(); ++i) {
    const NdArray input = inputs_[i];
    const bool same = in_place && input.data() == out.data() && is_contiguous(input) &&
                      input.dtype().is(out.dtype()) && input.size() == out.size();
    if (!same && overlaps(input)) {
      fail_value(op_, name, "expected memory apart from the inputs, got an overlapping array");
    }
  }
  for (int i = 0; i < outputs_.size(); ++i) {
    if (overlaps(outputs_[i])) {
      fail_value(op_, name,
                 "expected memory apart from the other outputs, got an overlapping array");
    }
  }
}

Array Call::take(const char* name, py::handle out, const Shape& shape, const py::dtype& dtype,
                 bool in_place) {
  expect_size(name, shape);
  if (out.is_none()) return Array(op_, name, pool_array(op_, name, shape, dtype));
  if (!py::isinstance<NdArray>(out)) fail_no_array(op_, name, out);
  NdArray array = py::reinterpret_borrow<NdArray>(out);
  if (!same_dtype(array.dtype(), dtype)) {
    fail_type(op_, name,
              "expected dtype " + std::string(py::str(dtype)) + ", got " +
                  std::string(py::str(array.dtype())));
  }
  if (is_masked(array)) {
    fail_type(op_, name, "expected an array without masked elements, got " + text_of(out));
  }
  Array taken(op_, name, array);
  taken.expect_shape(shape);
  if (!array.writeable()) fail_value(op_, name, "expected a writable array, got a read-only one");
  if (!is_contiguous(array)) {
    fail_value(op_, name, "expected an aligned C-contiguous array, got another layout");
  }
  expect_apart(name, array, in_place);
  outputs_.add(array);
  return taken;
}

index_t Call::integer(const char* name, py::handle object, index_t least, index_t most) const {
  const auto wanted = [&] { return "expected an integer of at least " + std::to_string(least); };
  py::object index = PyBool_Check(object.ptr())
                         ? py::object()
                         : py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
  if (!index) {
    PyErr_Clear();
    fail_type(op_, name, wanted() + ", got " + text_of(object));
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow < 0 || (overflow == 0 && value < least)) {
    fail_value(op_, name, wanted() + ", got " + text_of(object));
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
  // A Python float, as nearly always, without the questions below, which cost more than a small op.
  if (PyFloat_CheckExact(object.ptr()) && std::isfinite(PyFloat_AS_DOUBLE(object.ptr()))) {
    return PyFloat_AS_DOUBLE(object.ptr());
  }
  // NumPy would turn complex numbers and arrays of one element into floats, with a warning.
  const bool plain = !PyComplex_Check(object.ptr()) && !PyBool_Check(object.ptr()) &&
                     (!py::hasattr(object, "dtype") || is_real_scalar(object));
  const double value = plain ? PyFloat_AsDouble(object.ptr()) : -1;
  if (!plain || (value == -1 && PyErr_Occurred())) {
    const bool too_large = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError);
    PyErr_Clear();
    if (too_large) fail_value(op_, name, "expected a finite number, got " + text_of(object));
    fail_type(op_, name, "expected a number, got " + text_of(object));
  }
  if (!std::isfinite(value)) {
    fail_value(op_, name, "expected a finite number, got " + text_of(object));
  }
  return value;
}

Shape Call::shape(const char* name, py::handle object, int rank) const {
  const py::ssize_t length =
      PySequence_Check(object.ptr()) ? PySequence_Size(object.ptr()) : py::ssize_t{-1};
  if (length < 0) {
    PyErr_Clear();
    fail_type(op_, name, "expected a shape, got " + text_of(object));
  }
  const py::sequence sequence = py::reinterpret_borrow<py::sequence>(object);
  if (length != rank) {
    fail_value(op_, name, "expected " + std::to_string(rank) + " sizes, got " + text_of(object));
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    shape.push_back(integer(name, py::object(sequence[i]), 1, kLargestSize));
  }
  expect_size(name, shape);
  return shape;
}

void Call::expect_size(const char* name, const Shape& shape) const {
  if (product(shape) < 0) {
    fail_value(op_, name, "expected an array that fits in memory, got shape " + repr(shape));
  }
}

}  // namespace pynet
