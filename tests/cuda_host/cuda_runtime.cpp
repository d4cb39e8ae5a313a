#include "cuda_runtime.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace {

// How much memory the device has: PYNET_EXECUTOR_MEMORY bytes, so that a test can use it up.
std::size_t device_memory() {
  const char* asked = std::getenv("PYNET_EXECUTOR_MEMORY");
  return asked ? std::strtoull(asked, nullptr, 10) : std::size_t{4} << 30;
}

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
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    default:
      return "cudaErrorUnknown";
  }
}
const char* cudaGetErrorString(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? "out of memory" : "an error of the executor";
}
cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = cudaDeviceProp{};
  std::snprintf(properties->name, sizeof(properties->name), "executor on the CPU");
  properties->totalGlobalMem = device_memory();
  properties->major = 8, properties->multiProcessorCount = 2;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount      ? 2
           : attribute == cudaDevAttrComputeCapabilityMajor ? 8
                                                            : 0;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

// --- memory --------------------------------------------------------------------------------------

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  std::lock_guard<std::mutex> lock(memory().mutex);
  *total = device_memory();
  *free = *total - memory().used;
  return cudaSuccess;
}

// New memory is full of NaN: a kernel that reads what nobody wrote shows it.
cudaError_t cudaMalloc(void** given, std::size_t bytes) {
  std::lock_guard<std::mutex> lock(memory().mutex);
  if (bytes > device_memory() - memory().used) return cudaErrorMemoryAllocation;
  if (posix_memalign(given, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*given, 0xFF, bytes);
  memory().blocks[*given] = bytes;
  memory().used += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* given) {
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
  return posix_memalign(given, 256, bytes) == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* given) {
  std::free(given);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
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
  executor::in_order(stream, [=] { std::memset(given, value, bytes); });
  return cudaSuccess;
}

// --- streams and graphs --------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new executor::Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return stream->capturing ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capturing) return cudaErrorInvalidValue;
  stream->capturing = true;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->capturing) return cudaErrorInvalidValue;
  *graph = new executor::Graph{std::move(stream->captured)};
  stream->captured.clear();
  stream->capturing = false;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = new executor::Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  for (const auto& work : graph->work) executor::in_order(stream, work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return cudaGraphDestroy(graph); }
