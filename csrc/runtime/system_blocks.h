// Where the blocks of the memory pool come from: the system's memory.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/sysinfo.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace pynet {

class Arena;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // a cache would hide use after free
#else
constexpr bool kSanitized = false;
#endif

constexpr std::size_t kAlign = 64;
constexpr std::size_t kHuge = std::size_t(2) << 20;
constexpr std::size_t kLargest = std::size_t(1) << 46;

// What may be asked for at once: all the memory there is. A system that overcommits would promise
// more and kill the process later.
std::size_t largest() {
#if defined(__linux__)
  struct sysinfo info;
  if (sysinfo(&info) == 0) {
    const std::size_t unit = info.mem_unit;
    const std::size_t bytes = (info.totalram + info.totalswap) * unit;
    if (0 < bytes && bytes < kLargest) return bytes;
  }
#endif
  return kLargest;
}

// Stands in the 64 bytes before each block, so that a block knows its class and free blocks form a
// list without any memory of their own.
struct alignas(kAlign) Header {
  std::size_t bytes;  // of the whole block, header included
  int size_class;
  int lane;
  Header* next;
  Arena* arena;  // that it belongs to, or null
};
static_assert(sizeof(Header) == kAlign, "the header keeps blocks aligned");
constexpr std::size_t kBefore = sizeof(Header);  // bytes of a block that are not the caller's

inline char* memory_of(const Header* header) {
  return reinterpret_cast<char*>(const_cast<Header*>(header) + 1);
}
inline Header* header_of(void* memory) { return static_cast<Header*>(memory) - 1; }

// A block that was given back may be taken by any thread.
inline int current_lane() { return 0; }
inline void before_give_back(const Header*) noexcept {}

[[noreturn]] inline void no_memory(std::size_t) { throw std::bad_alloc(); }

inline Header* system_allocate(std::size_t bytes) {
  const std::size_t align = bytes >= kHuge ? kHuge : kAlign;
#if defined(_WIN32)
  void* block = _aligned_malloc(bytes, align);
#else
  void* block = nullptr;
  if (posix_memalign(&block, align, bytes) != 0) block = nullptr;
#endif
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (block && bytes >= kHuge) madvise(block, bytes / kHuge * kHuge, MADV_HUGEPAGE);
#endif
  return static_cast<Header*>(block);
}

inline void system_free(Header* header) noexcept {
#if defined(_WIN32)
  _aligned_free(header);
#else
  std::free(header);
#endif
}

// free() keeps what lies below blocks in use.
inline void system_trim() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace
}  // namespace pynet
