// What bench/gpucheck asks of NVIDIA's driver, as a library on the processor: a GPU of the kind
// that PYNET_FAKE_GPU names (90: compute capability 9.0; 0: none), events by its clock, and graphs
// that launch nothing.
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kNoDevice = 100, kInvalidValue = 1;
constexpr int kProcessors = 16, kMajor = 75, kMinor = 76;

int kind() {
  const char* asked = std::getenv("PYNET_FAKE_GPU");
  return asked ? std::atoi(asked) : 90;
}

using Clock = std::chrono::steady_clock;
struct Event {
  Clock::time_point at;
};

}  // namespace

extern "C" {

int cuInit(unsigned) { return kind() < 0 ? kInvalidValue : kind() == 0 ? kNoDevice : 0; }
int cuGetErrorName(int, const char** name) {
  *name = "CUDA_ERROR_INVALID_VALUE";
  return 0;
}
int cuDeviceGetCount(int* count) {
  *count = 1;
  return 0;
}
int cuDeviceGetName(char* name, int size, int) {
  std::strncpy(name, "stand-in", static_cast<std::size_t>(size));
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  if (attribute == kMajor) *value = kind() / 10;
  if (attribute == kMinor) *value = kind() % 10;
  if (attribute == kProcessors) *value = 132;
  return 0;
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  *bytes = std::size_t{80} << 30;
  return 0;
}
int cuDriverGetVersion(int* version) {
  *version = 13020;
  return 0;
}

int cuStreamBeginCapture_v2(void* stream, int) { return stream ? 0 : kInvalidValue; }
int cuStreamEndCapture(void* stream, void** graph) {
  *graph = stream;
  return 0;
}
int cuGraphInstantiateWithFlags(void** made, void* graph, unsigned long long) {
  *made = graph;
  return graph ? 0 : kInvalidValue;
}
int cuGraphLaunch(void* made, void* stream) { return made && stream ? 0 : kInvalidValue; }

int cuEventCreate(Event** event, unsigned) {
  *event = new Event;
  return 0;
}
int cuEventRecord(Event* event, void* stream) {
  if (!event || !stream) return kInvalidValue;
  event->at = Clock::now();
  return 0;
}
int cuEventSynchronize(Event* event) { return event ? 0 : kInvalidValue; }
int cuEventElapsedTime(float* ms, const Event* begin, const Event* end) {
  *ms = std::chrono::duration<float, std::milli>(end->at - begin->at).count();
  return 0;
}
}
