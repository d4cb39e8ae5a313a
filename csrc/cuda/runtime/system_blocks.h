// Where the blocks of the memory pool come from: the memory of the GPU.
//
// The pool's notes about a block lie beside it in ordinary memory, as the processor cannot write
// into the block. When a block is given back, kernels may still be at work on it: those of the
// thread that took it, which alone takes it again, behind them on its stream, and those of the
// thread that gives it back, which waits for its own. A third thread that used the array has to
// synchronize() before it lets go of it.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "cuda/runtime/device.h"

namespace pynet {

class Arena;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // a cache would hide use after free
#else
constexpr bool kSanitized = false;
#endif

constexpr std::size_t kBefore = 0;

struct Header {
  std::size_t bytes;
  int size_class;
  int lane;  // of the thread that took it
  Header* next;
  Arena* arena;  // that it belongs to, or null
  void* memory;
};

// Under the pool's lock.
inline std::unordered_map<void*, Header*>& headers() {
  static auto* all = new std::unordered_map<void*, Header*>;
  return *all;
}

inline char* memory_of(const Header* header) { return static_cast<char*>(header->memory); }
inline Header* header_of(void* memory) { return headers().at(memory); }

inline int current_lane() { return cuda::lane_number(); }
inline void before_give_back(const Header* header) noexcept { cuda::finish_uses(header->lane); }

[[noreturn]] inline void no_memory(std::size_t bytes) { throw cuda::OutOfMemory(bytes); }

inline std::size_t largest() {
  std::size_t free = 0, total = 0;
  cuda::stream();  // says in words why there is no device
  cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return total;
}

inline Header* system_allocate(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t code = cudaMalloc(&memory, bytes);
  if (code == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // or the next launch would find it
    return nullptr;
  }
  cuda::check(code, "cudaMalloc");
  Header* header = new Header{bytes, 0, 0, nullptr, nullptr, memory};
  headers()[memory] = header;
  return header;
}

inline void system_free(Header* header) noexcept {
  headers().erase(header->memory);
  if (!cuda::is_forked()) cudaFree(header->memory);  // waits for the kernels
  cudaGetLastError();  // at the end of a process the driver may be gone
  delete header;
}

inline void system_trim() {}

}  // namespace
}  // namespace pynet
