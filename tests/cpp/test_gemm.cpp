#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "pynet/runtime.h"

using namespace pynet;

TEST_SUITE_BEGIN("gemm");

namespace {

// The definition, in double.
template <class T>
std::vector<T> product(const GemmArgs<T>& p) {
  std::vector<T> C(p.M * p.N);
  for (index_t m = 0; m < p.M; ++m) {
    for (index_t n = 0; n < p.N; ++n) {
      double sum = 0;
      for (index_t k = 0; k < p.K; ++k) {
        sum += double(p.A[m * p.A_row + k * p.A_col]) * double(p.B[k * p.B_row + n * p.B_col]);
      }
      double c = p.alpha * sum + (p.beta != 0 ? p.beta * p.C[m * p.C_row + n] : 0);
      if (p.bias) c += p.bias[n];
      C[m * p.N + n] = static_cast<T>(p.relu && c < 0 ? 0 : c);
    }
  }
  return C;
}

// Entries of -1, 0 and 1: every sum is exact, so the comparison is with ==.
template <class T>
std::vector<T> small_integers(std::mt19937& random, index_t n) {
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 3) - 1);
  return values;
}

template <class T>
int wrong_products(int count, unsigned seed) {
  std::mt19937 random(seed);
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    const auto size = [&](index_t most) { return static_cast<index_t>(random() % most + 1); };
    const index_t M = size(70), N = size(i % 6 == 0 ? 400 : 70), K = size(i % 5 == 0 ? 700 : 70);
    const bool trans_a = random() % 2, trans_b = random() % 2;
    const auto A = small_integers<T>(random, M * K), B = small_integers<T>(random, K * N);
    const auto bias = small_integers<T>(random, N);
    auto C = small_integers<T>(random, M * N);
    GemmArgs<T> p{};
    p.C = C.data(), p.A = A.data(), p.B = B.data();
    p.bias = random() % 2 ? bias.data() : nullptr;
    p.batch = 1, p.M = M, p.N = N, p.K = K;
    p.A_row = trans_a ? 1 : K, p.A_col = trans_a ? M : 1;
    p.B_row = trans_b ? 1 : N, p.B_col = trans_b ? K : 1;
    p.C_row = N;
    p.alpha = static_cast<T>(random() % 3), p.beta = static_cast<T>(random() % 3);
    p.relu = random() % 2;
    const std::vector<T> expected = product(p);
    launch(kernels().gemm, p);
    wrong += C != expected;
  }
  return wrong;
}

}  // namespace

TEST_CASE("exact products of every shape, transpose and instruction set") {
  const std::string before = isa();
  for (const std::string& name : isas()) {
    set_isa(name);
    CAPTURE(name);
    CHECK(wrong_products<float>(1500, 1) == 0);
    CHECK(wrong_products<double>(1500, 2) == 0);
  }
  set_isa(before);
}

TEST_CASE("the same bits for every number of threads") {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const index_t M = 301, N = 277, K = 405;
  std::vector<float> A(M * K), B(K * N);
  for (float& a : A) a = normal(random);
  for (float& b : B) b = normal(random);
  const auto run = [&](int threads) {
    set_num_threads(threads);
    std::vector<float> C(M * N);
    GemmArgs<float> p{};
    p.C = C.data(), p.A = A.data(), p.B = B.data();
    p.batch = 1, p.M = M, p.N = N, p.K = K;
    p.A_row = K, p.A_col = 1, p.B_row = N, p.B_col = 1, p.C_row = N;
    p.alpha = 1;
    launch(kernels().gemm, p);
    return C;
  };
  const std::vector<float> one = run(1);
  for (int threads : {2, 3, 4, 7, 16}) {
    CAPTURE(threads);
    CHECK(run(threads) == one);
  }
  set_num_threads(0);
}

TEST_CASE("packing and stores count: ten rows times a transposed matrix are worth two threads") {
  const auto plan = [](index_t M, index_t N, index_t K) {
    GemmArgs<float> p{};
    p.batch = 1, p.M = M, p.N = N, p.K = K;
    p.A_row = K, p.A_col = 1, p.B_row = 1, p.B_col = K, p.C_row = N;
    return kernels().gemm.f32.plan(p);
  };
  const std::string before = isa();
  for (const std::string& name : isas()) {
    set_isa(name);
    CAPTURE(name);
    const Work wide = plan(10, 784, 50), small = plan(10, 50, 10);
    CHECK(wide.cost >= 16000);
    CHECK(wide.tiles[wide.phases - 1] >= 2);
    CHECK(small.cost < 1000);
    CHECK(small.tiles[small.phases - 1] == 1);
  }
  set_isa(before);
}

TEST_SUITE_END();
