// What the device is, or why there is none.
#include <mutex>

#include "cuda/runtime/device.h"
#include "runtime/fork.h"

namespace pynet::cuda {
namespace {

bool g_started = false, g_forked = false;

constexpr int kOldestMajor = 7, kOldestMinor = 5;  // that PYNET_CUDA_ARCHITECTURES has code for

std::string version(int number) {  // 13000: 13.0
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string reason_for(cudaError_t code, int driver, int runtime) {
  if (code == cudaErrorInsufficientDriver && driver == 0) {
    return "no driver: NVIDIA's is not installed, or is not loaded";
  }
  if (code == cudaErrorInsufficientDriver) {
    return "driver too old: it knows CUDA " + version(driver) + ", pynet was built with CUDA " +
           version(runtime);
  }
  if (code == cudaErrorNoDevice) return "no device: the driver shows no GPU to this process";
  return std::string(cudaGetErrorName(code)) + ": " + cudaGetErrorString(code);
}

}  // namespace

void note_start() {
  static std::once_flag once;
  std::call_once(once, [] {
    g_started = true;
    at_fork([] {}, [] {}, [] { g_forked = g_started; });
  });
}
bool is_forked() { return g_forked; }

DeviceInfo device_info() {
  DeviceInfo info{};
  if (is_forked()) {
    info.code = cudaErrorInitializationError;
    info.reason =
        "this process is a fork of one that has used it: start processes with multiprocessing's "
        "\"spawn\"";
    return info;
  }
  int count = 0;
  info.code = cudaGetDeviceCount(&count);
  if (info.code == cudaSuccess && count == 0) info.code = cudaErrorNoDevice;
  if (info.code != cudaSuccess) {
    cudaGetLastError();  // or the next call would find it
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    info.reason = reason_for(info.code, driver, runtime);
    return info;
  }
  note_start();
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  info.name = properties.name;
  info.major = properties.major, info.minor = properties.minor;
  info.processors = properties.multiProcessorCount;
  info.bytes = properties.totalGlobalMem;
  check(cudaDriverGetVersion(&info.driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&info.runtime), "cudaRuntimeGetVersion");
  info.present =
      info.major > kOldestMajor || (info.major == kOldestMajor && info.minor >= kOldestMinor);
  if (!info.present) {
    info.code = cudaErrorNoKernelImageForDevice;
    info.reason = "device too old: the " + info.name + " has compute capability " +
                  std::to_string(info.major) + "." + std::to_string(info.minor) +
                  ", pynet needs 7.5";
  }
  return info;
}

}  // namespace pynet::cuda
