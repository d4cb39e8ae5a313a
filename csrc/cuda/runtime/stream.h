// What kernels and their launches need of the device. No header of the standard library that they
// could do without: nvcc reads all of this once for each target.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace pynet::cuda {

// The stream of this thread: each has one, made when it is first asked for.
cudaStream_t stream();

// Multiprocessors of the device: how many blocks are worth launching.
int processors();

// Its compute capability: 90 is 9.0.
int capability();

// Looks whether a launch was accepted. With PYNET_CUDA_SYNC=1 it also waits, so that an error names
// its op.
void after_launch(const char* op);
bool waits_after_each_launch();

// What a kernel may report, at most once until the next synchronize(): an index out of range.
struct Report {
  const char* op;        // null: nothing
  const char* argument;  // whose element it is
  std::int64_t index, value, limit;
  bool wraps;  // a value below 0 stands for one of 2^63 or more
};
// Where this thread's kernels write it: memory of the host that the device sees.
Report* report();

// Null, or in a replay of a recorded step a word that is not 0 once the step was stopped: what
// changes parameters, their state or running statistics does nothing then.
const std::int64_t* stop_word();

}  // namespace pynet::cuda
