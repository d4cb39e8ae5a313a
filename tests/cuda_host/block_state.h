// What the executor keeps of a block: its threads, what they meet at, its shared memory. Never
// compiled with -fsanitize=thread, which would take the scheduler's own work for races:
// EXECUTOR_TSAN says that the kernels are.
#pragma once

#include <ucontext.h>

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "copy_engine.h"
#include "executor.h"

namespace executor {

constexpr std::size_t kStack = std::size_t{64} << 10;
// Of shared memory: a GPU keeps the first 1024 bytes for itself, and has 227 KiB for a block.
constexpr std::size_t kFirstAddress = 1024, kMostShared = kFirstAddress + (std::size_t{227} << 10);

enum class State { Ready, AtBlockBarrier, AtWarpBarrier, AtPhase, Done };

// Of one block: new memory, so that ThreadSanitizer takes nothing over from another.
struct Meetings {
  explicit Meetings(std::size_t count) : warps(count) {}
  Meeting block;
  std::vector<Meeting> warps;
};

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStack]};
  State state = State::Done;
  bool begun = false;  // it waits at the end of a thread for the next one
  unsigned mask = 0;   // of the lanes it waits for
  Position position;
  std::uint64_t offered[2] = {};  // to the other lanes, by turns
  Phases* phases = nullptr;       // of the mbarrier it waits at
  unsigned parity = 0;
  std::deque<std::vector<std::function<void()>>> deferred;  // the last group is still open
#if defined(EXECUTOR_TSAN)
  void* tsan = __tsan_create_fiber(0);
  ~Fiber() { __tsan_destroy_fiber(tsan); }
#endif
};

// Shared memory of a block; freed, and so forgotten, at its end.
struct SharedMemory {
  SharedMemory(std::size_t bytes, std::size_t alignment, std::size_t address)
      : data(::operator new(bytes, std::align_val_t(alignment))),
        size(bytes),
        align(alignment),
        begin((address + alignment - 1) / alignment * alignment) {
    std::memset(data, 0xFF, bytes);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::operator delete(data, std::align_val_t(align)); }
  void* data;
  std::size_t size, align, begin;  // where it begins in the window
  Meeting made;
};

// Of all kinds that a kernel has, as a window of addresses.
class SharedWindow {
 public:
  SharedMemory& at(const void* tag, std::size_t bytes, std::size_t align) {
    std::unique_ptr<SharedMemory>& memory = blocks_[tag];
    if (!memory) {
      memory = std::make_unique<SharedMemory>(bytes, align, end_);
      end_ = memory->begin + bytes;
      if (end_ > kMostShared) throw std::invalid_argument("more shared memory than a GPU has");
      memory->made.arrive();
    }
    return *memory;
  }
  std::uint32_t address(const void* place) const {
    for (const auto& entry : blocks_) {
      const SharedMemory& memory = *entry.second;
      const std::ptrdiff_t offset =
          static_cast<const char*>(place) - static_cast<char*>(memory.data);
      if (offset >= 0 && static_cast<std::size_t>(offset) < memory.size) {
        return static_cast<std::uint32_t>(memory.begin + static_cast<std::size_t>(offset));
      }
    }
    throw std::logic_error("the address of what is not in shared memory");
  }
  void* place(std::size_t address, std::size_t bytes) const {
    for (const auto& entry : blocks_) {
      const SharedMemory& memory = *entry.second;
      if (address >= memory.begin && address + bytes <= memory.begin + memory.size) {
        return static_cast<char*>(memory.data) + (address - memory.begin);
      }
    }
    throw std::logic_error("an address outside of shared memory");
  }
  void clear() {
    blocks_.clear();
    end_ = kFirstAddress;
  }

 private:
  std::map<const void*, std::unique_ptr<SharedMemory>> blocks_;
  std::size_t end_ = kFirstAddress;
};

}  // namespace executor
