// Settings of the kernels that a user may change while the program runs.
#include <atomic>
#include <cstdlib>
#include <string>

#include "pynet/runtime.h"

namespace pynet {
namespace {

std::atomic<bool>& winograd_setting() {
  static std::atomic<bool> on{[] {
    const char* asked = std::getenv("PYNET_WINOGRAD");
    return !asked || std::string(asked) != "0";
  }()};
  return on;
}

}  // namespace

bool winograd() { return winograd_setting().load(std::memory_order_relaxed); }

void set_winograd(bool on) { winograd_setting().store(on, std::memory_order_relaxed); }

}  // namespace pynet
