// Hopper's copy engine: one thread asks for a piece of memory to be brought into shared memory, and
// an mbarrier says when it is there.
//
// An mbarrier counts: a phase is over when as many threads have arrived as it was told of, and all
// bytes that were announced have come. Then the next phase begins. Who waits says which phase it
// means by its parity, 0 for the first one; to wait for the phase before the first returns at once.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace pynet::cuda {
namespace {

struct alignas(8) Barrier {
  std::uint64_t word;
};

// Where something lies in shared memory, as the instructions below want to know it.
PYNET_INLINE std::uint32_t shared_address(const void* place) {
#if defined(__CUDACC__)
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(place));
#else
  return executor::shared_address(place);
#endif
}

PYNET_INLINE void init_barrier(Barrier& barrier, int arrivals) {
#if !defined(__CUDACC__)
  executor::init_barrier(&barrier, arrivals);
#elif __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)),
               "r"(arrivals)
               : "memory");
#endif
}

// After the last init_barrier: the copy engine shall see them.
PYNET_INLINE void show_barriers() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

PYNET_INLINE void arrive(Barrier& barrier) {
#if !defined(__CUDACC__)
  executor::arrive_at(&barrier);
#elif __CUDA_ARCH__ >= 900
  asm volatile(
      "mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier))
      : "memory");
#endif
}

// Arrives, and announces so many bytes.
PYNET_INLINE void arrive_expecting(Barrier& barrier, std::uint32_t bytes) {
#if !defined(__CUDACC__)
  executor::expect_bytes(&barrier, bytes);
  executor::arrive_at(&barrier);
#elif __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(&barrier)),
               "r"(bytes)
               : "memory");
#endif
}

PYNET_INLINE void wait(Barrier& barrier, std::uint32_t parity) {
#if !defined(__CUDACC__)
  executor::wait_for_phase(&barrier, parity);
#elif __CUDA_ARCH__ >= 900
  std::uint32_t over = 0;
  while (!over) {
    asm volatile(
        "{\n"
        ".reg .pred over;\n"
        "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 over, [%1], %2;\n"
        "selp.u32 %0, 1, 0, over;\n"
        "}"
        : "=r"(over)
        : "r"(shared_address(&barrier)), "r"(parity)
        : "memory");
  }
#endif
}

// Begins to copy; both places and the number of bytes are multiples of 16. The bytes come to the
// barrier.
PYNET_INLINE void bulk_copy(void* to, const void* from, std::uint32_t bytes, Barrier& barrier) {
#if !defined(__CUDACC__)
  executor::copy_later(&barrier, bytes, [=] { std::memcpy(to, from, bytes); });
#elif __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
      "[%3];" ::"r"(shared_address(to)),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(&barrier))
      : "memory");
#endif
}

}  // namespace
}  // namespace pynet::cuda
