// Several kernel calls on one lease of the team and one block of scratch memory.
#pragma once

#include "pynet/runtime.h"
#include "runtime/thread_team.h"

namespace pynet {

class LaunchSeries {
 public:
  LaunchSeries() = default;
  ~LaunchSeries();
  LaunchSeries(const LaunchSeries&) = delete;
  LaunchSeries& operator=(const LaunchSeries&) = delete;

  void make_room(const Work& work);  // for every call, before begin()
  void begin();
  void launch(const Work& work, const BoundKernel& kernel);

 private:
  int wanted_ = 1;  // threads
  std::size_t shared_ = 0, local_ = 0;
  char* scratch_ = nullptr;
  TeamLease team_;
};

}  // namespace pynet
