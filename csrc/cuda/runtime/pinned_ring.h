// Memory of the host that the GPU reads later: a ring of slots, so that what the next step is given
// does not wait until this one has been read.
#pragma once

#include <cstddef>

#include "cuda/runtime/stream.h"

namespace pynet::cuda {

// For one stream, that of the thread which calls next().
class PinnedRing {
 public:
  // `slots`, a multiple of kStretches, of so many bytes.
  PinnedRing(std::size_t bytes, std::size_t slots);
  ~PinnedRing();  // when the stream has done what reads them
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;

  // The next slot, which nothing reads any more; waits where the GPU is a whole ring behind.
  char* next();

  static constexpr std::size_t kStretches = 4;  // each has an event

 private:
  std::size_t bytes_, slots_, place_ = 0;
  char* memory_ = nullptr;
  cudaEvent_t read_[kStretches] = {};
  bool used_[kStretches] = {};
};

}  // namespace pynet::cuda
