// The device as the C++ around the kernels sees it: streams, checked calls, reports.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace pynet::cuda {

// A call of the CUDA runtime that failed. Python sees pynet.CudaError.
class Error : public std::runtime_error {
 public:
  Error(cudaError_t code, const char* what);
  const cudaError_t code;
};

// Throws an Error that names `what`, an op or a call, unless code is cudaSuccess.
inline void check(cudaError_t code, const char* what) {
  if (code != cudaSuccess) throw Error(code, what);
}

// The stream of this thread: each has one, made when it is first asked for.
cudaStream_t stream();
void synchronize();  // waits for this thread's stream, and throws what its kernels reported

// What a kernel may report, at most once until the next synchronize(): an index out of range.
struct Report {
  const char* op;        // null: nothing
  const char* argument;  // whose element it is
  std::int64_t index, value, limit;
};
// What synchronize() throws for it. Python sees an IndexError.
class OutOfRange : public std::out_of_range {
 public:
  explicit OutOfRange(const Report& report);
};
// Where this thread's kernels write it: memory of the host that the device sees.
Report* report();

// Multiprocessors of the device: how many blocks are worth launching.
int processors();

// Looks whether a launch was accepted. With PYNET_CUDA_SYNC=1 it also waits, so that an error names
// its op.
void after_launch(const char* op);

struct DeviceInfo {
  bool present;
  std::string reason;  // why not
  std::string name;
  int major, minor;  // compute capability
  int processors;
  std::size_t bytes;    // of memory
  int driver, runtime;  // 13000: CUDA 13.0
};
DeviceInfo device_info();  // never throws for want of a driver

}  // namespace pynet::cuda
