// A caching allocator: a training step asks for the same sizes again and again, and a fresh page
// costs more than the arithmetic done on it.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "pynet/runtime.h"
#include "runtime/arena.h"
#include "runtime/fork.h"
#if defined(PYNET_CUDA_MODULE)
#include "cuda/runtime/system_blocks.h"
#else
#include "runtime/system_blocks.h"
#endif

namespace pynet {
namespace {

constexpr int kClasses = 4 * 47;

// Four classes for each power of two, so that at most a fifth of a block is unused:
// class 4*e + q holds (4 + q + 1)/4 * 2^e bytes.
int class_of(std::size_t bytes) {
  int e = 6;
  while ((std::size_t(2) << e) < bytes) ++e;
  const std::size_t quarter = std::size_t(1) << (e - 2);
  std::size_t q = 0;
  while ((std::size_t(1) << e) + (q + 1) * quarter < bytes) ++q;
  return 4 * e + static_cast<int>(q);
}

std::size_t bytes_of(int size_class) {
  const std::size_t power = std::size_t(1) << (size_class / 4);
  return power + (size_class % 4 + 1) * (power / 4);
}

thread_local Arena* t_arena = nullptr;

}  // namespace

// Guarded by the pool's mutex.
class Arena {
 public:
  Header* free[kClasses] = {};
  std::vector<Header*> blocks;  // all that belong to it, until it is dropped
  std::size_t living = 0;       // those not given back to the pool
  bool dropped = false;
};

namespace {

class Pool {
 public:
  void* allocate(std::size_t wanted) {
    std::lock_guard<std::mutex> lock(mutex_);
    return memory_of(block(wanted, caching_));
  }

  // A block is as large as its class here, even where the pool keeps none: the arena does.
  void* allocate(std::size_t wanted, Arena* arena) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (wanted <= largest_) {
      Header*& list = arena->free[class_of(wanted + kBefore)];
      if (Header* header = list) {
        list = header->next;
        return memory_of(header);
      }
    }
    Header* header = block(wanted, true);
    arena->blocks.push_back(header);
    header->arena = arena;
    ++arena->living;
    return memory_of(header);
  }

  void drop(Arena* arena) noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    arena->dropped = true;
    for (Header*& list : arena->free) {
      while (Header* header = list) {
        list = header->next;
        header->arena = nullptr;
        give_back_locked(header);
        --arena->living;
      }
    }
    if (arena->living == 0) delete arena;
  }

  void give_back(void* given) noexcept {
    if (!given) return;
    std::lock_guard<std::mutex> lock(mutex_);
    Header* header = header_of(given);
    before_give_back(header);
    Arena* arena = header->arena;
    if (arena && !arena->dropped) {
      header->next = arena->free[header->size_class];
      arena->free[header->size_class] = header;
      return;
    }
    header->arena = nullptr;
    give_back_locked(header);
    if (arena && --arena->living == 0) delete arena;
  }

  bool holds(const Arena* arena, const char* data, std::size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Header* header : arena->blocks) {
      const char* begin = memory_of(header);
      const char* end = begin + header->bytes - kBefore;
      if (begin <= data && data + bytes <= end) return true;
    }
    return false;
  }

  void trim(Arena* arena, const std::vector<std::pair<const char*, const char*>>& used) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto in_use = [&](const Header* header) {
      const char* begin = memory_of(header);
      const char* end = begin + header->bytes - kBefore;
      for (const auto& range : used) {
        if (range.first < end && begin < range.second) return true;
      }
      return false;
    };
    for (Header*& list : arena->free) {
      Header* rest = std::exchange(list, nullptr);
      while (Header* header = rest) {
        rest = header->next;
        if (in_use(header)) {
          header->next = list;
          list = header;
          continue;
        }
        std::vector<Header*>& all = arena->blocks;
        all.erase(std::find(all.begin(), all.end(), header));
        --arena->living;
        header->arena = nullptr;
        give_back_locked(header);
      }
    }
  }

  std::size_t size(const Arena* arena) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::size_t bytes = 0;
    for (const Header* header : arena->blocks) bytes += header->bytes;
    return bytes;
  }

  MemoryStats stats() {
    std::lock_guard<std::mutex> lock(mutex_);
    return stats_;
  }

  std::size_t release() noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    return release_locked();
  }

  bool caching() const { return caching_; }
  std::mutex& mutex() { return mutex_; }

 private:
  static bool switched_off() {
    const char* value = std::getenv("PYNET_POOL");
    return value && std::strcmp(value, "0") == 0;
  }

  // The lock is held in what follows.
  Header* block(std::size_t wanted, bool whole_class) {
    if (largest_ == 0) largest_ = largest();
    if (wanted > largest_) no_memory(wanted);
    const int size_class = class_of(wanted + kBefore), lane = current_lane();
    const std::size_t bytes = whole_class ? bytes_of(size_class) : wanted + kBefore;
    Header*& list = free_of(lane, size_class);
    Header* header = list;
    if (header) {
      list = header->next;
      stats_.cached -= bytes;
    } else {
      header = system_allocate(bytes);
      if (!header && stats_.cached > 0) {
        release_locked();
        header = system_allocate(bytes);
      }
      if (!header) no_memory(wanted);
      ++stats_.system_allocations;
      header->bytes = bytes;
      header->size_class = size_class;
      header->lane = lane;
      header->arena = nullptr;
    }
    stats_.in_use += bytes;
    if (stats_.in_use > stats_.peak) stats_.peak = stats_.in_use;
    return header;
  }

  void give_back_locked(Header* header) noexcept {
    stats_.in_use -= header->bytes;
    if (!caching_) return system_free(header);
    stats_.cached += header->bytes;
    Header*& list = free_of(header->lane, header->size_class);
    header->next = list;
    list = header;
  }

  Header*& free_of(int lane, int size_class) {
    const auto i = static_cast<std::size_t>(lane);
    if (i >= free_.size()) free_.resize(i + 1);
    return free_[i][static_cast<std::size_t>(size_class)];
  }

  std::size_t release_locked() noexcept {
    const std::size_t released = stats_.cached;
    for (auto& lists : free_) {
      for (Header*& list : lists) {
        while (list) {
          Header* next = list->next;
          system_free(list);
          list = next;
        }
      }
    }
    stats_.cached = 0;
    if (released > 0) system_trim();
    return released;
  }

  std::size_t largest_ = 0;  // known from the first block on: a GPU may be absent before
  const bool caching_ = !kSanitized && !switched_off();
  std::mutex mutex_;
  std::vector<std::array<Header*, kClasses>> free_;  // by lane and class
  MemoryStats stats_{};
};

Pool& pool() {
  // Never destroyed: arrays may outlive every static object at interpreter exit.
  static Pool* instance = [] {
    static Pool* made = new Pool;
    at_fork([] { made->mutex().lock(); }, [] { made->mutex().unlock(); },
            [] { made->mutex().unlock(); });
    return made;
  }();
  return *instance;
}

}  // namespace

void* pool_allocate(std::size_t bytes) {
  return t_arena ? pool().allocate(bytes, t_arena) : pool().allocate(bytes);
}
void* scratch_allocate(std::size_t bytes) { return pool().allocate(bytes); }
void pool_free(void* block) noexcept { pool().give_back(block); }
MemoryStats memory() { return pool().stats(); }
bool caching() { return pool().caching(); }
std::size_t release_memory() noexcept { return pool().release(); }

Arena* make_arena() { return new Arena; }
void drop_arena(Arena* arena) noexcept { pool().drop(arena); }
bool arena_holds(const Arena* arena, const void* data, std::size_t bytes) {
  return pool().holds(arena, static_cast<const char*>(data), bytes);
}
void trim_arena(Arena* arena, const std::vector<std::pair<const char*, const char*>>& used) {
  pool().trim(arena, used);
}
std::size_t arena_bytes(const Arena* arena) { return pool().size(arena); }
Arena* use_arena(Arena* arena) noexcept {
  Arena* before = t_arena;
  t_arena = arena;
  return before;
}

}  // namespace pynet
