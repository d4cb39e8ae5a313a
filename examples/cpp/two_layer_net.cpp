// A two-layer net trained by pynet's kernels, without Python.
//
// Points on three arms of a spiral (2 -> 32 -> 3, ReLU, softmax-cross-entropy, SGD with momentum).
// Prints the loss as it falls and the share of points it gets right; exits with 1 below 95 %.
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "pynet/runtime.h"

using namespace pynet;
using Matrix = std::vector<float>;

namespace {

constexpr index_t kClasses = 3, kPoints = 100, N = kClasses * kPoints;
constexpr index_t kIn = 2, kHidden = 32;

struct Spiral {
  Matrix x = Matrix(N * kIn);
  std::vector<std::int64_t> t = std::vector<std::int64_t>(N);
};

Spiral make_spiral(std::mt19937& random) {
  std::normal_distribution<float> noise(0, 0.1f);
  Spiral data;
  for (index_t n = 0; n < N; ++n) {
    const index_t arm = n / kPoints;
    const float radius = static_cast<float>(n % kPoints) / kPoints;
    const float angle = 4 * radius + 2.1f * static_cast<float>(arm) + noise(random);
    data.x[n * kIn] = radius * std::sin(angle);
    data.x[n * kIn + 1] = radius * std::cos(angle);
    data.t[n] = arm;
  }
  return data;
}

// C (M, N) = op(A) op(B) + bias; the stored shapes are those of the untransposed matrices.
void matmul(Matrix& C, const Matrix& A, bool trans_a, const Matrix& B, bool trans_b,
            const Matrix* bias, index_t M, index_t N_, index_t K) {
  GemmArgs<float> p{};
  p.C = C.data(), p.A = A.data(), p.B = B.data(), p.bias = bias ? bias->data() : nullptr;
  p.batch = 1, p.M = M, p.N = N_, p.K = K;
  p.A_row = trans_a ? 1 : K, p.A_col = trans_a ? M : 1;
  p.B_row = trans_b ? 1 : N_, p.B_col = trans_b ? K : 1;
  p.C_row = N_;
  p.alpha = 1;
  launch(kernels().gemm, p);
}

struct Parameter {
  Matrix value, grad, velocity;
  explicit Parameter(index_t n) : value(n), grad(n), velocity(n) {}

  void update(const UpdateState& state) {
    launch(kernels().momentum_update,
           UpdateArgs<float>{value.data(), grad.data(), velocity.data(), nullptr, nullptr,
                             static_cast<index_t>(value.size()), &state});
  }
};

void sum_columns(Matrix& db, const Matrix& dout, index_t D) {
  launch(kernels().sum_channels, SumChannelsArgs<float>{db.data(), dout.data(), N, D, 1});
}

}  // namespace

int main() {
  std::mt19937 random(0);
  const Spiral data = make_spiral(random);
  Parameter W1(kIn * kHidden), b1(kHidden), W2(kHidden * kClasses), b2(kClasses);
  std::normal_distribution<float> normal;
  for (float& w : W1.value) w = normal(random) * std::sqrt(2.0f / kIn);
  for (float& w : W2.value) w = normal(random) * std::sqrt(2.0f / kHidden);

  Matrix a(N * kHidden), z(N * kHidden), score(N * kClasses), y(N * kClasses);
  Matrix dscore(N * kClasses), dz(N * kHidden), da(N * kHidden);
  const UpdateState state{0.3, 0.9, 0, 0, 0, 1};  // learning rate, momentum

  std::printf("pynet, instruction set %s, %d threads\n", isa().c_str(), num_threads());
  double loss = 0;
  for (int step = 0; step <= 2000; ++step) {
    matmul(a, data.x, false, W1.value, false, &b1.value, N, kHidden, kIn);
    launch(kernels().relu, ActivationArgs<float>{z.data(), a.data(), N * kHidden});
    matmul(score, z, false, W2.value, false, &b2.value, N, kClasses, kHidden);
    launch(kernels().softmax_cross_entropy,
           SoftmaxCrossEntropyArgs<float>{y.data(), &loss, score.data(), data.t.data(), nullptr, N,
                                          kClasses});
    if (step % 400 == 0) std::printf("step %4d  loss %.4f\n", step, loss);

    launch(kernels().softmax_cross_entropy_backward,
           SoftmaxCrossEntropyBackwardArgs<float>{dscore.data(), y.data(), data.t.data(), nullptr,
                                                  N, kClasses, 1.0});
    matmul(W2.grad, z, true, dscore, false, nullptr, kHidden, kClasses, N);
    sum_columns(b2.grad, dscore, kClasses);
    matmul(dz, dscore, false, W2.value, true, nullptr, N, kHidden, kClasses);
    launch(kernels().relu_backward,
           ActivationBackwardArgs<float>{da.data(), dz.data(), z.data(), N * kHidden, Grad::Write});
    matmul(W1.grad, data.x, true, da, false, nullptr, kIn, kHidden, N);
    sum_columns(b1.grad, da, kHidden);
    for (Parameter* p : {&W1, &b1, &W2, &b2}) p->update(state);
  }

  int right = 0;
  for (index_t n = 0; n < N; ++n) {
    const float* p = &y[n * kClasses];
    index_t best = 0;
    for (index_t j = 1; j < kClasses; ++j) {
      if (p[j] > p[best]) best = j;
    }
    right += best == data.t[n];
  }
  std::printf("%d of %d points right (%.1f %%)\n", right, static_cast<int>(N), 100.0 * right / N);
  return right >= 0.95 * N ? 0 : 1;
}
