// The one place through which every kernel call goes: scratch memory, then the team.
#include "runtime/launch.h"

#include "runtime/arena.h"

namespace pynet {
namespace {

// A thread is worth waking for about this much work, and one that is awake for this much.
constexpr double kNanosecondsPerThread = 8000;
constexpr double kNanosecondsPerThreadAwake = 3000;

std::size_t round_up(std::size_t bytes) { return (bytes + 127) / 128 * 128; }

int worth(double cost, double nanoseconds) {
  const double threads = cost / nanoseconds;
  return threads < 2 ? 1 : threads > 1024 ? 1024 : static_cast<int>(threads);
}

}  // namespace

void launch(const Work& work, const BoundKernel& kernel) {
  Scratch scratch;
  LaunchSeries series;
  series.make_room(work);
  series.begin(scratch);
  series.launch(work, kernel);
}

char* Scratch::reserve(std::size_t bytes) {
  if (bytes > bytes_) {
    pool_free(block_);
    block_ = nullptr;
    bytes_ = 0;
    block_ = scratch_allocate(bytes);
    bytes_ = bytes;
  }
  return static_cast<char*>(block_);
}

void LaunchSeries::make_room(const Work& work) {
  const int threads = worth(work.cost, kNanosecondsPerThread);
  if (threads > wanted_) wanted_ = threads;
  const std::size_t shared = round_up(work.shared), local = round_up(work.local);
  if (shared > shared_) shared_ = shared;
  if (local > local_) local_ = local;
}

void LaunchSeries::begin(Scratch& scratch) {
  team_.take(wanted_);
  scratch_ = scratch.reserve(shared_ + local_ * static_cast<std::size_t>(team_.threads()));
}

void LaunchSeries::launch(const Work& work, const BoundKernel& kernel) {
  const int threads = worth(work.cost, kNanosecondsPerThreadAwake);
  team_.run(work, kernel, threads, scratch_, scratch_ + shared_, local_);
}

}  // namespace pynet
