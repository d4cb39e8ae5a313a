// Several kernel calls on one lease of the team and one block of scratch memory.
#pragma once

#include "pynet/runtime.h"
#include "runtime/thread_team.h"

namespace pynet {

// A block of the pool that grows when it must.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { pool_free(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  char* reserve(std::size_t bytes);

 private:
  void* block_ = nullptr;
  std::size_t bytes_ = 0;
};

class LaunchSeries {
 public:
  void make_room(const Work& work);  // for every call, before begin()
  void begin(Scratch& scratch);      // which lives as long as this
  void launch(const Work& work, const BoundKernel& kernel);

 private:
  int wanted_ = 1;  // threads
  std::size_t shared_ = 0, local_ = 0;
  char* scratch_ = nullptr;
  TeamLease team_;
};

}  // namespace pynet
