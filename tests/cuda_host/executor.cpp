#include "executor.h"

#include <algorithm>
#include <array>
#include <exception>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include "block_state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace executor {

thread_local const Position* t_position = nullptr;

namespace {

// The GPU: one, so that launches from several threads take turns.
class Machine {
 public:
  void run(const char* name, dim3 grid, dim3 block, const std::function<void()>& kernel) {
    std::lock_guard<std::mutex> lock(mutex_);
    ++launches_;
    name_ = name;
    kernel_ = &kernel;
    const std::size_t threads = std::size_t{block.x} * block.y * block.z;
    const std::size_t blocks = std::size_t{grid.x} * grid.y * grid.z;
    if (threads == 0 || threads > 1024 || blocks == 0 || grid.x > 0x7fffffffu || grid.y > 65535 ||
        grid.z > 65535 || block.z > 64) {
      throw std::invalid_argument(std::string(name) + ": a grid or block no GPU would launch");
    }
    while (fibers_.size() < threads) fibers_.push_back(std::make_unique<Fiber>());
    std::vector<std::size_t> order(blocks);
    for (std::size_t i = 0; i < blocks; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    beginning_.arrive();  // of the launch: nothing puts its blocks in order
    for (const std::size_t i : order) {
      const dim3 at(static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                    static_cast<unsigned>(i / grid.x / grid.y));
      run_block(grid, block, at, threads);
    }
  }

  // ---- for the running thread ----

  void wait(State state, unsigned mask) {
    Fiber& fiber = fiber_of(running_);
    Meeting& meeting =
        state == State::AtBlockBarrier ? meetings_->block : meetings_->warps[running_ / kWarp];
    const int turn = meeting.turn;
    fiber.state = state;
    fiber.mask = mask;
    meeting.arrive();
    give_way(fiber);
    meeting.leave(turn);
  }

  std::uint64_t exchange(unsigned mask, std::uint64_t value, int from) {
    const std::size_t warp = running_ / kWarp;
    const int turn = meetings_->warps[warp].turn;
    if (from < 0 || from >= kWarp || !(mask >> from & 1) ||
        warp * kWarp + static_cast<std::size_t>(from) >= count_) {
      throw BarrierError(std::string(name_) + ": a shuffle from a lane that does not take part");
    }
    fiber_of(running_).offered[turn] = value;
    wait(State::AtWarpBarrier, mask);
    return fiber_of(warp * kWarp + static_cast<std::size_t>(from)).offered[turn];
  }

  void show_all(std::uint64_t value, const std::function<void(int, std::uint64_t)>& see) {
    const std::size_t warp = running_ / kWarp;
    const int turn = meetings_->warps[warp].turn;
    if ((warp + 1) * kWarp > count_) {
      throw BarrierError(std::string(name_) + ": a warp that is not whole");
    }
    fiber_of(running_).offered[turn] = value;
    wait(State::AtWarpBarrier, 0xffffffffu);
    for (int lane = 0; lane < kWarp; ++lane) {
      see(lane, fiber_of(warp * kWarp + static_cast<std::size_t>(lane)).offered[turn]);
    }
  }

  int lane() const { return static_cast<int>(running_ % kWarp); }

  void* shared(const void* tag, std::size_t bytes, std::size_t align) {
    SharedMemory& memory = shared_.at(tag, bytes, align);
    memory.made.leave(0);
    return memory.data;
  }
  const SharedWindow& shared_window() const { return shared_; }
  CopyEngine& engine() { return engine_; }

  void wait_for_phase(const void* barrier, unsigned parity) {
    Fiber& fiber = fiber_of(running_);
    Phases& phases = engine_.phases_of(barrier);
    fiber.phases = &phases;
    fiber.parity = parity;
    fiber.state = State::AtPhase;
    give_way(fiber);
    phases.acquire(parity);
  }
  std::deque<std::vector<std::function<void()>>>& deferred() { return fiber_of(running_).deferred; }

  std::uint64_t launches() const { return launches_; }
  void set_seed(std::uint64_t seed) { random_.seed(seed); }

 private:
  void run_block(dim3 grid, dim3 block, dim3 at, std::size_t threads) {
    count_ = threads;
    shift_ = random_() % fibers_.size();
    meetings_ = std::make_unique<Meetings>((threads + kWarp - 1) / kWarp);
    for (std::size_t i = 0; i < threads; ++i) {
      Fiber& fiber = fiber_of(i);
      const dim3 thread(static_cast<unsigned>(i % block.x),
                        static_cast<unsigned>(i / block.x % block.y),
                        static_cast<unsigned>(i / block.x / block.y));
      fiber.position = {thread, at, block, grid};
      fiber.state = State::Ready;
      if (!std::exchange(fiber.begun, true)) begin(fiber);
    }
    // How soon copies are made: every other time, seldom, or when all threads wait.
    const std::size_t hurry = std::array<std::size_t, 3>{2, 16, 0}[random_() % 3];
    std::size_t done = 0;
    std::vector<std::size_t> ready;
    while (done < threads && !error_) {
      ready.clear();
      for (std::size_t i = 0; i < threads; ++i) {
        Fiber& fiber = fiber_of(i);
        if (fiber.state == State::AtPhase && fiber.phases->parity != fiber.parity) {
          fiber.state = State::Ready;
        }
        if (fiber.state == State::Ready) ready.push_back(i);
      }
      if (!engine_.idle() && hurry > 0 && random_() % hurry == 0) {
        engine_.copy_one(random_);
        continue;
      }
      if (ready.empty() && !release()) {
        if (engine_.idle()) stuck();
        engine_.copy_one(random_);
      }
      std::shuffle(ready.begin(), ready.end(), random_);
      for (const std::size_t i : ready) {
        resume(i);
        if (fiber_of(i).state == State::Done) ++done;
        if (error_) break;
      }
    }
    end_.leave(0);
    const bool left_copies = !engine_.idle() && !error_;
    clear();
    if (left_copies) throw BarrierError(std::string(name_) + ": a copy that nobody waited for");
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  // Lets those go on whose meeting is complete; false where there is none.
  bool release() {
    bool any = false;
    for (std::size_t warp = 0; warp < meetings_->warps.size(); ++warp) {
      const std::size_t first = warp * kWarp, last = std::min(first + kWarp, count_);
      unsigned waiting = 0, wanted = 0;
      for (std::size_t i = first; i < last; ++i) {
        if (fiber_of(i).state != State::AtWarpBarrier) continue;
        waiting |= 1u << (i - first);
        wanted |= fiber_of(i).mask;
      }
      const unsigned there = last - first < kWarp ? (1u << (last - first)) - 1 : 0xffffffffu;
      if (waiting == 0 || (wanted & there) != waiting) continue;
      for (std::size_t i = first; i < last; ++i) {
        if (waiting >> (i - first) & 1) fiber_of(i).state = State::Ready;
      }
      meetings_->warps[warp].turn ^= 1;
      any = true;
    }
    if (any) return true;
    for (std::size_t i = 0; i < count_; ++i) {
      if (fiber_of(i).state != State::AtBlockBarrier) return false;
    }
    for (std::size_t i = 0; i < count_; ++i) fiber_of(i).state = State::Ready;
    meetings_->block.turn ^= 1;
    return true;
  }

  void stuck() {
    std::size_t at_block = 0, at_warp = 0, at_phase = 0, gone = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const State state = fiber_of(i).state;
      at_block += state == State::AtBlockBarrier;
      at_warp += state == State::AtWarpBarrier;
      at_phase += state == State::AtPhase;
      gone += state == State::Done;
    }
    // What they did has happened before what is freed now.
    end_.leave(0);
    meetings_->block.leave(meetings_->block.turn);
    for (Meeting& warp : meetings_->warps) warp.leave(warp.turn);
    clear();
    throw BarrierError(std::string(name_) + ": " + std::to_string(at_block) +
                       " threads wait at a block's barrier and " + std::to_string(at_warp) +
                       " at a warp's, which the others never reach, " + std::to_string(at_phase) +
                       " for the phase of an mbarrier; " + std::to_string(gone) + " are done");
  }

  // Apart from what calls it: getcontext may return twice, as far as the compiler knows.
  __attribute__((noinline)) static void begin(Fiber& fiber) {
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &Machine::enter, 0);
  }

  // After a block. Threads that will never end are left where they are.
  void clear() {
    for (std::size_t i = 0; i < count_; ++i) {
      if (fiber_of(i).state != State::Done) fiber_of(i).begun = false;
    }
    shared_.clear();
    engine_.clear();
    t_position = nullptr;
  }

  // Each block's threads are other fibers: what one fiber does is in order.
  Fiber& fiber_of(std::size_t thread) { return *fibers_[(thread + shift_) % fibers_.size()]; }

  void resume(std::size_t i) {
    Fiber& fiber = fiber_of(i);
    running_ = i;
    t_position = &fiber.position;
#if defined(__SANITIZE_ADDRESS__)
    void* mine = nullptr;
    __sanitizer_start_switch_fiber(&mine, fiber.stack.get(), kStack);
#endif
#if defined(EXECUTOR_TSAN)
    tsan_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber.tsan, __tsan_switch_to_fiber_no_sync);
#endif
    swapcontext(&scheduler_, &fiber.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(mine, nullptr, nullptr);
#endif
  }

  void give_way(Fiber& fiber) {
#if defined(__SANITIZE_ADDRESS__)
    void* mine = nullptr;
    __sanitizer_start_switch_fiber(&mine, stack_, stack_size_);
#endif
#if defined(EXECUTOR_TSAN)
    __tsan_switch_to_fiber(tsan_, __tsan_switch_to_fiber_no_sync);
#endif
    swapcontext(&fiber.context, &scheduler_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(mine, &stack_, &stack_size_);
#endif
  }

  static void enter();

  std::mutex mutex_;
  std::mt19937_64 random_{1};
  std::uint64_t launches_ = 0;
  const char* name_ = "";
  const std::function<void()>* kernel_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::size_t count_ = 0, running_ = 0, shift_ = 0;
  ucontext_t scheduler_;
  std::unique_ptr<Meetings> meetings_;
  Meeting beginning_, end_;
  SharedWindow shared_;
  CopyEngine engine_;
  std::exception_ptr error_;
#if defined(__SANITIZE_ADDRESS__)
  const void* stack_ = nullptr;  // of the scheduler
  std::size_t stack_size_ = 0;
#endif
#if defined(EXECUTOR_TSAN)
  void* tsan_ = nullptr;
#endif
};

Machine& machine() {
  static Machine* one = new Machine;
  return *one;
}

void Machine::enter() {
  Machine& m = machine();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &m.stack_, &m.stack_size_);
#endif
  Fiber& fiber = m.fiber_of(m.running_);
  for (;;) {
    m.beginning_.leave(0);
    fiber.deferred.assign(1, {});
    try {
      (*m.kernel_)();
    } catch (...) {
      m.error_ = std::current_exception();
    }
    m.end_.arrive();
    fiber.state = State::Done;
    m.give_way(fiber);
  }
}

}  // namespace

void in_order(Stream* stream, std::function<void()> work) {
  if (stream && stream->capturing) {
    stream->captured.push_back(std::move(work));
  } else {
    work();
  }
}
void launch(const char* name, dim3 grid, dim3 block, Stream* stream, std::function<void()> kernel) {
  in_order(stream, [=] { machine().run(name, grid, block, kernel); });
}
std::uint64_t launches() { return machine().launches(); }
void set_seed(std::uint64_t seed) { machine().set_seed(seed); }
void block_barrier() { machine().wait(State::AtBlockBarrier, 0); }
void warp_barrier(unsigned mask) { machine().wait(State::AtWarpBarrier, mask); }
void* shared(const void* tag, std::size_t bytes, std::size_t align) {
  return machine().shared(tag, bytes, align);
}
std::uint64_t exchange(unsigned mask, std::uint64_t value, int from) {
  return machine().exchange(mask, value, from);
}
void show_all(std::uint64_t value, const std::function<void(int, std::uint64_t)>& see) {
  machine().show_all(value, see);
}
int lane() { return machine().lane(); }
std::uint32_t shared_address(const void* place) { return machine().shared_window().address(place); }
void* shared_memory(std::uint32_t address, std::size_t bytes) {
  return machine().shared_window().place(address, bytes);
}
void init_barrier(const void* barrier, int arrivals) {
  machine().engine().init_barrier(barrier, arrivals);
}
void expect_bytes(const void* barrier, std::size_t bytes) {
  machine().engine().expect_bytes(barrier, bytes);
}
void arrive_at(const void* barrier) { machine().engine().arrive_at(barrier); }
void wait_for_phase(const void* barrier, unsigned parity) {
  machine().wait_for_phase(barrier, parity);
}
void copy_later(const void* barrier, std::size_t bytes, std::function<void()> copy) {
  machine().engine().copy_later(barrier, bytes, std::move(copy));
}
void defer(std::function<void()> work) { machine().deferred().back().push_back(std::move(work)); }
void commit_deferred() { machine().deferred().emplace_back(); }
void wait_deferred(std::size_t newest) {
  auto& groups = machine().deferred();
  for (; groups.size() > newest + 1; groups.pop_front()) {
    for (const auto& work : groups.front()) work();
  }
}

}  // namespace executor
