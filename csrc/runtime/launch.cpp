// The one place through which every kernel call goes: scratch memory, then the team.
#include "pynet/runtime.h"
#include "runtime/arena.h"
#include "runtime/thread_team.h"

namespace pynet {
namespace {

// A thread is worth waking for about this much work.
constexpr double kNanosecondsPerThread = 8000;

class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : block_(bytes ? scratch_allocate(bytes) : nullptr) {}
  ~Scratch() { pool_free(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  char* data() const { return static_cast<char*>(block_); }

 private:
  void* block_;
};

std::size_t round_up(std::size_t bytes) { return (bytes + 127) / 128 * 128; }

int worth_waking(const Work& work) {
  const double threads = work.cost / kNanosecondsPerThread;
  return threads < 2 ? 1 : threads > 1024 ? 1024 : static_cast<int>(threads);
}

}  // namespace

void launch(const Work& work, const BoundKernel& kernel) {
  TeamLease team(worth_waking(work));
  const std::size_t shared = round_up(work.shared);
  const std::size_t local = round_up(work.local);
  const Scratch scratch(shared + local * static_cast<std::size_t>(team.threads()));
  team.run(work, kernel, scratch.data(), scratch.data() + shared, local);
}

}  // namespace pynet
