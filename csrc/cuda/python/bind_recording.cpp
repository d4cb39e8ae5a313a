// A recorded step on the GPU: the calls of the recording as a CUDA graph, one launch for all of
// them, and one before it for the batch and the numbers of the step (cuda/step.h). Nobody waits
// until somebody reads a loss.
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "cuda/python/device_array.h"
#include "cuda/runtime/device.h"
#include "cuda/runtime/events.h"
#include "cuda/runtime/step_memory.h"
#include "python/index_range.h"
#include "python/recorded_step.h"

namespace pynet {
namespace {

// What `body` launches, as a graph, after it has run once call by call: a kernel that the driver
// has not loaded yet cannot be loaded while a graph is made.
class Graph {
 public:
  Graph() = default;
  ~Graph() {
    if (made_) cudaGraphExecDestroy(made_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  template <class Body>
  bool play(cudaStream_t stream, const Body& body) {
    if (!ran_ || cuda::waits_after_each_launch()) return ran_ = body();  // no graph can wait
    if (!made_ && !capture(stream, body)) return false;
    cuda::check(cudaGraphLaunch(made_, stream), "cudaGraphLaunch");
    return true;
  }

  std::size_t nodes() const { return nodes_; }

 private:
  template <class Body>
  bool capture(cudaStream_t stream, const Body& body) {
    cuda::check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    bool played = false;
    try {
      played = body();
    } catch (...) {
      if (cudaStreamEndCapture(stream, &graph) == cudaSuccess) cudaGraphDestroy(graph);
      throw;
    }
    cuda::check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    cudaError_t code = played ? cudaGraphInstantiate(&made_, graph, 0) : cudaSuccess;
    if (code == cudaSuccess) code = cudaGraphGetNodes(graph, nullptr, &nodes_);
    cudaGraphDestroy(graph);
    cuda::check(code, "cudaGraphInstantiate");
    return played;
  }

  bool ran_ = false;
  cudaGraphExec_t made_ = nullptr;
  std::size_t nodes_ = 0;
};

class RecordedStep : public StepBase {
 public:
  ~RecordedStep() {
    if (stream_) cuda::finish(stream_);
  }

  void optimize() {
    recording_.optimize();
    recording_.reserve();  // a graph keeps the addresses that it was made with
  }

  void set_inputs(const NdArray& x, const NdArray& t, index_t classes) {
    x_ = x, t_ = t, classes_ = classes;
    hold(x);
    hold(t);
  }

  // What play_later() looks at before the update.
  void set_gradients(const NdArray& grads) { grads_ = grads; }

  // Takes a batch, from the processor or the GPU. False, and nothing taken, where its shape is
  // another or t of another kind. IndexError for a label from the processor that is out of range;
  // one from the GPU stops the step.
  bool feed(const py::object& x, const py::object& t) {
    expect_inputs();
    const Given given_x("x", x), given_t("t", t);
    if (given_x.shape() != shape_of(x_.get()) || given_t.shape() != shape_of(t_.get()) ||
        !of_kind(given_t.kind()) || !is_mine()) {
      return false;
    }
    const py::array labels = given_t.here_as(t_.dtype()), samples = given_x.here_as(x_.dtype());
    if (labels && classes_ > 0) {
      expect_in_range("step", "t", static_cast<const std::int64_t*>(labels.data()), labels.size(),
                      classes_, given_t.kind() == 'u');
    }
    begin_ = cuda::StepBegin{};
    char* place = samples || labels ? memory().next_batch(bytes_of_batch()) : nullptr;
    take(x_, given_x, samples, place);
    take(t_, given_t, labels, place + bytes_of_x());
    if (!labels && classes_ > 0) begin_.labels = labels_of(t_);
    begin_.wraps = given_t.kind() == 'u';
    return true;
  }

  // Copies the rows `index` of all samples in, which lie on the GPU. False where feed() has to.
  bool feed_rows(const py::object& all_x, const py::object& all_t, const py::array& index) {
    expect_inputs();
    if (!py::isinstance<NdArray>(all_x) || !py::isinstance<NdArray>(all_t)) return false;
    const NdArray x = py::reinterpret_borrow<NdArray>(all_x);
    const NdArray t = py::reinterpret_borrow<NdArray>(all_t);
    if (!same_rows(x, x_) || !same_rows(t, t_) || x.shape(0) != t.shape(0) || index.ndim() != 1 ||
        index.size() != x_.shape(0) || !is_mine()) {
      return false;
    }
    const char kind = index.dtype().kind();
    if (kind != 'i' && kind != 'u') {
      fail_type("step", "index",
                "expected integers, got dtype " + std::string(py::str(index.dtype())));
    }
    const py::array rows = as_plain(index, py::dtype::of<std::int64_t>());
    const auto* numbers = static_cast<const std::int64_t*>(rows.data());
    expect_in_range("step", "index", numbers, rows.size(), x.shape(0), kind == 'u');
    begin_ = cuda::StepBegin{};
    slot_ = memory().next_slot();
    std::memcpy(slot_->index, numbers, static_cast<std::size_t>(rows.nbytes()));
    begin_.index = slot_->index;
    begin_.x = rows_of(x_, x);
    if (classes_ > 0) {
      begin_.labels = labels_of(t_), begin_.from_labels = labels_of(t);
    } else {
      begin_.t = rows_of(t_, t);
    }
    return true;
  }

  bool play(std::size_t first, std::size_t last) {
    last = std::min(last, recording_.size());
    return played({first, last, false}, 1, nullptr);
  }

  // The whole step, which stops itself before the update where the loss or a gradient is not
  // finite. False where settle() has to come first, or play() would be false.
  bool play_later() {
    if (!grads_) fail_value("step", "grads", "expected the array of set_gradients(), got none");
    if (later_ == cuda::StepMemory::kMostKept) return false;
    const auto replay = static_cast<std::int64_t>(later_ + 1);
    if (!played({0, recording_.size(), true}, replay, memory().kept() + later_)) return false;
    ++later_;
    return true;
  }

  // Waits for what play_later() began. The losses up to that of the first replay that was stopped,
  // and why it was: what an IndexError says, or "" for a number that is not finite; else None.
  py::tuple settle() {
    wait();
    std::size_t count = later_;
    py::object reason = py::none();
    cuda::Outcome& outcome = *memory().outcome();
    if (outcome.replay != 0) {
      count = static_cast<std::size_t>(outcome.replay);
      reason = py::str(outcome.report.op ? cuda::OutOfRange(outcome.report).what() : "");
      go_on();
    }
    py::list losses;
    for (std::size_t i = 0; i < count; ++i) losses.append(memory().kept()[i]);
    later_ = 0;
    return py::make_tuple(losses, reason);
  }

  // Waits for the step. IndexError where it was stopped.
  double loss(std::size_t) {
    wait();
    cuda::Outcome& outcome = *memory().outcome();
    if (outcome.replay != 0) {
      const cuda::OutOfRange error(outcome.report);
      go_on();
      throw error;
    }
    return outcome.loss;
  }

  // Makes the calls one by one, and says in rows() how long the GPU took for each. It changes what
  // the step changes.
  void measure() {
    if (!is_mine()) return;
    const py::gil_scoped_release release;
    constexpr int kRounds = 3;  // the first finds cold caches
    const cuda::Events events(recording_.size() + 1);
    begin(1, nullptr);
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t i = 0; i < recording_.size(); ++i) {
        events.record(i);
        if (!recording_.play(i, i + 1)) return;
      }
      events.record(recording_.size());
      cuda::synchronize();
      for (std::size_t i = 0; i < recording_.size(); ++i) {
        double& least = recording_.call(i).seconds;
        const double seconds = events.seconds(i, i + 1);
        if (least == 0 || seconds < least) least = seconds;
      }
    }
  }

  // Of the graphs made so far, the largest: kernels and copies of one replay, but for those that
  // take the batch.
  std::size_t nodes() const {
    std::size_t most = 0;
    for (const auto& graph : graphs_) most = std::max(most, graph.second.nodes());
    return most;
  }

 private:
  static py::array as_plain(const py::array& array, const py::dtype& dtype) {
    using namespace pybind11::literals;
    return array.attr("astype")(dtype, "order"_a = "C", "copy"_a = false);
  }

  // An array of a batch as it was given: on the GPU, or not.
  class Given {
   public:
    Given(const char* name, const py::object& object) {
      if (py::isinstance<NdArray>(object)) {
        there_ = py::reinterpret_borrow<NdArray>(object);
        return;
      }
      here_ = py::array::ensure(object);
      if (!here_) fail_type("step", name, "expected an array, got " + text_of(object));
    }
    Shape shape() const {
      if (there_) return shape_of(there_.get());
      return Shape(reinterpret_cast<const index_t*>(here_.shape()),
                   static_cast<std::size_t>(here_.ndim()));
    }
    char kind() const { return there_ ? there_.dtype().kind() : here_.dtype().kind(); }
    const NdArray& there() const { return there_; }
    py::array here_as(const py::dtype& dtype) const {
      return there_ ? py::reinterpret_borrow<py::array>(py::object()) : as_plain(here_, dtype);
    }

   private:
    NdArray there_ = py::reinterpret_borrow<NdArray>(py::object());
    py::array here_ = py::reinterpret_borrow<py::array>(py::object());
  };

  static bool same_rows(const NdArray& all, const NdArray& batch) {
    return all.get().kind() == batch.get().kind() &&
           StepBase::same_rows(shape_of(all.get()), shape_of(batch.get()));
  }

  // `here` comes by way of `place`, which the GPU reads when it gets there.
  static void take(const NdArray& to, const Given& given, const py::array& here, char* place) {
    if (!here) return copy_into(to, given.there());
    std::memcpy(place, here.data(), static_cast<std::size_t>(here.nbytes()));
    copy_bytes(to.get().data(), place, to.nbytes());
  }
  std::size_t bytes_of_x() const { return (static_cast<std::size_t>(x_.nbytes()) + 15) / 16 * 16; }
  std::size_t bytes_of_batch() const {
    return bytes_of_x() + static_cast<std::size_t>(t_.nbytes());
  }
  static cuda::Rows rows_of(const NdArray& to, const NdArray& from) {
    return {to.get().data(), from.get().data(), to.nbytes() / to.shape(0)};
  }
  static std::int64_t* labels_of(const NdArray& t) {
    return reinterpret_cast<std::int64_t*>(t.get().data());
  }

  // A step belongs to the thread that replays it first, as its graphs do to that one's stream.
  bool is_mine() {
    if (!stream_) stream_ = cuda::stream();
    return stream_ == cuda::stream();
  }
  // The memory of a step has room for the row numbers of its batch.
  void expect_inputs() const {
    if (!x_) fail_value("step", "x", "expected the array of set_inputs(), got none");
  }
  cuda::StepMemory& memory() {
    expect_inputs();
    if (!memory_) memory_ = std::make_unique<cuda::StepMemory>(recording_, x_.shape(0));
    return *memory_;
  }

  // The calls first .. last-1; whether the gradients are looked at.
  using Part = std::tuple<std::size_t, std::size_t, bool>;

  bool played(const Part& part, std::int64_t replay, double* kept) {
    if (!is_mine() || !recording_.holds()) return false;
    const py::gil_scoped_release release;
    begin(replay, kept);
    const cuda::Stoppable stoppable(&memory().guard()->stop);
    return graphs_[part].play(stream_, [&] {
      const auto& [first, last, checked] = part;
      if (!checked) return recording_.play(first, last);
      if (!recording_.play(first, recording_.boundary())) return false;
      check_gradients();
      return recording_.play(recording_.boundary(), last);
    });
  }

  void begin(std::int64_t replay, double* kept) {
    const cuda::StepSlot slot = slot_ ? *slot_ : memory().next_slot();
    for (std::size_t i = 0; i < recording_.size(); ++i) {
      slot.numbers[i] = recording_.call(i).numbers;
    }
    begin_.numbers = memory().numbers(), begin_.given = slot.numbers;
    begin_.calls = memory().calls();
    begin_.guard = memory().guard(), begin_.outcome = memory().outcome();
    begin_.replay = replay, begin_.kept = kept;
    begin_.rows = x_.shape(0), begin_.classes = classes_;
    cuda::begin_step(begin_);
    begin_ = cuda::StepBegin{};
    slot_.reset();
  }

  void check_gradients() {
    const auto check = [&](const auto* grads) {
      cuda::check_step(grads, grads_.size(), &memory().outcome()->loss, memory().marks(),
                       memory().guard(), memory().outcome());
    };
    if (grads_.get().kind() == cuda::Kind::Float64) {
      check(static_cast<const double*>(grads_.data()));
    } else {
      check(static_cast<const float*>(grads_.data()));
    }
  }

  void go_on() {
    memory().outcome()->replay = 0;
    cuda::check(cudaMemsetAsync(&memory().guard()->stop, 0, sizeof(std::int64_t), stream_),
                "cudaMemsetAsync");
  }

  NdArray x_, t_, grads_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<cuda::StepMemory> memory_;
  cuda::StepBegin begin_{};             // the batch of the next replay, as far as it is to be taken
  std::optional<cuda::StepSlot> slot_;  // where its row numbers lie
  std::map<Part, Graph> graphs_;
  std::size_t later_ = 0;  // replays whose losses wait
};

}  // namespace

void bind_recording(py::module_& m) {
  def_step<RecordedStep>(m)
      .def("set_gradients", &RecordedStep::set_gradients, py::arg("grads"))
      .def("play_later", &RecordedStep::play_later)
      .def("settle", &RecordedStep::settle)
      .def("measure", &RecordedStep::measure)
      .def("nodes", &RecordedStep::nodes);
}

}  // namespace pynet
