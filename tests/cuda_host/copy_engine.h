// mbarriers and bulk copies of the executor: what goes on beside the threads of a block. As
// block_state.h never compiled with -fsanitize=thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "executor.h"

#if defined(EXECUTOR_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace executor {

// What threads meet at: who comes releases, who goes on acquires. Two by turns, so that nobody
// takes over what another does after the same meeting.
struct Meeting {
  char places[2] = {};
  int turn = 0;
#if defined(EXECUTOR_TSAN)
  void arrive() { __tsan_release(&places[turn]); }
  void leave(int at) { __tsan_acquire(&places[at]); }
#else
  void arrive() {}
  void leave(int) {}
#endif
};

// An mbarrier. By turns as a Meeting: who waits for a phase takes over what its arrivals did.
struct Phases {
  explicit Phases(int arrivals) : expected(arrivals), left(arrivals) {}
  const int expected;
  int left;
  std::ptrdiff_t bytes = 0;  // on their way
  unsigned parity = 0;
  char places[2] = {};
#if defined(EXECUTOR_TSAN)
  void release() { __tsan_release(&places[parity]); }
  void acquire(unsigned of) { __tsan_acquire(&places[of]); }
#else
  void release() {}
  void acquire(unsigned) {}
#endif
  void turn() {
    if (left > 0 || bytes != 0) return;
    left = expected;
    parity ^= 1;
  }
};

// A bulk copy that was asked for.
struct Copy {
  Phases* phases;
  std::size_t bytes;
  std::function<void()> work;
  std::unique_ptr<Meeting> asked{new Meeting};
};

class CopyEngine {
 public:
  CopyEngine() { copies_.reserve(1024); }  // or one thread would free what another allocated

  void init_barrier(const void* barrier, int arrivals) {
    phases_[barrier] = std::make_unique<Phases>(arrivals);
  }
  Phases& phases_of(const void* barrier) {
    const auto found = phases_.find(barrier);
    if (found == phases_.end()) throw BarrierError("an mbarrier that nobody made ready");
    return *found->second;
  }
  void expect_bytes(const void* barrier, std::size_t bytes) {
    phases_of(barrier).bytes += static_cast<std::ptrdiff_t>(bytes);
  }
  void arrive_at(const void* barrier) {
    Phases& phases = phases_of(barrier);
    phases.release();
    --phases.left;
    phases.turn();
  }
  void copy_later(const void* barrier, std::size_t bytes, std::function<void()> work) {
    copies_.push_back({&phases_of(barrier), bytes, std::move(work)});
    copies_.back().asked->arrive();
  }

  bool idle() const { return copies_.empty(); }
  // One of the copies that were asked for, as a thread of its own.
  void copy_one(std::mt19937_64& random) {
    std::swap(copies_[random() % copies_.size()], copies_.back());
#if defined(EXECUTOR_TSAN)
    void* scheduler = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber_, __tsan_switch_to_fiber_no_sync);
#endif
    copies_.back().asked->leave(0);
    {
      const Copy copy = std::move(copies_.back());
      copies_.pop_back();
      copy.work();
      copy.phases->release();
      copy.phases->bytes -= static_cast<std::ptrdiff_t>(copy.bytes);
      copy.phases->turn();
    }
#if defined(EXECUTOR_TSAN)
    __tsan_switch_to_fiber(scheduler, __tsan_switch_to_fiber_no_sync);
#endif
  }
  void clear() {
    phases_.clear();
    copies_.clear();
  }

 private:
  std::map<const void*, std::unique_ptr<Phases>> phases_;
  std::vector<Copy> copies_;
#if defined(EXECUTOR_TSAN)
  void* fiber_ = __tsan_create_fiber(0);
#endif
};

}  // namespace executor
