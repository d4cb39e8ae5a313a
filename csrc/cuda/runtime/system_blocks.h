// Where the blocks of the memory pool come from: the memory of the GPU.
//
// The pool's notes about a block lie beside it in ordinary memory, as the processor cannot write
// into the block. A block that was freed may still be in use by the kernels of the stream that
// freed it: a thread with another stream waits for that one before it takes the block.
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

inline std::size_t largest() {
  std::size_t free = 0, total = 0;
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
  Header* header = new Header{bytes, 0, nullptr, nullptr, memory};
  headers()[memory] = header;
  return header;
}

inline void system_free(Header* header) noexcept {
  headers().erase(header->memory);
  cudaFree(header->memory);  // waits for the kernels; fails only where the driver is gone
  delete header;
}

inline void system_trim() {}

}  // namespace
}  // namespace pynet
