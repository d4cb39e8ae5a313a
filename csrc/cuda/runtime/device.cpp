// The device as a whole: whether there is one, streams, errors, waiting.
#include "cuda/runtime/device.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "cuda/runtime/numbers.h"
#include "runtime/fork.h"

namespace pynet::cuda {
namespace {

bool waits_after_each_launch() {
  static const bool waits = [] {
    const char* asked = std::getenv("PYNET_CUDA_SYNC");
    return asked && std::strcmp(asked, "0") != 0 && *asked;
  }();
  return waits;
}

bool g_started = false, g_forked = false;

// Before the first use of the device by this process.
void start() {
  if (g_forked) {
    throw std::runtime_error(
        "[cuda] expected a process of its own, got a fork of one that has used the GPU: "
        "start worker processes with multiprocessing's \"spawn\"");
  }
  static std::once_flag once;
  std::call_once(once, [] {
    g_started = true;
    at_fork([] {}, [] {}, [] { g_forked = g_started; });
  });
}

// Launches that may be under way with numbers of their own.
constexpr std::size_t kPlaces = 256;

// What a thread has of the device.
struct Lane {
  cudaStream_t stream = nullptr;
  Report* report = nullptr;
  StepNumbers* numbers = nullptr;  // kPlaces of them
  std::size_t next = 0;

  Lane() {
    start();
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, sizeof(Report), cudaHostAllocMapped), "cudaHostAlloc");
    report = new (memory) Report{};
    check(cudaHostAlloc(&memory, kPlaces * sizeof(StepNumbers), cudaHostAllocMapped),
          "cudaHostAlloc");
    numbers = new (memory) StepNumbers[kPlaces]{};
  }
  // Its stream and its report stay until the process ends: memory in the pool remembers the
  // stream, and at the end of a process the driver may be gone.
};

Lane& lane() {
  static thread_local Lane one;
  return one;
}

std::string text(cudaError_t code, const char* what) {
  return std::string("[") + what + "] " + cudaGetErrorName(code) + ": " + cudaGetErrorString(code);
}

}  // namespace

Error::Error(cudaError_t given, const char* what)
    : std::runtime_error(text(given, what)), code(given) {}

OutOfRange::OutOfRange(const Report& r)
    : std::out_of_range(std::string("[") + r.op + "] " + r.argument +
                        ": expected numbers in 0 .. " + std::to_string(r.limit - 1) + ", got " +
                        std::to_string(r.value) + " as element " + std::to_string(r.index)) {}

cudaStream_t stream() { return lane().stream; }
Report* report() { return lane().report; }

void synchronize() {
  check(cudaStreamSynchronize(stream()), "synchronize");
  Report* found = report();
  if (!found->op) return;
  const Report copy = *found;
  found->op = nullptr;
  throw OutOfRange(copy);
}

StepNumbers* numbers_place() {
  Lane& mine = lane();
  if (mine.next == kPlaces) {
    check(cudaStreamSynchronize(mine.stream), "synchronize");
    mine.next = 0;
  }
  return &mine.numbers[mine.next++];
}

void after_launch(const char* op) {
  check(cudaGetLastError(), op);
  if (waits_after_each_launch()) check(cudaStreamSynchronize(stream()), op);
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

DeviceInfo device_info() {
  DeviceInfo info{};
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    info.reason = code == cudaSuccess ? "no GPU was found" : text(code, "cudaGetDeviceCount");
    cudaGetLastError();  // so that the next call does not find it
    return info;
  }
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  info.present = true;
  info.name = properties.name;
  info.major = properties.major, info.minor = properties.minor;
  info.processors = properties.multiProcessorCount;
  info.bytes = properties.totalGlobalMem;
  check(cudaDriverGetVersion(&info.driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&info.runtime), "cudaRuntimeGetVersion");
  return info;
}

}  // namespace pynet::cuda

namespace pynet {

void* RecordedCall::operator new(std::size_t bytes) {
  void* memory = nullptr;
  cuda::check(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped), "cudaHostAlloc");
  return memory;
}
void RecordedCall::operator delete(void* memory) { cudaFreeHost(memory); }

}  // namespace pynet
