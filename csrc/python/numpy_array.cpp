// The words of python/ndarray.h for NumPy's arrays.
#include "python/index_range.h"

namespace pynet {
// Whether elements of the array are marked as missing (numpy.ma): the kernels would read them.
bool is_masked(const NdArray& a) {
  if (Py_TYPE(a.ptr()) == py::detail::npy_api::get().PyArray_Type_) return false;
  if (!py::hasattr(a, "mask")) return false;
  return py::cast<bool>(py::module_::import("numpy.ma").attr("is_masked")(a));
}

bool is_contiguous(const NdArray& a) {
  constexpr int wanted =
      py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  return (a.flags() & wanted) == wanted;
}

NdArray as_array(const char*, const char*, py::handle object) { return py::array::ensure(object); }

void fail_no_array(const char* op, const char* name, py::handle object) {
  fail_type(op, name, "expected a NumPy array, got " + text_of(object));
}

void copy_into(const NdArray& to, const NdArray& from) {
  if (py::detail::npy_api::get().PyArray_CopyInto_(to.ptr(), from.ptr()) != 0) {
    throw py::error_already_set();
  }
}

template <class T>
const T* Call::indices(Array& array, index_t limit) const {
  const py::dtype dtype = array.object().dtype();
  if (dtype.kind() != 'i' && dtype.kind() != 'u') {
    fail_type(op_, array.name(), "expected integers, got dtype " + std::string(py::str(dtype)));
  }
  const auto check = [&](const auto* elements) {
    expect_in_range(op_, array.name(), elements, array.size(), limit, dtype.kind() == 'u');
  };
  if (sizeof(T) < 8 && dtype.equal(py::dtype::of<T>())) {
    check(array.data<T>());
  } else {
    check(array.data<std::int64_t>());
  }
  return array.data<T>();
}
template const std::int32_t* Call::indices<std::int32_t>(Array&, index_t) const;
template const std::int64_t* Call::indices<std::int64_t>(Array&, index_t) const;

NdArray pool_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype) {
  const std::size_t bytes =
      static_cast<std::size_t>(product(shape)) * static_cast<std::size_t>(dtype.itemsize());
  void* block = nullptr;
  try {
    block = pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError,
                    message(op, name,
                            "expected an array that fits in memory, got shape " + repr(shape) +
                                " of " + std::to_string(bytes) + " bytes")
                        .c_str());
    throw py::error_already_set();
  }
  // As py::array does it, without two vectors and the strides that NumPy knows.
  const py::object owner = py::reinterpret_steal<py::object>(PyCapsule_New(
      block, nullptr, [](PyObject* o) { pool_free(PyCapsule_GetPointer(o, nullptr)); }));
  if (!owner) {
    pool_free(block);
    throw py::error_already_set();
  }
  const auto& numpy = py::detail::npy_api::get();
  constexpr int flags = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ |
                        py::detail::npy_api::NPY_ARRAY_ALIGNED_ |
                        py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  auto* sizes = reinterpret_cast<const Py_intptr_t*>(shape.begin());
  py::object array = py::reinterpret_steal<py::object>(numpy.PyArray_NewFromDescr_(
      numpy.PyArray_Type_, py::dtype(dtype).release().ptr(), static_cast<int>(shape.size()), sizes,
      nullptr, block, flags, nullptr));
  if (!array || numpy.PyArray_SetBaseObject_(array.ptr(), owner.inc_ref().ptr()) != 0) {
    throw py::error_already_set();
  }
  return py::reinterpret_borrow<NdArray>(array);
}

double number_in(const NdArray& array) { return py::cast<double>(array.attr("item")()); }

NdArray filled_array(const char* op, const char* name, const Shape& shape, const py::dtype& dtype,
                     double value) {
  NdArray made = pool_array(op, name, shape, dtype);
  made[py::ellipsis()] = value;
  return made;
}

}  // namespace pynet
