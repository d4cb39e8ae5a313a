#include "python/def_op.h"

namespace pynet {

void Signature::append(const char* name, py::object value) {
  if (size_ == kMostArguments) py::pybind11_fail("an op of too many arguments");
  names_[size_] = name;
  keys_[size_] = PyUnicode_InternFromString(name);
  defaults_[size_] = value.release().ptr();
  if (!keys_[size_]) throw py::error_already_set();
  ++size_;
  if (!kw_only_) by_position_ = size_;
}

std::string Signature::text() const {
  std::string text = std::string(op_) + "(";
  for (int i = 0; i < size_; ++i) {
    text += i ? ", " : "";
    if (i == by_position_) text += "*, ";
    text += names_[i];
    if (defaults_[i]) text += "=" + std::string(py::str(py::repr(defaults_[i])));
  }
  return text + ")";
}

int Signature::index_of(PyObject* keyword) const {
  for (int i = 0; i < size_; ++i) {
    if (keys_[i] == keyword) return i;  // as nearly always: Python interns what code spells out
  }
  for (int i = 0; i < size_; ++i) {
    if (PyUnicode_CompareWithASCIIString(keyword, names_[i]) == 0) return i;
  }
  fail_type(op_, std::string(py::str(keyword)).c_str(),
            "expected an argument of " + text() + ", got another name");
}

void Signature::sort(PyObject* const* given, Py_ssize_t by_position, PyObject* keywords,
                     PyObject** values) const {
  if (by_position > by_position_) {
    fail_type(op_, "arguments",
              "expected at most " + std::to_string(by_position_) + " by position, got " +
                  std::to_string(by_position));
  }
  std::copy(given, given + by_position, values);
  std::fill(values + by_position, values + size_, nullptr);
  const Py_ssize_t by_name = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t k = 0; k < by_name; ++k) {
    const int i = index_of(PyTuple_GET_ITEM(keywords, k));
    if (values[i]) fail_type(op_, names_[i], "expected one object, got two");
    values[i] = given[by_position + k];
  }
  for (int i = static_cast<int>(by_position); i < size_; ++i) {
    if (values[i]) continue;
    if (!defaults_[i]) fail_type(op_, names_[i], "expected an object, got nothing");
    values[i] = defaults_[i];
  }
}

bool Signature::truth(int argument, PyObject* object) const {
  if (object == Py_True) return true;
  if (object == Py_False) return false;
  py::detail::make_caster<bool> caster;
  if (!caster.load(object, true)) {
    fail_type(op_, names_[argument], "expected True or False, got " + text_of(object));
  }
  return py::detail::cast_op<bool>(caster);
}

}  // namespace pynet
