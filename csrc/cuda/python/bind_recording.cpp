// A recorded step on the GPU: the calls of the recording as a CUDA graph, one launch for all of
// them.
#include <map>
#include <string>
#include <utility>

#include "cuda/copy.h"
#include "cuda/python/device_array.h"
#include "cuda/runtime/device.h"
#include "python/bind.h"

namespace pynet {
namespace {

// The calls first .. last-1 as a graph, after they have run once call by call: a kernel that the
// driver has not loaded yet cannot be loaded while a graph is made. It belongs to the stream, and
// so to the thread, that it was first played on.
class Graph {
 public:
  Graph() = default;
  ~Graph() {
    if (made_) cudaGraphExecDestroy(made_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  bool play(Recording& recording, std::size_t first, std::size_t last) {
    if (!stream_) {
      stream_ = cuda::stream();
      return recording.play(first, last);
    }
    if (stream_ != cuda::stream() || !recording.holds()) return false;
    if (cuda::waits_after_each_launch()) return recording.play(first, last);  // no graph can wait
    if (!made_ && !capture(recording, first, last)) return false;
    cuda::check(cudaGraphLaunch(made_, stream_), "cudaGraphLaunch");
    return true;
  }

 private:
  bool capture(Recording& recording, std::size_t first, std::size_t last) {
    cuda::check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
                "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    bool played = false;
    try {
      played = recording.play(first, last);
    } catch (...) {
      if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
      throw;
    }
    cuda::check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
    const cudaError_t code = played ? cudaGraphInstantiate(&made_, graph, 0) : cudaSuccess;
    cudaGraphDestroy(graph);
    cuda::check(code, "cudaGraphInstantiate");
    return played;
  }

  cudaStream_t stream_ = nullptr;
  cudaGraphExec_t made_ = nullptr;
};

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
  void set_boundary() { recording_.set_boundary(); }
  std::size_t boundary() const { return recording_.boundary(); }
  void optimize() {
    recording_.optimize();
    recording_.reserve();  // a graph keeps the addresses that it was made with
  }

  void hold(const NdArray& array) {
    recording_.hold(array.data(), static_cast<std::size_t>(array.nbytes()));
    held_.append(array);
  }

  // classes: t holds class numbers below it; 0: t holds numbers of the data type of x.
  void set_inputs(const NdArray& x, const NdArray& t, index_t classes) {
    x_ = x, t_ = t, classes_ = classes;
    hold(x);
    hold(t);
  }

  // Takes a batch, from the processor or the GPU. False, and nothing taken, where its shape is
  // another or t of another kind.
  bool feed(const py::object& x, const py::object& t) {
    const NdArray from_x = on_device("x", x), from_t = on_device("t", t);
    if (!fits(from_x, x_) || !fits(from_t, t_) || !of_kind(from_t)) return false;
    if (classes_ > 0) {
      Call call("step");
      Array labels("step", "t", from_t);
      call.indices<std::int64_t>(labels, classes_);
      cuda::synchronize();  // IndexError before anything is computed
    }
    copy_into(x_, from_x);
    copy_into(t_, from_t);
    return true;
  }

  // Copies the rows `index` of all samples in, which lie on the GPU. False where feed() has to.
  bool feed_rows(const py::object& all_x, const py::object& all_t, const py::object& index_array) {
    if (!py::isinstance<NdArray>(all_x) || !py::isinstance<NdArray>(all_t)) return false;
    const NdArray x = py::reinterpret_borrow<NdArray>(all_x);
    const NdArray t = py::reinterpret_borrow<NdArray>(all_t);
    if (!same_rows(x, x_) || !same_rows(t, t_)) return false;
    const NdArray index = on_device("index", index_array);
    if (index.ndim() != 1 || index.size() != x_.shape(0) || x.shape(0) != t.shape(0)) return false;
    Call call("step");
    Array rows("step", "index", index);
    const std::int64_t* numbers = call.indices<std::int64_t>(rows, x.shape(0));
    gather(x_, x, numbers);
    gather(t_, t, numbers);
    if (classes_ > 0) {
      Array labels("step", "t", t_);
      call.indices<std::int64_t>(labels, classes_);
    }
    cuda::synchronize();
    return true;
  }

  bool play(std::size_t first, std::size_t last) {
    last = std::min(last, recording_.size());
    py::gil_scoped_release release;
    return graphs_[{first, last}].play(recording_, first, last);
  }

  // Waits for the step.
  double loss(std::size_t i) {
    cuda::synchronize();
    return recording_.call(i).numbers.loss;
  }

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
  static NdArray on_device(const char* name, const py::object& object) {
    if (py::isinstance<NdArray>(object)) return py::reinterpret_borrow<NdArray>(object);
    const py::array array = py::array::ensure(object);
    if (!array) fail_type("step", name, "expected an array, got " + text_of(object));
    return to_device("step", name, array);
  }
  static bool fits(const NdArray& a, const NdArray& b) {
    return a.get().shape() == b.get().shape();
  }
  bool of_kind(const NdArray& t) const {
    const char kind = t.dtype().kind();
    return classes_ == 0 || kind == 'i' || kind == 'u';
  }
  static bool same_rows(const NdArray& all, const NdArray& batch) {
    const auto &a = all.get().shape(), &b = batch.get().shape();
    return all.get().kind() == batch.get().kind() && a.size() == b.size() && !a.empty() &&
           std::equal(a.begin() + 1, a.end(), b.begin() + 1);
  }
  static void gather(const NdArray& to, const NdArray& from, const std::int64_t* index) {
    const index_t rows = to.shape(0);
    cuda::gather_rows(to.get().data(), from.get().data(), index, rows, to.nbytes() / rows,
                      from.shape(0));
  }

  Recording recording_;
  std::map<std::pair<std::size_t, std::size_t>, Graph> graphs_;
  py::list held_;
  NdArray x_, t_;
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
