#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "pynet/runtime.h"

using namespace pynet;

namespace {

constexpr index_t N = 7, D = 33;

std::vector<float> random_vector(index_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = normal(generator);
  return values;
}

GemmArgs<float> product(float* C, const float* A, const float* B) {
  GemmArgs<float> args{};
  args.C = C, args.A = A, args.B = B;
  args.batch = 1, args.M = N, args.N = D, args.K = D;
  args.A_row = D, args.A_col = 1, args.B_row = D, args.B_col = 1, args.C_row = D;
  args.alpha = 1;
  return args;
}

// W <- W - lr * relu(relu(x W) W), with what lies between in blocks of the pool that are freed as
// soon as they have been read, so that the second product's output may lie where the first's did.
struct Step {
  std::vector<float> x = random_vector(N * D, 1), W = random_vector(D * D, 2);
  UpdateState state{0.01, 0, 0, 0, 0, 0};

  float* layer(const float* in) {
    auto* y = static_cast<float*>(pool_allocate(N * D * sizeof(float)));
    auto* out = static_cast<float*>(pool_allocate(N * D * sizeof(float)));
    launch(kernels().gemm, product(y, in, W.data()));
    launch(kernels().relu, ActivationArgs<float>{out, y, N * D});
    pool_free(y);
    return out;
  }

  void run() {
    float* first = layer(x.data());
    float* second = layer(first);
    pool_free(first);
    UpdateArgs<float> update{};
    update.p = W.data(), update.g = second, update.n = N * D, update.state = &state;
    launch(kernels().sgd_update, update);
    pool_free(second);
  }
};

void record(Recording& recording, Step& step) {
  recording.hold(step.x.data(), step.x.size() * sizeof(float));
  recording.hold(step.W.data(), step.W.size() * sizeof(float));
  recording.start();
  step.run();
  recording.stop();
}

}  // namespace

TEST_SUITE_BEGIN("recording");

TEST_CASE("a replay gives the bits of the step, whole or with calls made one") {
  for (const bool optimized : {false, true}) {
    CAPTURE(optimized);
    Step eager, recorded;
    Recording recording;
    record(recording, recorded);
    eager.run();
    REQUIRE(recording.size() == 5);
    REQUIRE(recording.foreign() == recording.size());
    if (optimized) {
      recording.optimize();
      CHECK(recording.size() == 3);
      CHECK(recording.call(0).name == "gemm + relu");
    }
    for (int i = 0; i < 4; ++i) {
      const std::vector<float> batch = random_vector(N * D, 10 + i);
      std::copy(batch.begin(), batch.end(), eager.x.begin());
      std::copy(batch.begin(), batch.end(), recorded.x.begin());  // x stays where it is
      eager.run();
      CHECK(recording.play(0, recording.size()));
    }
    CHECK(std::memcmp(eager.W.data(), recorded.W.data(), eager.W.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("numbers are handed over while nothing is run") {
  Step step;
  Recording recording;
  record(recording, step);
  recording.optimize();
  step.state.lr = 0;
  const std::vector<float> before = step.W;
  recording.refresh(2);
  UpdateArgs<float> update{};
  update.p = step.W.data(), update.g = step.x.data(), update.n = N * D;
  update.state = &step.state;
  launch(kernels().sgd_update, update);
  recording.stop();
  CHECK(recording.complete());
  CHECK(step.W == before);
  CHECK(recording.play(0, recording.size()));
  CHECK(step.W == before);  // the rate is 0 now
}

TEST_CASE("memory that nobody holds is found") {
  Step step;
  Recording recording;
  recording.hold(step.x.data(), step.x.size() * sizeof(float));
  recording.start();
  step.run();
  recording.stop();
  CHECK(recording.foreign() == 0);  // W
}

TEST_CASE("blocks of a recording are nobody else's, and go back with it") {
  const std::size_t before = memory().in_use;
  {
    Step step;
    Recording recording;
    record(recording, step);
    const std::size_t held = memory().in_use;
    CHECK(held > before);
    void* other = pool_allocate(N * D * sizeof(float));
    CHECK(memory().in_use > held);
    pool_free(other);
    recording.optimize();
  }
  CHECK(memory().in_use == before);
}

TEST_CASE("only the recording thread's calls are recorded") {
  Step step, other;
  Recording recording;
  recording.start();
  std::thread([&other] { other.run(); }).join();
  recording.stop();
  CHECK(recording.size() == 0);
}

TEST_SUITE_END();
