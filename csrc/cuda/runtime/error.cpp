#include "cuda/runtime/error.h"

namespace pynet::cuda {
namespace {

thread_local const char* t_doing = "cuda";

// After these the driver answers every call of the process with the same error.
bool is_final(cudaError_t code) {
  switch (code) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
      return true;
    default:
      return false;
  }
}

std::string message(const char* op, const char* argument, const std::string& text) {
  return std::string("[") + op + "] " + argument + ": " + text;
}

}  // namespace

Doing::Doing(const char* op) : before_(t_doing) { t_doing = op; }
Doing::~Doing() { t_doing = before_; }
const char* doing() { return t_doing; }

Error::Error(cudaError_t given, const char* op_given, const char* argument, const std::string& text)
    : std::runtime_error(message(op_given, argument, text)), code(given), op(op_given) {}

void fail(cudaError_t code, const char* call, const char* op) {
  cudaGetLastError();  // or the next launch would find it
  throw Error(
      code, op, call,
      std::string("expected success, got ") + cudaGetErrorName(code) + " (" +
          std::to_string(static_cast<int>(code)) + "), " + cudaGetErrorString(code) +
          (is_final(code) ? ": this process cannot use the GPU any more, start it again" : ""));
}

OutOfMemory::OutOfMemory(std::size_t asked) : asked_(asked) {
  std::size_t total = 0;
  check(cudaMemGetInfo(&free_, &total), "cudaMemGetInfo");
  text_ = message(doing(), "memory", "expected room for scratch, got none: " + numbers());
}

std::string OutOfMemory::numbers() const {
  return std::to_string(asked_) + " bytes on the GPU, which has " + std::to_string(free_) + " free";
}

static std::string number_in(const Report& r) {
  return r.wraps ? std::to_string(static_cast<std::uint64_t>(r.value)) : std::to_string(r.value);
}

OutOfRange::OutOfRange(const Report& r)
    : std::out_of_range(message(r.op, r.argument,
                                "expected numbers in 0 .. " + std::to_string(r.limit - 1) +
                                    ", got " + number_in(r) + " as element " +
                                    std::to_string(r.index))) {}

}  // namespace pynet::cuda
