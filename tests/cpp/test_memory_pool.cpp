#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "pynet/runtime.h"

using namespace pynet;

TEST_SUITE_BEGIN("memory_pool");

TEST_CASE("blocks are aligned, distinct and large enough") {
  std::vector<unsigned char*> blocks;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < 6000; size += 1 + size / 7) {
    auto* block = static_cast<unsigned char*>(pool_allocate(size));
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
    std::memset(block, static_cast<int>(blocks.size() % 251), size);
    blocks.push_back(block);
    sizes.push_back(size);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    bool intact = true;
    for (std::size_t j = 0; j < sizes[i]; ++j) intact = intact && blocks[i][j] == i % 251;
    CHECK(intact);
  }
  for (unsigned char* block : blocks) pool_free(block);
}

TEST_CASE("the counters add up, and memory goes back when asked") {
  release_memory();
  const MemoryStats before = memory();
  void* block = pool_allocate(1 << 20);
  CHECK(memory().in_use >= before.in_use + (1 << 20));
  CHECK(memory().peak >= memory().in_use);
  pool_free(block);
  CHECK(memory().in_use == before.in_use);
  release_memory();
  CHECK(memory().cached == 0);
}

TEST_CASE("an impossible size is refused, and nothing is lost by it") {
  const std::size_t in_use = memory().in_use;
  CHECK_THROWS_AS(pool_allocate(SIZE_MAX), std::bad_alloc);
  CHECK_THROWS_AS(pool_allocate(SIZE_MAX / 2), std::bad_alloc);
  CHECK(memory().in_use == in_use);
  pool_free(nullptr);
}

TEST_CASE("threads allocate and free together") {
  const std::size_t in_use = memory().in_use;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::mt19937 random(t);
      std::vector<void*> mine;
      for (int i = 0; i < 3000; ++i) {
        if (mine.size() < 20 || random() % 2) {
          const std::size_t size = random() % 5000 + 1;
          void* block = pool_allocate(size);
          std::memset(block, static_cast<int>(t), size);
          mine.push_back(block);
        } else {
          pool_free(mine.back());
          mine.pop_back();
        }
      }
      for (void* block : mine) pool_free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(memory().in_use == in_use);
}

TEST_SUITE_END();
