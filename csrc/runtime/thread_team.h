// The threads that share out the tiles of a kernel.
#pragma once

#include "pynet/runtime.h"

namespace pynet {

// The team, held by one caller at a time. A second caller gets threads() == 1 instead of waiting,
// and runs its tiles alone.
class TeamLease {
 public:
  TeamLease() = default;
  ~TeamLease();
  TeamLease(const TeamLease&) = delete;
  TeamLease& operator=(const TeamLease&) = delete;

  void take(int wanted);
  int threads() const { return threads_; }

  // Runs all tiles of all phases on at most `threads` threads. `local` holds threads() blocks of
  // `local_stride` bytes. The caller takes part and waits only for tiles that another thread has
  // begun.
  void run(const Work& work, const BoundKernel& kernel, int threads, void* shared, char* local,
           std::size_t local_stride);

 private:
  int threads_ = 1;
};

}  // namespace pynet
