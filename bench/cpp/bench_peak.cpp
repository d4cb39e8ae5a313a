// What the machine can do: multiply-adds per second of one core, and the bandwidth of its memory.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

#include "pynet/runtime.h"

namespace {

// Twelve independent chains of multiply-adds keep both units of a core busy. One copy for each
// instruction set, chosen as pynet chooses its kernels.
template <class T, int BYTES>
struct Chains {
  typedef T vec __attribute__((vector_size(BYTES)));
  static constexpr int kChains = 12;

  // Two flops for each lane, chain and round.
  static constexpr double flops(int rounds) {
    return 2.0 * rounds * kChains * (BYTES / static_cast<double>(sizeof(T)));
  }
};

// Without this the compiler would see that all chains compute the same.
#define PYNET_KEEP(a, b, c, d, e, f) \
  __asm__ __volatile__("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f))

#define PYNET_CHAINS(NAME, TARGET, T, BYTES)                                         \
  __attribute__((target(TARGET), optimize("fp-contract=fast"))) T NAME(int rounds) { \
    using vec = Chains<T, BYTES>::vec;                                               \
    vec a0{}, a1{}, a2{}, a3{}, a4{}, a5{}, a6{}, a7{}, a8{}, a9{}, a10{}, a11{};    \
    vec x = {}, y = {};                                                              \
    x += T(0.999), y += T(0.001);                                                    \
    for (int i = 0; i < rounds; ++i) {                                               \
      a0 = a0 * x + y, a1 = a1 * x + y, a2 = a2 * x + y, a3 = a3 * x + y;            \
      a4 = a4 * x + y, a5 = a5 * x + y, a6 = a6 * x + y, a7 = a7 * x + y;            \
      a8 = a8 * x + y, a9 = a9 * x + y, a10 = a10 * x + y, a11 = a11 * x + y;        \
      PYNET_KEEP(a0, a1, a2, a3, a4, a5);                                            \
      PYNET_KEEP(a6, a7, a8, a9, a10, a11);                                          \
    }                                                                                \
    const vec sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;     \
    return sum[0];                                                                   \
  }

#if defined(__x86_64__)
PYNET_CHAINS(fma_baseline_f32, "sse2", float, 16)
PYNET_CHAINS(fma_baseline_f64, "sse2", double, 16)
PYNET_CHAINS(fma_avx2_f32, "avx2,fma", float, 32)
PYNET_CHAINS(fma_avx2_f64, "avx2,fma", double, 32)
PYNET_CHAINS(fma_avx512_f32, "avx512f", float, 64)
PYNET_CHAINS(fma_avx512_f64, "avx512f", double, 64)
#endif

template <class T>
void peak(benchmark::State& state) {
  constexpr int kRounds = 20000;
  const std::string isa = pynet::isa();
  double flops = 0;
  for (auto _ : state) {
#if defined(__x86_64__)
    constexpr bool f32 = sizeof(T) == 4;
    if (isa == "avx512") {
      benchmark::DoNotOptimize(f32 ? fma_avx512_f32(kRounds) : fma_avx512_f64(kRounds));
      flops = Chains<T, 64>::flops(kRounds);
    } else if (isa == "avx2") {
      benchmark::DoNotOptimize(f32 ? fma_avx2_f32(kRounds) : fma_avx2_f64(kRounds));
      flops = Chains<T, 32>::flops(kRounds);
    } else {
      benchmark::DoNotOptimize(f32 ? fma_baseline_f32(kRounds) : fma_baseline_f64(kRounds));
      flops = Chains<T, 16>::flops(kRounds);
    }
#else
    state.SkipWithError("the peak is measured on x86-64 only");
    break;
#endif
  }
  state.SetLabel(isa);
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_TEMPLATE(peak, float)->Name("peak/float32");
BENCHMARK_TEMPLATE(peak, double)->Name("peak/float64");

// a = b + s*c over three arrays of n floats.
void triad(benchmark::State& state) {
  const std::size_t n = static_cast<std::size_t>(state.range(0));
  std::vector<float> a(n), b(n, 1), c(n, 2);
  for (auto _ : state) {
    for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
    benchmark::DoNotOptimize(a.data());
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(n) * 12e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(triad)->Arg(2 << 10)->Arg(32 << 10)->Arg(1 << 20)->Arg(32 << 20);

}  // namespace
