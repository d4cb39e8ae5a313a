// The rounding and denormal mode of the processor while kernels run.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace pynet {

// Round to nearest, denormals are zero, on every thread that computes; the caller's mode comes back
// afterwards. The mode belongs to a thread, and other libraries change it: left alone, a result
// could depend on which thread computed it. Denormals are flushed because the moments of dead
// weights decay into them and stay there, at a hundred cycles an operation.
class FloatMode {
 public:
#if defined(__x86_64__)
  FloatMode() : saved_(_mm_getcsr()) { _mm_setcsr(kFlush); }
  ~FloatMode() { _mm_setcsr(saved_); }

 private:
  static constexpr unsigned kFlush = 0x9fc0;  // all exceptions masked, FTZ and DAZ
  unsigned saved_;
#elif defined(__aarch64__) && defined(__GNUC__)
  FloatMode() {
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved_));
    const std::uint64_t flush = std::uint64_t(1) << 24;
    __asm__ __volatile__("msr fpcr, %0" : : "r"(flush));
  }
  ~FloatMode() { __asm__ __volatile__("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_;
#else
  FloatMode() {}
#endif

 public:
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;
};

}  // namespace pynet
