// The device as a whole: a stream for each thread, waiting.
#include "cuda/runtime/device.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "cuda/runtime/numbers.h"

namespace pynet::cuda {
namespace {

// Launches that may be under way with numbers of their own.
constexpr std::size_t kPlaces = 256;

// What a thread has of the device. Lives as long as the process: memory in the pool remembers its
// lane, and at the end of a process the driver may be gone.
struct Lane {
  int number = 0;
  cudaStream_t stream = nullptr;
  Report* report = nullptr;
  StepNumbers* numbers = nullptr;  // kPlaces of them
  std::size_t next = 0;

  Lane() {
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, sizeof(Report), cudaHostAllocMapped), "cudaHostAlloc");
    report = new (memory) Report{};
    check(cudaHostAlloc(&memory, kPlaces * sizeof(StepNumbers), cudaHostAllocMapped),
          "cudaHostAlloc");
    numbers = new (memory) StepNumbers[kPlaces]{};
  }
};

// The lanes that threads which have ended left behind.
struct Lanes {
  std::mutex mutex;
  int made = 0;
  std::vector<Lane*> idle;
};
Lanes& lanes() {
  static Lanes* one = new Lanes;
  return *one;
}

Lane* take_lane() {
  const DeviceInfo info = device_info();
  if (!info.present) {
    throw Error(info.code, doing(), "GPU", "expected one, got none: " + info.reason);
  }
  std::lock_guard<std::mutex> lock(lanes().mutex);
  if (lanes().idle.empty()) {
    Lane* lane = new Lane;
    lane->number = lanes().made++;
    return lane;
  }
  Lane* lane = lanes().idle.back();
  // What the thread before did not ask for is not this one's error.
  check(cudaStreamSynchronize(lane->stream), "cudaStreamSynchronize");
  lane->report->op = nullptr;
  lanes().idle.pop_back();
  return lane;
}

struct Holder {
  Lane* lane = nullptr;
  ~Holder() {
    if (!lane || is_forked()) return;
    std::lock_guard<std::mutex> lock(lanes().mutex);
    lanes().idle.push_back(lane);
    lane = nullptr;
  }
};
thread_local Holder t_holder;
thread_local const std::int64_t* t_stop_word = nullptr;

Lane& lane() {
  if (is_forked()) take_lane();  // throws
  if (!t_holder.lane) t_holder.lane = take_lane();
  return *t_holder.lane;
}

}  // namespace

cudaStream_t stream() { return lane().stream; }
Report* report() { return lane().report; }
int lane_number() { return lane().number; }

const std::int64_t* stop_word() { return t_stop_word; }
Stoppable::Stoppable(const std::int64_t* word) { t_stop_word = word; }
Stoppable::~Stoppable() { t_stop_word = nullptr; }

void finish_uses(int number) noexcept {
  const Lane* mine = t_holder.lane;
  if (mine && mine->number != number) finish(mine->stream);
}

// What fails for good fails in the next call too; the next launch shall not find anything else.
void finish(cudaStream_t stream) noexcept {
  if (!is_forked() && cudaStreamSynchronize(stream) != cudaSuccess) cudaGetLastError();
}
void finish_all() noexcept {
  if (!is_forked() && cudaDeviceSynchronize() != cudaSuccess) cudaGetLastError();
}

void synchronize() {
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  Report* found = report();
  if (!found->op) return;
  const Report copy = *found;
  found->op = nullptr;
  throw OutOfRange(copy);
}

StepNumbers* numbers_place() {
  Lane& mine = lane();
  if (mine.next == kPlaces) {
    check(cudaStreamSynchronize(mine.stream), "cudaStreamSynchronize");
    mine.next = 0;
  }
  return &mine.numbers[mine.next++];
}

bool waits_after_each_launch() {
  static const bool waits = [] {
    const char* asked = std::getenv("PYNET_CUDA_SYNC");
    return asked && std::strcmp(asked, "0") != 0 && *asked;
  }();
  return waits;
}

void after_launch(const char* op) {
  cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) fail(code, "launch", op);
  if (!waits_after_each_launch()) return;
  code = cudaStreamSynchronize(stream());
  if (code != cudaSuccess) fail(code, "kernel", op);
}

int processors() {
  static const int count = [] {
    int value = 1;
    check(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0),
          "cudaDeviceGetAttribute");
    return value;
  }();
  return count;
}

int capability() {
  int major = 0, minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0),
        "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0),
        "cudaDeviceGetAttribute");
  return major * 10 + minor;
}

}  // namespace pynet::cuda
