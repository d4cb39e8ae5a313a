#include "cuda/runtime/precision.h"

#include <atomic>
#include <stdexcept>

#include "cuda/runtime/device.h"

namespace pynet::cuda {
namespace {

constexpr const char* kNames[] = {"float32", "tf32x3", "tf32", "bfloat16"};
std::atomic<Precision> g_precision{Precision::Float32};

}  // namespace

Precision precision() { return g_precision.load(std::memory_order_relaxed); }

std::string precision_name() { return kNames[static_cast<int>(precision())]; }

void set_precision(const std::string& name) {
  for (int i = 0; i < 4; ++i) {
    if (name != kNames[i]) continue;
    if (i > 0) {
      const DeviceInfo device = device_info();
      if (device.present && device.major < 8) {
        throw std::invalid_argument(
            "[set_precision] name: expected float32 on a device of compute capability below 8.0, "
            "got " +
            name);
      }
    }
    g_precision = static_cast<Precision>(i);
    return;
  }
  throw std::invalid_argument(
      "[set_precision] name: expected one of float32, tf32x3, tf32, bfloat16, got '" + name + "'");
}

}  // namespace pynet::cuda
