#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "python/bind.h"

namespace pynet {
namespace {

// A recording, the arrays that it holds, and the two that a new batch is copied into; an x that the
// kernels can read where it lies stays there.
class RecordedStep {
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

  void hold(const NdArray& array) {
    recording_.hold(array.data(), static_cast<std::size_t>(array.nbytes()));
    held_.append(array);
  }

  // classes: t holds class numbers below it; 0: t holds numbers of the data type of x.
  void set_inputs(const NdArray& x, const NdArray& t, index_t classes) {
    x_ = Array("step", "x", x);
    t_ = Array("step", "t", t);
    classes_ = classes;
    hold(x);
    hold(t);
    recording_.set_input(x.data(), static_cast<std::size_t>(x.nbytes()));
  }

  // Takes a batch. False, and nothing taken, where its shape is another or t of another kind.
  bool feed(const py::object& x_object, const py::object& t_object) {
    if (!py::isinstance<NdArray>(x_object) || !py::isinstance<NdArray>(t_object)) return false;
    Call call("step");
    Array x = call.array("x", x_object), t = call.follower("t", t_object);
    if (x.shape() != x_.shape() || t.shape() != t_.shape() || !of_kind(t)) return false;
    const void* labels = labels_of(call, t);
    const void* pixels =
        x_.is_double() ? static_cast<const void*>(x.data<double>()) : x.data<float>();
    given_ = recording_.input_moves() ? x.object() : py::object();  // converted where it had to be
    if (!given_) copy(x_, pixels);
    copy(t_, labels           ? labels
             : x_.is_double() ? static_cast<const void*>(t.data<double>())
                              : t.data<float>());
    return true;
  }

  // Copies the rows `index` of all samples in. False where feed() has to do it.
  bool feed_rows(const NdArray& all_x, const NdArray& all_t, const NdArray& index_array) {
    Call call("step");
    Array index(call.op(), "index", index_array), x(call.op(), "x", all_x), t("step", "t", all_t);
    if (!same_rows(x, x_) || !same_rows(t, t_) || !same_data(x, x_) || !same_data(t, t_) ||
        index.ndim() != 1 || index.size() != x_.shape(0) || x.shape(0) != t.shape(0)) {
      return false;
    }
    const std::int64_t* rows = call.indices<std::int64_t>(index, x.shape(0));
    const char* from = bytes_of(t);
    if (classes_ > 0) check_labels(reinterpret_cast<const std::int64_t*>(from), rows);
    given_ = py::object();
    gather(t_, from, rows);
    gather(x_, bytes_of(x), rows);
    return true;
  }

  bool play(std::size_t first, std::size_t last) {
    last = std::min(last, recording_.size());
    // Alive meanwhile, whatever other threads hand over; an update that is played apart needs no x.
    const py::object x = std::move(given_);
    const void* input = x ? py::reinterpret_borrow<NdArray>(x).data() : nullptr;
    py::gil_scoped_release release;
    return recording_.play(first, last, input);
  }

  void set_boundary() { recording_.set_boundary(); }
  std::size_t boundary() const { return recording_.boundary(); }
  void optimize() { recording_.optimize(); }

  double loss(std::size_t i) { return recording_.call(i).numbers.loss; }

  void set_random(std::size_t i, std::uint64_t seed, std::uint32_t layer, std::uint32_t step) {
    recording_.call(i).numbers.random = {seed, layer, step};
  }

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

 private:
  static char* bytes_of(const Array& array) {
    return static_cast<char*>(const_cast<void*>(array.object().data()));
  }
  static void copy(const Array& to, const void* from) {
    std::memcpy(bytes_of(to), from, static_cast<std::size_t>(to.object().nbytes()));
  }

  bool of_kind(const Array& t) const {
    const char kind = t.object().dtype().kind();
    return classes_ == 0 || kind == 'i' || kind == 'u';
  }
  const void* labels_of(Call& call, Array& t) const {
    return classes_ > 0 ? call.indices<std::int64_t>(t, classes_) : nullptr;
  }

  static bool same_rows(const Array& all, const Array& batch) {
    const Shape &a = all.shape(), &b = batch.shape();
    return a.size() == b.size() && !a.empty() && std::equal(a.begin() + 1, a.end(), b.begin() + 1);
  }
  static bool same_data(const Array& all, const Array& batch) {
    const NdArray array = all.object();
    return array.dtype().equal(batch.object().dtype()) &&
           (array.flags() & NdArray::c_style) == NdArray::c_style;
  }
  static void gather(const Array& to, const char* from, const std::int64_t* rows) {
    const std::size_t count = static_cast<std::size_t>(to.shape(0));
    const std::size_t row = static_cast<std::size_t>(to.object().nbytes()) / count;
    char* out = bytes_of(to);
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(out + i * row, from + static_cast<std::size_t>(rows[i]) * row, row);
    }
  }
  void check_labels(const std::int64_t* labels, const std::int64_t* rows) const {
    for (index_t i = 0; i < t_.shape(0); ++i) {
      if (labels[rows[i]] < 0 || labels[rows[i]] >= classes_) {
        fail_index("step", "t",
                   "expected numbers in 0 .. " + std::to_string(classes_ - 1) + ", got " +
                       std::to_string(labels[rows[i]]) + " as element " + std::to_string(i));
      }
    }
  }

  Recording recording_;
  py::list held_;
  Array x_, t_;
  py::object given_;  // the x of the batch, where it is read where it lies
  index_t classes_ = 0;
};

}  // namespace

void bind_recording(py::module_& m) {
  py::class_<RecordedStep>(m, "Recording", py::module_local())
      .def(py::init<>())
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
}

}  // namespace pynet
