#include "cuda/runtime/pinned_ring.h"

#include "cuda/runtime/error.h"

namespace pynet::cuda {

PinnedRing::PinnedRing(std::size_t bytes, std::size_t slots)
    : bytes_((bytes + 63) / 64 * 64), slots_(slots) {
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, bytes_ * slots_, cudaHostAllocMapped), "cudaHostAlloc");
  memory_ = static_cast<char*>(memory);
  for (cudaEvent_t& event : read_) {
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }
}

PinnedRing::~PinnedRing() {
  for (cudaEvent_t event : read_) cudaEventDestroy(event);
  cudaFreeHost(memory_);
}

char* PinnedRing::next() {
  const std::size_t stretch = slots_ / kStretches;
  if (place_ % stretch == 0) {
    const std::size_t now = place_ / stretch % kStretches,
                      before = (now + kStretches - 1) % kStretches;
    if (place_ > 0) {
      check(cudaEventRecord(read_[before], stream()), "cudaEventRecord");
      used_[before] = true;
    }
    if (used_[now] && cudaEventQuery(read_[now]) != cudaSuccess) {
      cudaGetLastError();  // "not ready" is one, which the next launch would find
      check(cudaEventSynchronize(read_[now]), "cudaEventSynchronize");
    }
  }
  return memory_ + place_++ % slots_ * bytes_;
}

}  // namespace pynet::cuda
