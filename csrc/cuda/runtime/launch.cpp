// The one place through which every kernel call goes: scratch memory on the device, then its
// launches on this thread's stream. The counterpart of runtime/launch.cpp.
#include "runtime/launch.h"

#include "runtime/arena.h"

namespace pynet {

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

void launch(const Work& work, const BoundKernel& kernel) {
  Scratch scratch;
  LaunchSeries series;
  series.make_room(work);
  series.begin(scratch);
  series.launch(work, kernel);
}

void LaunchSeries::make_room(const Work& work) {
  if (work.shared > shared_) shared_ = work.shared;
}

void LaunchSeries::begin(Scratch& scratch) {
  scratch_ = shared_ > 0 ? scratch.reserve(shared_) : nullptr;
}

// There is one tile; its number is how many bytes of scratch memory were planned for it.
void LaunchSeries::launch(const Work& work, const BoundKernel& kernel) {
  kernel.run(kernel.self, Tile{0, static_cast<index_t>(work.shared), scratch_, nullptr});
}

}  // namespace pynet
