#include "pynet/recording.h"

#include <chrono>
#include <utility>

#include "pynet/runtime.h"
#include "runtime/arena.h"
#include "runtime/fuse_calls.h"
#include "runtime/launch.h"
#include "runtime/value_memory.h"

namespace pynet {
namespace {

thread_local Recording* t_recording = nullptr;

// Calls are timed in so many plays only: reading the clock costs a tenth of a small kernel. On a
// GPU it would say how long the launch took.
#if defined(PYNET_CUDA_MODULE)
constexpr int kTimedPlays = 0;
#else
constexpr int kTimedPlays = 32;
#endif

const char* name_of(const void* kernel) {
#define PYNET_NAME(name, Args) \
  if (kernel == &kernels().name) return #name;
  PYNET_KERNELS(PYNET_NAME)
#undef PYNET_NAME
  return "";
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Recording::Recording()
    : arena_(make_arena()), scratch_(new Scratch), table_(&kernels()), winograd_(winograd()) {}

Recording::~Recording() {
  pool_free(slab_);
  drop_arena(arena_);
}

Recording* Recording::current() { return t_recording; }

void Recording::start() {
  before_ = std::exchange(t_recording, this);
  arena_before_ = use_arena(arena_);
  refreshing_ = false;
}

void Recording::refresh(std::size_t first) {
  before_ = std::exchange(t_recording, this);
  arena_before_ = use_arena(nullptr);
  refreshing_ = complete_ = true;
  next_ = first;
}

void Recording::stop() {
  if (t_recording != this) return;
  t_recording = before_;
  use_arena(arena_before_);
}

void Recording::add(std::unique_ptr<RecordedCall> call) {
  if (call->kernel) call->name = name_of(call->kernel);
  call->label = label_;
  calls_.push_back(std::move(call));
}

void Recording::refresh_next(const void* kernel, const StepNumbers& numbers) {
  if (next_ >= calls_.size() || calls_[next_]->kernel != kernel) {
    complete_ = false;
    return;
  }
  RecordedCall& call = *calls_[next_++];
  call.numbers.update = numbers.update;
  call.numbers.random = numbers.random;
  call.numbers.ratio = numbers.ratio;
}

void Recording::note_copy() {
  if (!refreshing_ && calls_.size() < first_copy_) first_copy_ = calls_.size();
}

void Recording::hold(const void* data, std::size_t bytes) {
  const char* begin = static_cast<const char*>(data);
  held_.push_back({begin, begin + bytes});
}

void Recording::set_input(const void* data, std::size_t bytes) {
  const char* begin = static_cast<const char*>(data);
  input_ = {begin, begin + bytes};
}

void Recording::find_input() {
  input_moves_ = true;
  input_place_ = input_.begin;
  for (const auto& call : calls_) {
    for (const Operand& operand : call->operands()) {
      if (operand.data + operand.bytes <= input_.begin || input_.end <= operand.data) continue;
      input_fields_.push_back({operand, operand.data - input_.begin});
      if (operand.access != Access::Read) input_moves_ = false;
    }
  }
}

void Recording::move_input(const char* place) {
  if (place == input_place_) return;
  for (const InputField& field : input_fields_) {
    field.operand.move_to(const_cast<char*>(place) + field.offset);
  }
  input_place_ = place;
}

bool Recording::is_held(const char* begin, const char* end) const {
  for (const Range& range : held_) {
    if (range.begin <= begin && end <= range.end) return true;
  }
  return false;
}

std::size_t Recording::foreign() const {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    for (const Operand& operand : calls_[i]->operands()) {
      if (operand.bytes > 0 && !is_held(operand.data, operand.data + operand.bytes) &&
          !arena_holds(arena_, operand.data, operand.bytes)) {
        return i;
      }
    }
  }
  return calls_.size();
}

std::size_t Recording::bytes() const { return arena_bytes(arena_) + slab_bytes_; }

void Recording::optimize() {
  ValueMemory memory([this](const char* begin, const char* end) { return is_held(begin, end); });
  memory.separate(calls_);
  fuse_calls(calls_, &boundary_);
  slab_bytes_ = memory.size(calls_);
  if (slab_bytes_ > 0) slab_ = scratch_allocate(slab_bytes_);
  memory.place(calls_, static_cast<char*>(slab_));
  std::vector<std::pair<const char*, const char*>> used;
  for (const auto& call : calls_) {
    for (const Operand& operand : call->operands()) {
      used.emplace_back(operand.data, operand.data + operand.bytes);
    }
  }
  trim_arena(arena_, used);
  find_input();
}

void Recording::reserve() {
  LaunchSeries series;
  for (const auto& call : calls_) series.make_room(call->work);
  series.begin(*scratch_);
}

bool Recording::holds() const { return table_ == &kernels() && winograd_ == winograd(); }

bool Recording::play(std::size_t first, std::size_t last, const void* input) {
  if (!holds() || busy_.exchange(true)) return false;
  struct Busy {
    std::atomic<bool>& busy;
    ~Busy() { busy.store(false); }
  } busy{busy_};
  move_input(input ? static_cast<const char*>(input) : input_.begin);
  const bool timed = plays_ < kTimedPlays;
  plays_ += timed;
  {
    LaunchSeries series;
    for (std::size_t i = first; i < last; ++i) series.make_room(calls_[i]->work);
    series.begin(*scratch_);
    double before = timed ? now() : 0;
    for (std::size_t i = first; i < last; ++i) {
      RecordedCall& call = *calls_[i];
      series.launch(call.work, call.bound);
      if (!timed) continue;
      const double after = now();
      const double seconds = after - before;
      if (call.seconds == 0 || seconds < call.seconds) call.seconds = seconds;
      before = after;
    }
  }
  return true;
}

}  // namespace pynet
