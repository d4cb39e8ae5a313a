// Points in the work of this thread's stream, to tell how long the GPU took between them.
#pragma once

#include <cstddef>
#include <vector>

#include "cuda/runtime/error.h"

namespace pynet::cuda {

class Events {
 public:
  explicit Events(std::size_t count) : events_(count) {
    for (cudaEvent_t& event : events_)
      check(cudaEventCreateWithFlags(&event, 0), "cudaEventCreate");
  }
  ~Events() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  void record(std::size_t i) const {
    check(cudaEventRecord(events_[i], stream()), "cudaEventRecord");
  }
  // After the stream has been waited for.
  double seconds(std::size_t from, std::size_t to) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[from], events_[to]), "cudaEventElapsedTime");
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  std::vector<cudaEvent_t> events_;
};

}  // namespace pynet::cuda
