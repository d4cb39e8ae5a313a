#include "runtime/thread_team.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "runtime/float_mode.h"
#include "runtime/fork.h"

namespace pynet {
namespace {

constexpr int kMaxThreads = 1024;

// How long an idle thread looks for work before it sleeps: waking a sleeper costs more than most
// kernels take, and the kernels of a training step follow each other within microseconds.
constexpr int kSpinRounds = 20000;

inline void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// Waits for a condition that another running thread is about to make true.
template <class Condition>
void spin_until(const Condition& condition) {
  for (int round = 1; !condition(); ++round) {
    if (round % 256 == 0) {
      std::this_thread::yield();  // that thread may have lost its processor to us
    } else {
      pause_briefly();
    }
  }
}

// Jobs of more tiles (of billions of images) run on one thread: a ticket counts to 2^32 - 1.
constexpr index_t kMostTiles = 0xffffffff;

// One phase of one kernel, as the threads see it.
struct Job {
  BoundKernel kernel;
  int phase;
  index_t tiles;
  void* shared;
  char* local;
  std::size_t local_stride;
  int threads;
};

void run_tile(const Job& job, index_t index, int thread) {
  job.kernel.run(job.kernel.self,
                 Tile{job.phase, index, job.shared, job.local + thread * job.local_stride});
}

// Never destroyed: its threads wait for work until the process ends.
class Team {
 public:
  // Starts workers until there are `threads` threads with the caller; as many as the system gives.
  int grow(int threads) {
    while (static_cast<int>(workers_.size()) + 1 < threads) {
      try {
        const int id = static_cast<int>(workers_.size()) + 1;
        workers_.emplace_back([this, id] { work(id); });
      } catch (const std::system_error&) {
        break;
      }
    }
    const int have = static_cast<int>(workers_.size()) + 1;
    return have < threads ? have : threads;
  }

  void run(const Job& job) {
    job_ = job;
    limit_.store(job.threads, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    const std::uint32_t epoch = epoch_of(ticket_.load(std::memory_order_relaxed)) + 1;
    ticket_.store(make_ticket(epoch, job.tiles));  // sequentially consistent: see sleep()
    if (sleeping_.load() > 0) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
      }
      wake_.notify_all();
    }
    take_tiles(epoch, 0);
    spin_until([&] { return done_.load(std::memory_order_acquire) == job.tiles; });
  }

 private:
  // The number of the job in the upper half, the tiles not yet taken in the lower half: one word,
  // so that a thread that comes too late cannot take a tile of the next job by mistake, and nobody
  // has to wait for a thread that has taken none.
  static std::uint64_t make_ticket(std::uint32_t epoch, index_t tiles) {
    return (static_cast<std::uint64_t>(epoch) << 32) | static_cast<std::uint32_t>(tiles);
  }
  static std::uint32_t epoch_of(std::uint64_t ticket) {
    return static_cast<std::uint32_t>(ticket >> 32);
  }

  void take_tiles(std::uint32_t epoch, int thread) {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    while (epoch_of(ticket) == epoch && static_cast<std::uint32_t>(ticket) != 0) {
      if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
        continue;
      }
      // The job cannot end before this tile does, so job_ is ours to read from here on.
      const index_t left = static_cast<std::uint32_t>(ticket);
      run_tile(job_, job_.tiles - left, thread);
      done_.fetch_add(1, std::memory_order_release);
      ticket = ticket_.load(std::memory_order_acquire);
    }
  }

  void work(int id) {
    FloatMode mode;
    std::uint32_t seen = 0;
    for (;;) {
      const std::uint32_t epoch = epoch_of(ticket_.load(std::memory_order_acquire));
      if (epoch != seen) {
        seen = epoch;
        // Read after the epoch: a newer limit belongs to a newer job, whose tickets do not match.
        if (id < limit_.load(std::memory_order_acquire)) take_tiles(epoch, id);
      } else if (!look_for_work(seen)) {
        sleep(seen);
      }
    }
  }

  bool look_for_work(std::uint32_t seen) {
    for (int round = 0; round < kSpinRounds; ++round) {
      if (epoch_of(ticket_.load(std::memory_order_acquire)) != seen) return true;
      pause_briefly();
    }
    return false;
  }

  void sleep(std::uint32_t seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    // Either the caller sees us sleeping, or we see its new ticket.
    sleeping_.fetch_add(1);
    wake_.wait(lock, [&] { return epoch_of(ticket_.load()) != seen; });
    sleeping_.fetch_sub(1);
  }

  Job job_{};
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<index_t> done_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::atomic<int> limit_{1};  // threads with a block of local scratch in this job
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

std::atomic<bool> g_busy{false};
std::atomic<int> g_threads{0};  // 0: not decided yet
Team* g_team = nullptr;         // guarded by g_busy

// A forked child has none of the parent's threads: it forgets the team and starts its own when it
// needs one. The old object is left alone, because its threads are gone and cannot be joined.
void forget_team() {
  g_team = nullptr;
  g_busy.store(false);
}

void run_alone(const Job& job) {
  for (index_t index = 0; index < job.tiles; ++index) run_tile(job, index, 0);
}

}  // namespace

int num_threads() {
  int threads = g_threads.load();
  if (threads == 0) {
    threads = default_threads().threads;
    g_threads.store(threads);
  }
  return threads;
}

void set_num_threads(int n) {
  if (n < 0 || n > kMaxThreads) {
    throw std::invalid_argument("[set_num_threads] n: expected 0 (the default) or 1 to 1024, got " +
                                std::to_string(n));
  }
  g_threads.store(n == 0 ? default_threads().threads : n);
}

void TeamLease::take(int wanted) {
  const int limit = num_threads();
  const int threads = wanted < limit ? wanted : limit;
  bool free = false;
  if (threads <= 1 || !g_busy.compare_exchange_strong(free, true)) return;
  if (!g_team) {
    static const bool registered = (at_fork(nullptr, nullptr, forget_team), true);
    (void)registered;
    g_team = new Team;
  }
  const int have = g_team->grow(limit);
  threads_ = threads < have ? threads : have;
  if (threads_ == 1) g_busy.store(false);
}

TeamLease::~TeamLease() {
  if (threads_ > 1) g_busy.store(false);
}

void TeamLease::run(const Work& work, const BoundKernel& kernel, int threads, void* shared,
                    char* local, std::size_t local_stride) {
  FloatMode mode;
  threads = threads < threads_ ? threads : threads_;
  for (int phase = 0; phase < work.phases; ++phase) {
    const Job job{kernel, phase, work.tiles[phase], shared, local, local_stride, threads};
    if (threads > 1 && job.tiles > 1 && job.tiles <= kMostTiles) {
      g_team->run(job);
    } else {
      run_alone(job);
    }
  }
}

}  // namespace pynet
