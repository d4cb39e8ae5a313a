// What Python sees of a recorded step, the same in both modules. How a batch comes in and how the
// calls are played is their own: bind_recording.cpp here and in cuda/python.
#pragma once

#include "python/bind.h"

namespace pynet {

// A recording and the arrays that it holds.
class StepBase {
 public:
  void start() { recording_.start(); }
  void refresh(std::size_t first) { recording_.refresh(first); }
  void stop() { recording_.stop(); }
  bool complete() const { return recording_.complete(); }
  void set_label(int label) { recording_.set_label(label); }
  std::size_t size() const { return recording_.size(); }
  std::size_t foreign() const { return recording_.foreign(); }
  std::size_t first_copy() const { return recording_.first_copy(); }
  std::size_t bytes() const { return recording_.bytes(); }
  void set_boundary() { recording_.set_boundary(); }
  std::size_t boundary() const { return recording_.boundary(); }

  void hold(const NdArray& array) {
    recording_.hold(array.data(), static_cast<std::size_t>(array.nbytes()));
    held_.append(array);
  }

  void set_random(std::size_t i, std::uint64_t seed, std::uint32_t layer, std::uint32_t step) {
    recording_.call(i).numbers.random = {seed, layer, step};
  }

  // Of each call: the kernel, its label, operations, bytes, seconds.
  py::list rows() {
    py::list rows;
    for (const auto& call : recording_.calls()) {
      double bytes = 0;
      for (const Operand& operand : call->operands()) {
        bytes += static_cast<double>(operand.bytes) * (operand.access == Access::Both ? 2 : 1);
      }
      rows.append(
          py::make_tuple(call->name, call->label, call->operations(), bytes, call->seconds));
    }
    return rows;
  }

 protected:
  // Whether t of this kind of dtype can be labels: class numbers, where there are classes.
  bool of_kind(char kind) const { return classes_ == 0 || kind == 'i' || kind == 'u'; }
  // Whether rows of `all` are rows of the batch.
  static bool same_rows(const Shape& all, const Shape& batch) {
    return all.size() == batch.size() && !all.empty() &&
           std::equal(all.begin() + 1, all.end(), batch.begin() + 1);
  }

  Recording recording_;
  index_t classes_ = 0;  // t holds class numbers below it; 0: numbers of the data type of x

 private:
  py::list held_;
};

// The class `Recording` of the module, of what RecordedStep has beside the words above.
template <class RecordedStep>
py::class_<RecordedStep> def_step(py::module_& m) {
  py::class_<RecordedStep> step(m, "Recording", py::module_local());
  step.def(py::init<>())
      .def("start", &RecordedStep::start)
      .def("refresh", &RecordedStep::refresh, py::arg("first"))
      .def("stop", &RecordedStep::stop)
      .def("complete", &RecordedStep::complete)
      .def("set_label", &RecordedStep::set_label, py::arg("label"))
      .def("size", &RecordedStep::size)
      .def("foreign", &RecordedStep::foreign)
      .def("first_copy", &RecordedStep::first_copy)
      .def("bytes", &RecordedStep::bytes)
      .def("hold", &RecordedStep::hold, py::arg("array"))
      .def("set_inputs", &RecordedStep::set_inputs, py::arg("x"), py::arg("t"), py::arg("classes"))
      .def("feed", &RecordedStep::feed, py::arg("x"), py::arg("t"))
      .def("feed_rows", &RecordedStep::feed_rows, py::arg("x"), py::arg("t"), py::arg("index"))
      .def("set_boundary", &RecordedStep::set_boundary)
      .def("boundary", &RecordedStep::boundary)
      .def("optimize", &RecordedStep::optimize)
      .def("play", &RecordedStep::play, py::arg("first"), py::arg("last"))
      .def("loss", &RecordedStep::loss, py::arg("call"))
      .def("set_random", &RecordedStep::set_random, py::arg("call"), py::arg("seed"),
           py::arg("layer"), py::arg("step"))
      .def("rows", &RecordedStep::rows);
  return step;
}

}  // namespace pynet
