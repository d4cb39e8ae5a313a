#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "python/recorded_step.h"

namespace pynet {
namespace {

// The two arrays that a new batch is copied into; an x that the kernels can read where it lies
// stays there.
class RecordedStep : public StepBase {
 public:
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
    if (x.shape() != x_.shape() || t.shape() != t_.shape() || !of_kind(t.object().dtype().kind())) {
      return false;
    };
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
    if (!same_rows(x.shape(), x_.shape()) || !same_rows(t.shape(), t_.shape()) ||
        !same_data(x, x_) || !same_data(t, t_) || index.ndim() != 1 ||
        index.size() != x_.shape(0) || x.shape(0) != t.shape(0)) {
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

  void optimize() { recording_.optimize(); }

  double loss(std::size_t i) { return recording_.call(i).numbers.loss; }

 private:
  static char* bytes_of(const Array& array) {
    return static_cast<char*>(const_cast<void*>(array.object().data()));
  }
  static void copy(const Array& to, const void* from) {
    std::memcpy(bytes_of(to), from, static_cast<std::size_t>(to.object().nbytes()));
  }

  const void* labels_of(Call& call, Array& t) const {
    return classes_ > 0 ? call.indices<std::int64_t>(t, classes_) : nullptr;
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

  Array x_, t_;
  py::object given_;  // the x of the batch, where it is read where it lies
};

}  // namespace

void bind_recording(py::module_& m) { def_step<RecordedStep>(m); }

}  // namespace pynet
