// The calls of the CUDA runtime that pynet makes, on the CPU: memory is ordinary memory, a stream
// runs each kernel at once, and a graph is the list of what a stream was told to do meanwhile.
//
// Stands where the toolkit's header of this name does when the sources are built for the executor.
#pragma once

#include <cstddef>

#include "executor.h"

// ERROR(name, number)
#define PYNET_CUDA_ERRORS(ERROR)              \
  ERROR(cudaSuccess, 0)                       \
  ERROR(cudaErrorInvalidValue, 1)             \
  ERROR(cudaErrorMemoryAllocation, 2)         \
  ERROR(cudaErrorInitializationError, 3)      \
  ERROR(cudaErrorCudartUnloading, 4)          \
  ERROR(cudaErrorInvalidConfiguration, 9)     \
  ERROR(cudaErrorInsufficientDriver, 35)      \
  ERROR(cudaErrorNoDevice, 100)               \
  ERROR(cudaErrorNoKernelImageForDevice, 209) \
  ERROR(cudaErrorNotReady, 600)               \
  ERROR(cudaErrorECCUncorrectable, 214)       \
  ERROR(cudaErrorIllegalAddress, 700)         \
  ERROR(cudaErrorLaunchTimeout, 702)          \
  ERROR(cudaErrorHardwareStackError, 714)     \
  ERROR(cudaErrorIllegalInstruction, 715)     \
  ERROR(cudaErrorMisalignedAddress, 716)      \
  ERROR(cudaErrorInvalidAddressSpace, 717)    \
  ERROR(cudaErrorInvalidPc, 718)              \
  ERROR(cudaErrorLaunchFailure, 719)          \
  ERROR(cudaErrorStreamCaptureUnsupported, 900)

enum cudaError_t {
#define PYNET_VALUE(name, number) name = number,
  PYNET_CUDA_ERRORS(PYNET_VALUE)
#undef PYNET_VALUE
};
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
};
constexpr unsigned cudaStreamNonBlocking = 1, cudaHostAllocMapped = 2, cudaEventDisableTiming = 2;

using cudaStream_t = executor::Stream*;
using cudaEvent_t = executor::Event*;
using cudaGraph_t = executor::Graph*;
using cudaGraphExec_t = executor::Graph*;
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
};

const char* cudaGetErrorName(cudaError_t code);
const char* cudaGetErrorString(cudaError_t code);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t bytes, std::size_t rows,
                              cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void* nodes, std::size_t* count);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);

// How often a call that waits for the GPU was made, so that tests can count: cudaStreamSynchronize,
// cudaEventSynchronize, cudaDeviceSynchronize.
extern "C" __attribute__((visibility("default"))) std::uint64_t pynet_executor_waits();
