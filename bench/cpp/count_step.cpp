// One training step whose kernels are counted one by one under valgrind --tool=callgrind: each
// writes its instructions to a file of its own, with its name in it. See bench/callgrind.py.
//
// 8 images: convolution 3x3 (16 -> 32 channels, 14x14) - batch norm - ReLU - max pooling
// - Affine (1568 -> 64) - softmax-cross-entropy, and back; then SGD, momentum and Adam.
#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "pynet/runtime.h"

using namespace pynet;

namespace {

// The same numbers with every standard library.
class Array {
 public:
  explicit Array(index_t n) : values_(static_cast<std::size_t>(n)) {
    std::uint32_t random = 12345;
    for (float& value : values_) {
      random = random * 1664525u + 1013904223u;
      value = static_cast<float>(random >> 8) / (1 << 24) - 0.5f;
    }
  }
  operator float*() { return values_.data(); }
  index_t size() const { return static_cast<index_t>(values_.size()); }

 private:
  std::vector<float> values_;
};

bool counting = false;

// The second run counts: in the first one scratch memory comes from the system.
template <class Pair, class Args>
void counted(const char* name, const Pair& kernel, const Args& args) {
  launch(kernel, args);
  if (!counting) return;
  CALLGRIND_ZERO_STATS;
  launch(kernel, args);
  CALLGRIND_DUMP_STATS_AT(name);
}

constexpr index_t N = 8, C = 16, FN = 32, H = 14, OH = 7, D = FN * OH * OH, K = 64;

GemmArgs<float> product(float* y, float* A, bool trans_a, float* B, bool trans_b, index_t m,
                        index_t n, index_t k) {
  GemmArgs<float> p{};
  p.C = y, p.A = A, p.B = B;
  p.batch = 1, p.M = m, p.N = n, p.K = k;
  p.A_row = trans_a ? 1 : k, p.A_col = trans_a ? m : 1;
  p.B_row = trans_b ? 1 : n, p.B_col = trans_b ? k : 1;
  p.C_row = n, p.alpha = 1;
  return p;
}

}  // namespace

int main(int argc, char** argv) {
  counting = argc > 1 && std::strcmp(argv[1], "count") == 0;
  set_num_threads(1);
  const KernelTable& k = kernels();

  Array x(N * C * H * H), W(FN * C * 9), dW(FN * C * 9), dx(N * C * H * H);
  Array a(N * FN * H * H), z(N * FN * H * H), da(N * FN * H * H), dz(N * FN * H * H);
  Array gamma(FN), beta(FN), dgamma(FN), dbeta(FN), mean(FN), std(FN);
  Array p(N * D), dp(N * D), W2(D * K), dW2(D * K), b2(K), db2(K), score(N * K), y(N * K);
  Array s(D * K), r(D * K);
  std::vector<std::int32_t> arg(static_cast<std::size_t>(N * D));
  std::vector<std::int64_t> t = {3, 1, 4, 1, 5, 9, 2, 6};
  double loss = 0;

  ConvShape conv{};
  conv.N = N, conv.C = C, conv.H = conv.W = conv.OH = conv.OW = H, conv.FN = FN;
  conv.FH = conv.FW = 3, conv.stride_h = conv.stride_w = conv.pad_h = conv.pad_w = 1;
  conv.dilation_h = conv.dilation_w = conv.groups = 1;
  PoolShape pool{};
  pool.N = N, pool.C = FN, pool.H = pool.W = H, pool.OH = pool.OW = OH;
  pool.FH = pool.FW = pool.stride_h = pool.stride_w = 2;
  const UpdateState numbers{1e-3, 0.9, 0.999, 0, 0, 1};

  counted("conv2d", k.conv2d, Conv2dArgs<float>{a, x, W, nullptr, conv, false, winograd()});
  counted("batch_norm", k.batch_norm,
          BatchNormArgs<float>{z, mean, std, nullptr, nullptr, a, gamma, beta, N, FN, H * H, 0.9,
                               1e-6, true, false, false});
  counted("relu", k.relu, ActivationArgs<float>{a, z, a.size()});
  counted("max_pool2d", k.max_pool2d, MaxPool2dArgs<float>{p, arg.data(), a, pool});
  counted("gemm", k.gemm, product(score, p, false, W2, false, N, K, D));
  counted("softmax_cross_entropy", k.softmax_cross_entropy,
          SoftmaxCrossEntropyArgs<float>{y, &loss, score, t.data(), nullptr, N, K, nullptr, 0});
  counted("softmax_cross_entropy_backward", k.softmax_cross_entropy_backward,
          SoftmaxCrossEntropyBackwardArgs<float>{score, y, t.data(), nullptr, N, K, 1.0});
  counted("gemm_dW", k.gemm, product(dW2, p, true, score, false, D, K, N));
  counted("sum_channels", k.sum_channels, SumChannelsArgs<float>{db2, score, N, K, 1});
  counted("gemm_dx", k.gemm, product(dp, score, false, W2, true, N, D, K));
  counted("max_pool2d_backward", k.max_pool2d_backward,
          MaxPool2dBackwardArgs<float>{da, dp, arg.data(), nullptr, pool, Grad::Write});
  counted("relu_backward", k.relu_backward,
          ActivationBackwardArgs<float>{dz, da, a, a.size(), Grad::Write});
  counted("batch_norm_backward", k.batch_norm_backward,
          BatchNormBackwardArgs<float>{da, dgamma, dbeta, dz, z, gamma, mean, std, N, FN, H * H,
                                       true, Grad::Write, nullptr});
  counted("conv2d_dW", k.conv2d_dW, Conv2dDwArgs<float>{dW, da, x, conv, winograd()});
  counted("conv2d_dx", k.conv2d_dx,
          Conv2dDxArgs<float>{dx, da, W, conv, Grad::Write, winograd(), nullptr});
  const UpdateArgs<float> update{W2, dW2, s, r, nullptr, W2.size(), &numbers};
  counted("sgd_update", k.sgd_update, update);
  counted("momentum_update", k.momentum_update, update);
  counted("adam_update", k.adam_update, update);
  std::printf("%s, loss %.6f\n", isa().c_str(), loss);
}
