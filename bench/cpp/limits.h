// What the machine can do: chains of multiply-adds, and a = b + s*c over three arrays. Compiled for
// the machine's own instruction set (-march=native -ffp-contract=fast).
#pragma once

#include <cstddef>

namespace limits {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

constexpr int kChains = 12;  // independent: both units of a core stay busy

// Two flops for each lane, chain and round.
template <class T>
constexpr double fma_flops(int rounds) {
  return 2.0 * rounds * kChains * (kBytes / static_cast<double>(sizeof(T)));
}

#if defined(__aarch64__)
#define PYNET_LIMITS_REGISTER "+w"
#else
#define PYNET_LIMITS_REGISTER "+x"
#endif

template <class T>
T fma_chains(int rounds) {
  typedef T vec __attribute__((vector_size(kBytes)));
  vec a[kChains], x = {}, y = {};
  x += T(0.999), y += T(0.001);
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) a[i] = vec{};
  for (int round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      a[i] = a[i] * x + y;
      // Without this the compiler would see that all chains compute the same.
      __asm__ __volatile__("" : PYNET_LIMITS_REGISTER(a[i]));
    }
  }
  vec sum = {};
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sum += a[i];
  return sum[0];
}

inline void triad(float* a, const float* b, const float* c, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
}

}  // namespace limits
