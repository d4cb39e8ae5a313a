// What goes wrong on the device, in words.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>

#include "cuda/runtime/stream.h"

namespace pynet::cuda {

// Names the op that this thread is at, for the errors of the calls that it makes meanwhile.
class Doing {
 public:
  explicit Doing(const char* op);
  ~Doing();
  Doing(const Doing&) = delete;
  Doing& operator=(const Doing&) = delete;

 private:
  const char* const before_;
};
const char* doing();

// A call of the CUDA runtime that failed, or a GPU that cannot be used. Python sees
// pynet.CudaError.
class Error : public std::runtime_error {
 public:
  // The message is "[op] argument: text".
  Error(cudaError_t code, const char* op, const char* argument, const std::string& text);
  const cudaError_t code;
  const std::string op;
};

// Throws an Error that names the op and the call.
[[noreturn]] void fail(cudaError_t code, const char* call, const char* op = doing());
inline void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) fail(code, call);
}

// Memory of the device that was not to be had, even with what the pool kept given back. Python sees
// a MemoryError.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::size_t asked);
  const char* what() const noexcept override { return text_.c_str(); }
  std::string numbers() const;  // "... bytes on the GPU, which has ... free"

 private:
  std::size_t asked_, free_ = 0;
  std::string text_;
};

// What synchronize() throws for what a kernel reported. Python sees an IndexError.
class OutOfRange : public std::out_of_range {
 public:
  explicit OutOfRange(const Report& report);
};

}  // namespace pynet::cuda
