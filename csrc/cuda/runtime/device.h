// The device as the C++ around the kernels sees it: streams, waiting, what it is.
#pragma once

#include <cstddef>
#include <string>

#include "cuda/runtime/error.h"
#include "cuda/runtime/stream.h"

namespace pynet::cuda {

void synchronize();  // waits for this thread's stream, and throws what its kernels reported

// The lane of this thread: its stream and what belongs to it, by number. A thread that ends leaves
// its lane to the next one that starts.
int lane_number();

// Before memory of that lane is given back by this thread: waits for the kernels of its own that
// may still use it.
void finish_uses(int lane) noexcept;
constexpr int kNoLane = -1;  // of memory that is another library's

// Waits for a stream, where it may be waited for; or for all of the process: those of other
// libraries are not known here.
void finish(cudaStream_t stream) noexcept;
void finish_all() noexcept;

// Gives the kernels that this thread launches meanwhile their stop_word().
class Stoppable {
 public:
  explicit Stoppable(const std::int64_t* word);
  ~Stoppable();
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;
};

struct DeviceInfo {
  bool present;
  cudaError_t code;    // why not
  std::string reason;  // in words
  std::string name;
  int major, minor;  // compute capability
  int processors;
  std::size_t bytes;    // of memory
  int driver, runtime;  // 13000: CUDA 13.0
};
DeviceInfo device_info();  // never throws for want of a driver

// From now on a fork of this process may not use the device.
void note_start();
bool is_forked();  // this one is such a fork

}  // namespace pynet::cuda
