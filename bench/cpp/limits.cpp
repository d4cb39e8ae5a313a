// The limits of this machine as JSON, for each number of threads given: FMA peak in GFLOP/s, and
// triad in GB/s by the size in bytes of the three arrays of all threads together.
//
//   c++ -O3 -march=native -ffp-contract=fast -pthread limits.cpp -o limits && ./limits 1 4
#include "limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Best of a few: seconds for which all threads run `work` once, having started together.
double best_seconds(int threads, const std::function<void(int)>& work) {
  double best = 1e9;
  for (int trial = 0; trial < 5; ++trial) {
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> team;
    for (int id = 0; id < threads; ++id) {
      team.emplace_back([&, id] {
        ready.fetch_add(1);
        while (!go.load()) std::this_thread::yield();
        work(id);
      });
    }
    while (ready.load() < threads) std::this_thread::yield();
    const Clock::time_point start = Clock::now();
    go.store(true);
    for (std::thread& thread : team) thread.join();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

template <class T>
double fma_gflops(int threads) {
  constexpr int kRounds = 4000000;
  std::atomic<int> sink{0};
  const double seconds = best_seconds(
      threads, [&](int) { sink.fetch_add(static_cast<int>(limits::fma_chains<T>(kRounds))); });
  return threads * limits::fma_flops<T>(kRounds) / seconds * 1e-9;
}

double triad_gbytes(int threads, std::size_t bytes) {
  const std::size_t n = bytes / 12 / static_cast<std::size_t>(threads);
  const std::size_t repeats = std::max<std::size_t>(2, (std::size_t{100} << 20) / bytes);
  // One block for each thread, which touches it first.
  std::vector<std::vector<float>> blocks(static_cast<std::size_t>(threads));
  best_seconds(threads, [&](int id) {
    std::vector<float>& block = blocks[static_cast<std::size_t>(id)];
    if (block.empty()) block.assign(3 * n, 1.0f);
  });
  const double seconds = best_seconds(threads, [&](int id) {
    float* a = blocks[static_cast<std::size_t>(id)].data();
    for (std::size_t i = 0; i < repeats; ++i) {
      limits::triad(a, a + n, a + 2 * n, n);
      __asm__ __volatile__("" : : : "memory");
    }
  });
  return static_cast<double>(repeats * n * static_cast<std::size_t>(threads)) * 12e-9 / seconds;
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("{");
  for (int i = 1; i < argc; ++i) {
    const int threads = std::max(1, std::atoi(argv[i]));
    std::printf("%s\"%d\": {\"float32\": %.2f, \"float64\": %.2f, \"triad\": {", i > 1 ? ", " : "",
                threads, fma_gflops<float>(threads), fma_gflops<double>(threads));
    const std::size_t kib = std::size_t{1} << 10;
    bool first = true;
    for (std::size_t bytes :
         {24 * kib, 384 * kib, 8192 * kib, 16384 * kib, 32768 * kib, 65536 * kib, 262144 * kib}) {
      std::printf("%s\"%zu\": %.2f", first ? "" : ", ", bytes, triad_gbytes(threads, bytes));
      first = false;
    }
    std::printf("}}");
  }
  std::printf("}\n");
}
