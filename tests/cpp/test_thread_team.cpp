// The team and launch(), with kernels made for the purpose. Run under TSan, they are the check of
// every memory order in thread_team.cpp.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "pynet/runtime.h"

using namespace pynet;

TEST_SUITE_BEGIN("thread_team");

namespace {

constexpr double kExpensive = 1e9;  // worth every thread

// Phase 0 writes its tile's number, phase 1 reads what other tiles of phase 0 wrote.
struct Counters {
  std::vector<index_t> first, second;
  explicit Counters(index_t n) : first(n, -1), second(n, -1) {}
};

void run_counters(const void* self, const Tile& tile) {
  Counters& c = *static_cast<Counters*>(const_cast<void*>(self));
  const index_t n = static_cast<index_t>(c.first.size());
  // Scratch belongs to this thread until the tile ends.
  auto* local = static_cast<index_t*>(tile.local);
  for (int i = 0; i < 8; ++i) local[i] = tile.index;
  if (tile.phase == 0) {
    c.first[tile.index] = local[7];
  } else {
    c.second[tile.index] = c.first[n - 1 - tile.index];
  }
}

Work two_phases(index_t tiles) {
  return Work{2, {tiles, tiles}, 0, 8 * sizeof(index_t), kExpensive};
}

bool right(const Counters& c) {
  const index_t n = static_cast<index_t>(c.first.size());
  for (index_t i = 0; i < n; ++i) {
    if (c.first[i] != i || c.second[i] != n - 1 - i) return false;
  }
  return true;
}

int wrong_launches(int count, index_t most_tiles) {
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    Counters c(1 + i % most_tiles);
    launch(two_phases(static_cast<index_t>(c.first.size())), BoundKernel{run_counters, &c});
    wrong += !right(c);
  }
  return wrong;
}

}  // namespace

TEST_CASE("every tile runs once, phases follow each other") {
  for (int threads : {1, 2, 3, 4, 7, 16}) {
    CAPTURE(threads);
    set_num_threads(threads);
    CHECK(wrong_launches(300, 97) == 0);
  }
  set_num_threads(0);
}

TEST_CASE("launches in quick succession, with pauses long enough to fall asleep") {
  set_num_threads(4);
  for (int round = 0; round < 5; ++round) {
    CHECK(wrong_launches(200, 5) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  set_num_threads(0);
}

TEST_CASE("callers from several threads do not wait for each other, nor mix their tiles") {
  set_num_threads(4);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) callers.emplace_back([&] { wrong += wrong_launches(200, 31); });
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
  set_num_threads(0);
}

TEST_CASE("a kernel inside a kernel runs alone") {
  set_num_threads(4);
  struct Outer {
    std::atomic<int> wrong{0};
  } outer;
  const auto run = [](const void* self, const Tile&) {
    static_cast<Outer*>(const_cast<void*>(self))->wrong += wrong_launches(3, 7);
  };
  launch(Work{1, {8}, 0, 0, kExpensive}, BoundKernel{run, &outer});
  CHECK(outer.wrong == 0);
  set_num_threads(0);
}

TEST_CASE("the number of threads changes between launches") {
  for (int i = 0; i < 60; ++i) {
    set_num_threads(1 + i * 5 % 9);
    CHECK(wrong_launches(5, 40) == 0);
  }
  set_num_threads(0);
}

TEST_CASE("cheap work stays on the calling thread") {
  set_num_threads(4);
  struct Seen {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> elsewhere{0};
  } seen;
  const auto run = [](const void* self, const Tile&) {
    Seen& s = *static_cast<Seen*>(const_cast<void*>(self));
    s.elsewhere += std::this_thread::get_id() != s.caller;
  };
  for (int i = 0; i < 100; ++i) {
    launch(Work{1, {64}, 0, 0, 1000}, BoundKernel{run, &seen});
  }
  CHECK(seen.elsewhere == 0);
  set_num_threads(0);
}

#if !defined(__SANITIZE_THREAD__)  // TSan does not follow threads started after fork
TEST_CASE("a forked child has a team of its own, and the parent keeps its") {
  set_num_threads(4);
  CHECK(wrong_launches(20, 31) == 0);
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(wrong_launches(20, 31) == 0 ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(wrong_launches(3, 31) == 0);
  }
  set_num_threads(0);
}
#endif

TEST_SUITE_END();
