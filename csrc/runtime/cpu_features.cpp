#include "runtime/cpu_features.h"

namespace pynet {

bool cpu_has(const std::string& isa) {
  if (isa == "baseline") return true;
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  // These builtins also ask the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  if (isa == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
  }
#elif defined(__aarch64__)
  if (isa == "neon") return true;  // part of every aarch64 processor
#endif
  return false;
}

}  // namespace pynet
