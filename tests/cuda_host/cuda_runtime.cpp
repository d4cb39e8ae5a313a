#include "cuda_runtime.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

namespace {

// How much memory the device has: PYNET_EXECUTOR_MEMORY bytes, so that a test can use it up.
std::size_t device_memory() {
  const char* asked = std::getenv("PYNET_EXECUTOR_MEMORY");
  return asked ? std::strtoull(asked, nullptr, 10) : std::size_t{4} << 30;
}

// Its compute capability: PYNET_EXECUTOR_CAPABILITY, 90 for 9.0.
int capability() {
  const char* asked = std::getenv("PYNET_EXECUTOR_CAPABILITY");
  return asked ? std::atoi(asked) : 80;
}

std::atomic<bool> g_used{false}, g_forked{false};
std::atomic<std::uint64_t> g_waits{0};
thread_local cudaError_t t_last = cudaSuccess;  // what cudaGetLastError() forgets as it says it
thread_local int t_capturing = 0;               // streams, by this thread

// What a call answers: PYNET_EXECUTOR_FAIL=cudaMalloc=719,cudaFree=1 lets each of these calls fail,
// with that code. After a fork all fail, as CUDA's do.
cudaError_t planned(const char* call) {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { g_forked = g_used.load(); });
  (void)registered;
  g_used = true;
  if (g_forked) return cudaErrorInitializationError;
  const char* asked = std::getenv("PYNET_EXECUTOR_FAIL");
  if (!asked) return cudaSuccess;
  const std::string all = std::string(",") + asked, wanted = std::string(",") + call + "=";
  const std::size_t place = all.find(wanted);
  if (place == std::string::npos) return cudaSuccess;
  return static_cast<cudaError_t>(std::atoi(all.c_str() + place + wanted.size()));
}
#define RETURN_PLANNED() \
  if (const cudaError_t code = planned(__func__)) return t_last = code
// What a thread may not ask for while it records a graph.
#define RETURN_IN_CAPTURE() \
  if (t_capturing > 0) return t_last = cudaErrorStreamCaptureUnsupported

struct Memory {
  std::mutex mutex;
  std::map<void*, std::size_t> blocks;
  std::size_t used = 0;
};
Memory& memory() {
  static Memory* one = new Memory;
  return *one;
}

}  // namespace

const char* cudaGetErrorName(cudaError_t code) {
  switch (code) {
#define PYNET_NAME(name, number) \
  case name:                     \
    return #name;
    PYNET_CUDA_ERRORS(PYNET_NAME)
#undef PYNET_NAME
  }
  return "cudaErrorUnknown";
}
const char* cudaGetErrorString(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? "out of memory" : "an error of the executor";
}
cudaError_t cudaGetLastError() {
  const cudaError_t last = std::exchange(t_last, cudaSuccess), code = planned(__func__);
  return code ? code : last;
}

cudaError_t cudaGetDeviceCount(int* count) {
  RETURN_PLANNED();
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  RETURN_PLANNED();
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  RETURN_PLANNED();
  *properties = cudaDeviceProp{};
  std::snprintf(properties->name, sizeof(properties->name), "executor on the CPU");
  properties->totalGlobalMem = device_memory();
  properties->major = capability() / 10, properties->minor = capability() % 10;
  properties->multiProcessorCount = 2;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  RETURN_PLANNED();
  *value = attribute == cudaDevAttrMultiProcessorCount      ? 2
           : attribute == cudaDevAttrComputeCapabilityMajor ? capability() / 10
                                                            : capability() % 10;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  RETURN_PLANNED();
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

// --- memory --------------------------------------------------------------------------------------

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  RETURN_PLANNED();
  std::lock_guard<std::mutex> lock(memory().mutex);
  *total = device_memory();
  *free = *total - memory().used;
  return cudaSuccess;
}

// New memory is full of NaN: a kernel that reads what nobody wrote shows it.
cudaError_t cudaMalloc(void** given, std::size_t bytes) {
  RETURN_PLANNED();
  RETURN_IN_CAPTURE();
  std::lock_guard<std::mutex> lock(memory().mutex);
  if (bytes > device_memory() - memory().used) return cudaErrorMemoryAllocation;
  if (posix_memalign(given, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*given, 0xFF, bytes);
  memory().blocks[*given] = bytes;
  memory().used += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* given) {
  RETURN_PLANNED();
  RETURN_IN_CAPTURE();
  if (!given) return cudaSuccess;
  std::lock_guard<std::mutex> lock(memory().mutex);
  const auto block = memory().blocks.find(given);
  if (block == memory().blocks.end()) return cudaErrorInvalidValue;
  memory().used -= block->second;
  memory().blocks.erase(block);
  std::free(given);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** given, std::size_t bytes, unsigned) {
  RETURN_PLANNED();
  RETURN_IN_CAPTURE();
  return posix_memalign(given, 256, bytes) == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* given) {
  RETURN_PLANNED();
  RETURN_IN_CAPTURE();
  std::free(given);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  RETURN_PLANNED();
  executor::in_order(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t bytes, std::size_t rows,
                              cudaMemcpyKind, cudaStream_t stream) {
  executor::in_order(stream, [=] {
    for (std::size_t i = 0; i < rows; ++i) {
      std::memcpy(static_cast<char*>(to) + i * to_pitch,
                  static_cast<const char*>(from) + i * from_pitch, bytes);
    }
  });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* given, int value, std::size_t bytes, cudaStream_t stream) {
  RETURN_PLANNED();
  executor::in_order(stream, [=] { std::memset(given, value, bytes); });
  return cudaSuccess;
}

// --- streams and graphs --------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  RETURN_PLANNED();
  *stream = new executor::Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  RETURN_PLANNED();
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  RETURN_PLANNED();
  ++g_waits;
  return stream->capturing ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  RETURN_PLANNED();
  RETURN_IN_CAPTURE();
  ++g_waits;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  RETURN_PLANNED();
  *event = new executor::Event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  RETURN_PLANNED();
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  RETURN_PLANNED();
  executor::in_order(stream, [=] {
    event->seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  });
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) {
  RETURN_PLANNED();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  RETURN_PLANNED();
  ++g_waits;
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  RETURN_PLANNED();
  *milliseconds = static_cast<float>(1e3 * (to->seconds - from->seconds));
  return cudaSuccess;
}
std::uint64_t pynet_executor_waits() { return g_waits; }

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  RETURN_PLANNED();
  if (stream->capturing) return cudaErrorInvalidValue;
  stream->capturing = true;
  ++t_capturing;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  RETURN_PLANNED();
  if (!stream->capturing) return cudaErrorInvalidValue;
  *graph = new executor::Graph{std::move(stream->captured)};
  stream->captured.clear();
  stream->capturing = false;
  --t_capturing;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  RETURN_PLANNED();
  *made = new executor::Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void*, std::size_t* count) {
  RETURN_PLANNED();
  *count = graph->work.size();
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  RETURN_PLANNED();
  for (const auto& work : graph->work) executor::in_order(stream, work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  RETURN_PLANNED();
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return cudaGraphDestroy(graph); }
