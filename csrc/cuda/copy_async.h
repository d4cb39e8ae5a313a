// Copies from memory to shared memory that go on while the thread computes (cp.async, since sm_80).
//
//   copies.copy<4>(to, from);       four elements
//   copies.copy<4>(to, from, 3);    three of them, then zeros: `from` is not read beyond
//   copies.commit();                what was asked for since is a group
//   copies.wait<2>();               all groups are there but the last two
//
// A thread waits for its own copies; a barrier after that lets it see those of the others. Before
// sm_80 a copy is a load and a store. On the executor one may be done when it is asked for, or not
// before it is waited for: a barrier or a wait that is missing shows either way.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/elements.h"
#if !defined(__CUDACC__)
#include <cstdlib>
#include <vector>
#endif

namespace pynet::cuda {

#if defined(__CUDACC__)
class AsyncCopies {
 public:
  template <int N, class T>
  PYNET_INLINE void copy(T* shared, const T* from) {
#if __CUDA_ARCH__ >= 800
    constexpr int kBytes = N * sizeof(T);
    if constexpr (kBytes == 16) {  // by way of L2 only: nobody on this processor reads it again
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address(shared)), "l"(from));
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address(shared)), "l"(from),
                   "n"(kBytes));
    }
#else
    store_pack(shared, load_pack<N>(from));
#endif
  }
  template <int N, class T>
  PYNET_INLINE void copy(T* shared, const T* from, int count) {
#if __CUDA_ARCH__ >= 800
    constexpr int kBytes = N * sizeof(T);
    const int read = count * static_cast<int>(sizeof(T));
    if constexpr (kBytes == 16) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address(shared)),
                   "l"(from), "r"(read));
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address(shared)),
                   "l"(from), "n"(kBytes), "r"(read));
    }
#else
    Pack<T, N> pack;
    PYNET_UNROLL
    for (int i = 0; i < N; ++i) pack.lane[i] = i < count ? from[i] : T{0};
    store_pack(shared, pack);
#endif
  }
  PYNET_INLINE void commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  }
  template <int OPEN>
  PYNET_INLINE void wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(OPEN) : "memory");
#endif
  }

 private:
  static PYNET_INLINE std::uint32_t address(const void* shared) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  }
};
#else
class AsyncCopies {
 public:
  ~AsyncCopies() {
    if (!asked_.empty()) std::abort();  // shared memory may be another block's by now
  }
  template <int N, class T>
  void copy(T* shared, const T* from, int count = N) {
    constexpr std::size_t kBytes = N * sizeof(T);
    if (reinterpret_cast<std::uintptr_t>(shared) % kBytes != 0) std::abort();
    if (count > 0 && reinterpret_cast<std::uintptr_t>(from) % kBytes != 0) std::abort();
    const Copy copy{shared, from, kBytes, static_cast<std::size_t>(count) * sizeof(T), group_};
    random_ = random_ * 1664525u + 1013904223u;
    if (random_ >> 31) {
      carry_out(copy);
    } else {
      asked_.push_back(copy);
    }
  }
  void commit() { ++group_; }
  template <int OPEN>
  void wait() {
    auto next = asked_.begin();
    for (; next != asked_.end() && next->group < group_ - OPEN; ++next) carry_out(*next);
    asked_.erase(asked_.begin(), next);
  }

 private:
  struct Copy {
    void* to;
    const void* from;
    std::size_t bytes, read;
    int group;
  };
  static void carry_out(const Copy& copy) {
    if (copy.read > 0) std::memcpy(copy.to, copy.from, copy.read);
    std::memset(static_cast<char*>(copy.to) + copy.read, 0, copy.bytes - copy.read);
  }
  std::vector<Copy> asked_;  // and not yet carried out
  int group_ = 0;
  std::uint32_t random_ = (threadIdx.x + 1) * 2654435761u;
};
#endif

}  // namespace pynet::cuda
