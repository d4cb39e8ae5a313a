// The border between Python and the kernels: every argument is checked and converted here, once.
//
// A binding reads top to bottom: take the arguments, check them, take the output, run the kernel.
//
//   Call call("relu");
//   Array x = call.array("x", x_object);
//   return call.dispatch([&](auto zero) {
//     using T = decltype(zero);
//     const T* in = x.data<T>();
//     Array y = call.output<T>("out", out_object, x.shape());
//     run(kernels().relu, ActivationArgs<T>{y.data<T>(), in, y.size()});
//     return y.object();
//   });
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "pynet/runtime.h"
#include "python/ndarray.h"
#include "python/shape.h"
#if defined(PYNET_CUDA_MODULE)
#include "cuda/runtime/numbers.h"
#endif

namespace pynet {

std::string repr(const Shape& shape);    // "(2, 3)"
std::string text_of(py::handle object);  // what Python prints, cut to 60 characters

// Throws "[op] argument: expected ..., got ..." as a ValueError, TypeError or IndexError.
[[noreturn]] void fail_value(const char* op, const char* argument, const std::string& text);
[[noreturn]] void fail_type(const char* op, const char* argument, const std::string& text);
[[noreturn]] void fail_index(const char* op, const char* argument, const std::string& text);

// An array argument or output of one call. Holds its Python object for as long as the call lasts.
class Array {
 public:
  Array() = default;
  Array(const char* op, const char* name, NdArray array);

  explicit operator bool() const { return static_cast<bool>(object_); }
  const char* name() const { return name_; }
  const Shape& shape() const { return shape_; }
  index_t shape(int axis) const { return shape_[axis < 0 ? shape_.size() + axis : axis]; }
  int ndim() const { return static_cast<int>(shape_.size()); }
  index_t size() const;
  bool is_double() const;  // float64, in whatever byte order

  // The elements, contiguous and in C order; converts the array on first use if it must.
  template <class T>
  T* data();

  NdArray object() const { return py::reinterpret_borrow<NdArray>(object_); }

  // Each throws a ValueError that names the argument when the shape is another.
  void expect_rank(int rank, const char* meaning) const;
  void expect_shape(const Shape& shape, const char* why = "") const;

 private:
  friend class Call;
  void convert(const py::dtype& dtype);
  const char* op_ = "";
  const char* name_ = "";
  py::object object_;  // an array, or nothing
  Shape shape_;
};

constexpr int kMostArguments = 16;  // of an op

// Arrays that are held until the call ends, without an allocation.
class Kept {
 public:
  Kept() = default;
  ~Kept() {
    while (size_ > 0) Py_DECREF(arrays_[--size_]);
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  void add(const NdArray& array) {
    if (size_ == kMostArguments) py::pybind11_fail("an op keeps too many arrays");
    arrays_[size_++] = array.inc_ref().ptr();
  }
  int size() const { return size_; }
  NdArray operator[](int i) const { return py::reinterpret_borrow<NdArray>(arrays_[i]); }

 private:
  int size_ = 0;
  PyObject* arrays_[kMostArguments];
};

// Two sizes from an integer or a pair of them: (height, width).
struct Pair {
  index_t h, w;
};

// One call of one op: its name for the messages, its data type, its outputs.
class Call {
 public:
  explicit Call(const char* op) : op_(op) {}

  const char* op() const { return op_; }

  // A real array that decides the data type of the call: an input or a parameter.
  Array array(const char* name, py::handle object, bool may_be_empty = false);
  // One that does not: dout, soft labels.
  Array follower(const char* name, py::handle object);
  // Nothing for None.
  Array optional(const char* name, py::handle object);

  bool is_double() const { return double_; }

  // Calls body(T{}) with T = double if any deciding array is float64, else float.
  template <class Body>
  auto dispatch(const Body& body) const {
    return double_ ? body(double{}) : body(float{});
  }

  // A fresh array from the pool, or the caller's `out`: right dtype and shape, contiguous,
  // writable, sharing no memory with the inputs (with in_place, the whole of an input may be the
  // output).
  template <class T>
  Array output(const char* name, py::handle out, const Shape& shape, bool in_place = false);
  // State that is updated where it lies: must already be a writable contiguous array of T.
  template <class T>
  Array state(const char* name, py::handle object, const Shape& shape);

  index_t integer(const char* name, py::handle object, index_t least, index_t most) const;
  Pair pair(const char* name, py::handle object, index_t least) const;
  double number(const char* name, py::handle object) const;          // finite
  Shape shape(const char* name, py::handle object, int rank) const;  // sizes of 1 or more

  // The elements of an array of any integer type, each in 0 .. limit-1 (IndexError otherwise).
  template <class T>
  const T* indices(Array& array, index_t limit) const;

  // A ValueError when an output of this shape is too large to exist.
  void expect_size(const char* name, const Shape& shape) const;

 private:
  Array open(const char* name, py::handle object, bool may_be_empty = false);
  void expect_apart(const char* name, const NdArray& out, bool in_place) const;
  Array take(const char* name, py::handle out, const Shape& shape, const py::dtype& dtype,
             bool in_place);
  const char* op_;
  bool double_ = false;
  Kept inputs_;  // as given: what outputs may not overlap
  Kept outputs_;
};

// A contiguous array from the memory pool; `name` is for the message of a MemoryError.
NdArray pool_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype);

NdArray filled_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype,
                     double value);

// Work above this is worth letting other Python threads run.
constexpr double kReleaseGil = 10000;  // nanoseconds

template <template <class> class Args, class T>
void run(const KernelPair<Args>& pair, Args<T> args) {
  const Kernel<Args<T>>& kernel = pick<Args>(pair, args);
  const Work work = kernel.plan(args);
  if (Recording* recording = Recording::current()) {
    if (!recording->take(pair, kernel, args, work)) return;
  }
#if defined(PYNET_CUDA_MODULE)
  cuda::BorrowedNumbers<Args<T>> numbers(&args);
  py::gil_scoped_release release;
  launch(kernel, args, work);
  numbers.bring_back();
#else
  if (work.cost > kReleaseGil) {
    py::gil_scoped_release release;
    launch(kernel, args, work);
  } else {
    launch(kernel, args, work);
  }
#endif
}

// --- templates -----------------------------------------------------------------------------------

template <class T>
T* Array::data() {
  if (!object_) return nullptr;
  convert(py::dtype::of<T>());
  return static_cast<T*>(const_cast<void*>(object().data()));
}

template <class T>
Array Call::output(const char* name, py::handle out, const Shape& shape, bool in_place) {
  return take(name, out, shape, py::dtype::of<T>(), in_place);
}

template <class T>
Array Call::state(const char* name, py::handle object, const Shape& shape) {
  if (object.is_none()) fail_type(op_, name, "expected an array, got None");
  return take(name, object, shape, py::dtype::of<T>(), false);
}

}  // namespace pynet
