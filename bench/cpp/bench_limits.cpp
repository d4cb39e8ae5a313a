// What the machine can do, and what it costs to wake the team.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#include "limits.h"
#include "pynet/runtime.h"

namespace {

template <class T>
void peak(benchmark::State& state) {
  constexpr int kRounds = 20000;
  for (auto _ : state) benchmark::DoNotOptimize(limits::fma_chains<T>(kRounds));
  state.counters["GFLOP/s"] = benchmark::Counter(limits::fma_flops<T>(kRounds) * 1e-9,
                                                 benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_TEMPLATE(peak, float)->Name("peak/float32");
BENCHMARK_TEMPLATE(peak, double)->Name("peak/float64");

// range: floats in each of three arrays
void triad(benchmark::State& state) {
  const std::size_t n = static_cast<std::size_t>(state.range(0));
  std::vector<float> a(n), b(n, 1), c(n, 2);
  for (auto _ : state) {
    limits::triad(a.data(), b.data(), c.data(), n);
    benchmark::DoNotOptimize(a.data());
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(n) * 12e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(triad)->Arg(2 << 10)->Arg(32 << 10)->Arg(1 << 20)->Arg(32 << 20);

// A tile that is done when every thread of the team has one: the time until the last has come.
struct Meeting {
  std::atomic<int> here{0};
  int threads;
};

void meet(const void* args, const pynet::Tile&) {
  Meeting& meeting = *static_cast<Meeting*>(const_cast<void*>(args));
  meeting.here.fetch_add(1);
  // A thread that never comes, on a busy machine, costs its time and does not hang the program.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  while (meeting.here.load() < meeting.threads && std::chrono::steady_clock::now() < patience) {
  }
}

// range: threads, microseconds of idleness before it
void wake_up(benchmark::State& state) {
  Meeting meeting;
  meeting.threads = static_cast<int>(state.range(0));
  pynet::set_num_threads(meeting.threads);
  pynet::Work work{};
  work.phases = 1, work.tiles[0] = meeting.threads, work.cost = 1e9;
  const pynet::BoundKernel kernel{meet, &meeting};
  pynet::launch(work, kernel);
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::microseconds(state.range(1)));
    meeting.here.store(0);
    const auto start = std::chrono::steady_clock::now();
    pynet::launch(work, kernel);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(passed.count());
  }
  pynet::set_num_threads(0);
}
void idleness(benchmark::internal::Benchmark* b) {
  b->ArgNames({"threads", "idle_us"})->UseManualTime();
  const int all = pynet::num_threads();
  b->Args({1, 0})->Args({all, 0})->Args({all, 10000})->Iterations(200);
}
BENCHMARK(wake_up)->Apply(idleness);

}  // namespace
