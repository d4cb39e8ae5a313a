// Kernels with a mistake each, which the executor has to find: `planted NAME` runs one.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "cuda/copy_async.h"
#include "cuda/device.h"
#include "one_stream.h"

namespace pynet::cuda {
namespace {

constexpr int kTile = 8;
struct Tiles {
  float A[kTile][kTile], B[kTile][kTile];
};

enum class Planted { Nothing, NoBarrier, OutOfBounds };

template <Planted MISTAKE>
__global__ void product(float* C, const float* A, const float* B, int M, int N, int K) {
  PYNET_SHARED(Tiles, s);
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int row = static_cast<int>(blockIdx.y) * kTile + ty;
  const int column = static_cast<int>(blockIdx.x) * kTile + tx;
  float sum = 0;
  for (int k = 0; k < K; k += kTile) {
    s.A[ty][tx] = row < M && k + tx < K ? A[row * K + k + tx] : 0;
    s.B[ty][tx] = column < N && k + ty < K ? B[(k + ty) * N + column] : 0;
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum += s.A[ty][i] * s.B[i][tx];
    if (MISTAKE != Planted::NoBarrier) __syncthreads();
  }
  if (row < M + (MISTAKE == Planted::OutOfBounds) && column < N) C[row * N + column] = sum;
}

// A barrier that only some threads reach.
__global__ void divergent() {
  if (threadIdx.x < 7) __syncthreads();
}
// A shuffle from a lane that is not in the mask.
__global__ void lonely(float* y) { *y = __shfl_sync(0xffu, 1.0f, 8); }
// The last thread of a block and the first one of the next write to the same place.
__global__ void overlapping(int* y) { y[threadIdx.x + blockIdx.x * (blockDim.x - 1)] = 1; }
// What nobody wrote.
__global__ void unwritten(float* y) {
  PYNET_SHARED(Tiles, s);
  y[threadIdx.x] = s.A[0][threadIdx.x % kTile];
}

// A copy that is read before it was waited for.
__global__ void early(float* y, const float* x) {
  PYNET_SHARED(Tiles, s);
  const unsigned t = threadIdx.x, next = (t + 1) % kTile;
  AsyncCopies copies;
  copies.copy<1>(&s.A[0][t], x + t);
  copies.commit();
  __syncthreads();
  y[t] = s.A[0][next];
  copies.wait<0>();
}

template <Planted MISTAKE>
float product_error() {
  const int M = 13, N = 11, K = 37;
  std::vector<float> A(M * K), B(K * N), C(M * N);
  for (std::size_t i = 0; i < A.size(); ++i) A[i] = static_cast<float>(i * 7 % 5) - 2;
  for (std::size_t i = 0; i < B.size(); ++i) B[i] = static_cast<float>(i * 5 % 7) - 3;
  launch("product", product<MISTAKE>, dim3((N + kTile - 1) / kTile, (M + kTile - 1) / kTile),
         dim3(kTile, kTile), C.data(), static_cast<const float*>(A.data()),
         static_cast<const float*>(B.data()), M, N, K);
  float worst = 0;
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      float exact = 0;
      for (int k = 0; k < K; ++k) exact += A[m * K + k] * B[k * N + n];
      worst = std::fmax(worst, std::fabs(exact - C[m * N + n]));
    }
  }
  return worst;
}

int run(const char* name) {
  const auto is = [&](const char* other) { return std::strcmp(name, other) == 0; };
  std::vector<float> y(32);
  if (is("nothing")) return product_error<Planted::Nothing>() == 0 ? 0 : 3;
  if (is("no-barrier")) return product_error<Planted::NoBarrier>() == 0 ? 0 : 3;
  if (is("out-of-bounds")) return product_error<Planted::OutOfBounds>() == 0 ? 0 : 3;
  if (is("overlapping")) launch("overlapping", overlapping, 2, 8, reinterpret_cast<int*>(y.data()));
  if (is("divergent")) launch("divergent", divergent, 1, 32);
  if (is("lonely")) launch("lonely", lonely, 1, 8, y.data());
  if (is("unwritten")) {
    launch("unwritten", unwritten, 1, 32, y.data());
    return y[0] == y[0] ? 0 : 3;
  }
  if (is("early")) {
    const std::vector<float> x(kTile, 1.0f);
    launch("early", early, 1, kTile, y.data(), x.data());
    for (int t = 0; t < kTile; ++t) {
      if (y[static_cast<std::size_t>(t)] != 1) return 3;
    }
  }
  return 0;
}

}  // namespace
}  // namespace pynet::cuda

int main(int, char** arguments) {
  try {
    return pynet::cuda::run(arguments[1]);
  } catch (const executor::BarrierError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 4;
  }
}
