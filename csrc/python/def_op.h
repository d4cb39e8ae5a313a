// How an op becomes a function of the module.
//
//   def_op<&add>(m, "add", py::arg("a"), py::arg("b"), py::kw_only(), py::arg("out") = py::none());
//
// The same words as pybind11's m.def(), without its dispatcher: that looks for an overload, and
// keeps, converts and copies each argument, which for the nine of gemm takes longer than a product
// of ten rows. Here a call's arguments are sorted into an array on the stack (PEP 590). They are
// objects, which the binding checks (array_arg.h), or truth values.
#pragma once

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

#include <type_traits>
#include <utility>

#include "python/array_arg.h"

namespace pynet {

// The arguments of one op, in their order. Lives as long as the process, and so do its objects.
class Signature {
 public:
  void begin(const char* op) { op_ = op; }
  void add(const py::arg& argument) { append(argument.name, py::object()); }
  void add(const py::arg_v& argument) { append(argument.name, argument.value); }
  void add(py::kw_only) { kw_only_ = true; }

  const char* op() const { return op_; }
  int size() const { return size_; }
  std::string text() const;  // "add(a, b, *, out=None)"

  // The object for each argument, its own or its default. TypeError when one is missing, comes
  // twice, or is not known.
  void sort(PyObject* const* given, Py_ssize_t by_position, PyObject* keywords,
            PyObject** values) const;

  bool truth(int argument, PyObject* object) const;  // as `if object` sees it; TypeError

 private:
  void append(const char* name, py::object value);
  int index_of(PyObject* keyword) const;

  const char* op_ = "";
  const char* names_[kMostArguments];
  PyObject* keys_[kMostArguments];      // the names as interned strings
  PyObject* defaults_[kMostArguments];  // null: must be given
  int size_ = 0, by_position_ = 0;
  bool kw_only_ = false;
};

// What Python calls: an op's signature and function, known when it is compiled.
template <auto function>
class Op;

template <class R, class... P, R (*function)(P...)>
class Op<function> {
 public:
  template <class... Arguments>
  static void define(py::module_& m, const char* name, const Arguments&... arguments) {
    static_assert(sizeof...(P) <= kMostArguments);
    signature_.begin(name);
    (signature_.add(arguments), ...);
    if (signature_.size() != sizeof...(P)) py::pybind11_fail(name);
    const char* result = std::is_void_v<R>                 ? "None"
                         : std::is_base_of_v<py::tuple, R> ? "tuple"
                         : std::is_base_of_v<NdArray, R>   ? kArrayType
                                                           : "float";
    const std::string* text = new std::string(signature_.text() + " -> " + result);
    method_ = PyMethodDef{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call)),
                          METH_FASTCALL | METH_KEYWORDS, text->c_str()};
    const py::object module_name = m.attr("__name__");
    m.add_object(name, py::reinterpret_steal<py::object>(
                           PyCFunction_NewEx(&method_, m.ptr(), module_name.ptr())));
  }

 private:
  static PyObject* call(PyObject*, PyObject* const* given, Py_ssize_t by_position,
                        PyObject* keywords) {
    try {
      const Doing doing(signature_.op());
      PyObject* values[sizeof...(P)];
      signature_.sort(given, by_position, keywords, values);
      return invoke(values, std::index_sequence_for<P...>());
    } catch (py::error_already_set& error) {
      error.restore();
#if defined(__GLIBCXX__)
    } catch (abi::__forced_unwind&) {  // the thread ends while it waits for the GIL
      throw;
#endif
    } catch (...) {
      py::detail::try_translate_exceptions();
    }
    return nullptr;
  }

  template <class Parameter>
  static Parameter convert(int argument, PyObject* object) {
    if constexpr (std::is_same_v<Parameter, bool>) {
      return signature_.truth(argument, object);
    } else {
      static_assert(std::is_same_v<Parameter, py::object>);
      return py::reinterpret_borrow<py::object>(object);
    }
  }

  template <std::size_t... i>
  static PyObject* invoke(PyObject** values, std::index_sequence<i...>) {
    if constexpr (std::is_void_v<R>) {
      function(convert<P>(i, values[i])...);
      return py::none().release().ptr();
    } else if constexpr (std::is_base_of_v<py::object, R>) {
      return function(convert<P>(i, values[i])...).release().ptr();
    } else {
      return py::cast(function(convert<P>(i, values[i])...)).release().ptr();
    }
  }

  static inline Signature signature_;
  static inline PyMethodDef method_;
};

template <auto function, class... Arguments>
void def_op(py::module_& m, const char* name, const Arguments&... arguments) {
  Op<function>::define(m, name, arguments...);
}

}  // namespace pynet
