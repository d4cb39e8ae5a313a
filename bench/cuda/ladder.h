// A matrix product in seven steps, from the loop one would write first to tensor cores: C = A B
// with A (M, K), B (K, N), C (M, N), row by row. Each kernel says what the one before it wastes.
//
// They are for reading; pynet's own product is csrc/cuda/product.h. Kernels 5 to 7 want M and N to
// be multiples of 128, K of 8: edges would hide what they are about.
#pragma once

#include "cuda/copy_async.h"
#include "cuda/mma.h"

namespace pynet::cuda {

// 1. A thread for each element of C. Neighbouring threads have neighbouring rows, so each reads
// another row of A and writes another row of C: 32 lines of memory where one would do.
__global__ void naive(float* C, const float* A, const float* B, int M, int N, int K) {
  const int m = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int n = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (m >= M || n >= N) return;
  float sum = 0;
  for (int k = 0; k < K; ++k) sum += A[m * K + k] * B[k * N + n];
  C[m * N + n] = sum;
}

// 2. Neighbouring threads have neighbouring columns: a warp reads one line of B, and one number of
// A that all its threads share.
__global__ void coalesced(float* C, const float* A, const float* B, int M, int N, int K) {
  const int m = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  const int n = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (m >= M || n >= N) return;
  float sum = 0;
  for (int k = 0; k < K; ++k) sum += A[m * K + k] * B[k * N + n];
  C[m * N + n] = sum;
}

// 3. A block brings a square of A and one of B into shared memory, where each number serves 32
// threads: memory is read K/32 times less often.
constexpr int kSquare = 32;
__global__ void shared_squares(float* C, const float* A, const float* B, int M, int N, int K) {
  struct Squares {
    float a[kSquare][kSquare], b[kSquare][kSquare];
  };
  PYNET_SHARED(Squares, s);
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int m = static_cast<int>(blockIdx.y) * kSquare + y;
  const int n = static_cast<int>(blockIdx.x) * kSquare + x;
  float sum = 0;
  for (int k0 = 0; k0 < K; k0 += kSquare) {
    s.a[y][x] = m < M && k0 + x < K ? A[m * K + k0 + x] : 0;
    s.b[y][x] = n < N && k0 + y < K ? B[(k0 + y) * N + n] : 0;
    __syncthreads();  // all of it is there
    for (int k = 0; k < kSquare; ++k) sum += s.a[y][k] * s.b[k][x];
    __syncthreads();  // nobody needs it any more
  }
  if (m < M && n < N) C[m * N + n] = sum;
}

// 4. Two reads of shared memory for one product are too many. Here a thread computes 4 x 4 elements
// of C from 4 numbers of A and 4 of B, which stay in registers: half a read for a product.
constexpr int kTile = 64, kDepth = 16, kEach = 4;
__global__ void register_tiles(float* C, const float* A, const float* B, int M, int N, int K) {
  struct Strips {
    float a[kTile][kDepth + 1], b[kDepth][kTile];  // + 1: down a column, other banks
  };
  PYNET_SHARED(Strips, s);
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);  // 16 x 16
  const int t = y * 16 + x;
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  float sum[kEach][kEach] = {};
  for (int k0 = 0; k0 < K; k0 += kDepth) {
    for (int i = t; i < kTile * kDepth; i += 256) {
      const int row = i / kDepth, k = i % kDepth;
      s.a[row][k] = m0 + row < M && k0 + k < K ? A[(m0 + row) * K + k0 + k] : 0;
      const int step = i / kTile, column = i % kTile;
      s.b[step][column] = n0 + column < N && k0 + step < K ? B[(k0 + step) * N + n0 + column] : 0;
    }
    __syncthreads();
    PYNET_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      float left[kEach], right[kEach];
      PYNET_UNROLL
      for (int i = 0; i < kEach; ++i) left[i] = s.a[y + 16 * i][k];
      PYNET_UNROLL
      for (int j = 0; j < kEach; ++j) right[j] = s.b[k][x + 16 * j];
      PYNET_UNROLL
      for (int i = 0; i < kEach; ++i) {
        PYNET_UNROLL
        for (int j = 0; j < kEach; ++j) sum[i][j] = fma(left[i], right[j], sum[i][j]);
      }
    }
    __syncthreads();
  }
  PYNET_UNROLL
  for (int i = 0; i < kEach; ++i) {
    PYNET_UNROLL
    for (int j = 0; j < kEach; ++j) {
      const int m = m0 + y + 16 * i, n = n0 + x + 16 * j;
      if (m < M && n < N) C[m * N + n] = sum[i][j];
    }
  }
}

// 5. 8 x 8 elements for a thread, A stored across in shared memory so that both operands are read
// four numbers at a time, memory read 16 bytes at a time, and two halves of shared memory: the next
// strips arrive while these are multiplied, with one barrier a turn.
constexpr int kWide = 128, kStep = 8;
__global__ void __launch_bounds__(256)
    vectors(float* C, const float* A, const float* B, int, int N, int K) {
  struct alignas(16) Strips {
    float a[2][kStep][kWide + 4], b[2][kStep][kWide];
  };
  PYNET_SHARED(Strips, s);
  const int t = static_cast<int>(threadIdx.x), x = t % 16, y = t / 16;
  const int m0 = static_cast<int>(blockIdx.y) * kWide, n0 = static_cast<int>(blockIdx.x) * kWide;
  const int a_row = t / 2, a_k = t % 2 * 4;       // 4 numbers of A for each thread,
  const int b_k = t / 32, b_column = t % 32 * 4;  // and 4 of B
  float4 a, b;
  const auto fetch = [&](int k0) {
    a = *reinterpret_cast<const float4*>(A + (m0 + a_row) * K + k0 + a_k);
    b = *reinterpret_cast<const float4*>(B + (k0 + b_k) * N + n0 + b_column);
  };
  const auto store = [&](int half) {
    s.a[half][a_k][a_row] = a.x;
    s.a[half][a_k + 1][a_row] = a.y;
    s.a[half][a_k + 2][a_row] = a.z;
    s.a[half][a_k + 3][a_row] = a.w;
    *reinterpret_cast<float4*>(&s.b[half][b_k][b_column]) = b;
  };
  float sum[8][8] = {};
  fetch(0);
  store(0);
  __syncthreads();
  int half = 0;
  for (int k0 = 0; k0 < K; k0 += kStep) {
    if (k0 + kStep < K) fetch(k0 + kStep);
    PYNET_UNROLL
    for (int k = 0; k < kStep; ++k) {
      float4 left[2], right[2];
      PYNET_UNROLL
      for (int i = 0; i < 2; ++i) {
        left[i] = *reinterpret_cast<const float4*>(&s.a[half][k][64 * i + 4 * y]);
        right[i] = *reinterpret_cast<const float4*>(&s.b[half][k][64 * i + 4 * x]);
      }
      PYNET_UNROLL
      for (int i = 0; i < 8; ++i) {
        const float4 four = left[i / 4];
        const float l = i % 4 == 0 ? four.x : i % 4 == 1 ? four.y : i % 4 == 2 ? four.z : four.w;
        PYNET_UNROLL
        for (int j = 0; j < 2; ++j) {
          sum[i][4 * j] = fma(l, right[j].x, sum[i][4 * j]);
          sum[i][4 * j + 1] = fma(l, right[j].y, sum[i][4 * j + 1]);
          sum[i][4 * j + 2] = fma(l, right[j].z, sum[i][4 * j + 2]);
          sum[i][4 * j + 3] = fma(l, right[j].w, sum[i][4 * j + 3]);
        }
      }
    }
    half ^= 1;
    if (k0 + kStep < K) store(half);  // read last before the barrier that was passed since
    __syncthreads();
  }
  PYNET_UNROLL
  for (int i = 0; i < 8; ++i) {
    float* row = C + (m0 + i / 4 * 64 + 4 * y + i % 4) * N + n0 + 4 * x;
    PYNET_UNROLL
    for (int j = 0; j < 2; ++j) {
      const float* four = sum[i] + 4 * j;
      *reinterpret_cast<float4*>(row + 64 * j) = float4{four[0], four[1], four[2], four[3]};
    }
  }
}

// 6. What a copy costs a thread is time to wait and registers to wait in. Here the strips go to
// shared memory without it, three turns ahead; the numbers of the next step of K are read while
// these are multiplied; and lanes that read the same four numbers stand where the hardware reads
// them once.
constexpr int kStages = 4;
__global__ void __launch_bounds__(256, 2)
    pipelined(float* C, const float* A, const float* B, int, int N, int K) {
  struct alignas(16) Stage {
    float a[kStep][kWide + 4], b[kStep][kWide];
  };
  struct Stages {
    Stage stage[kStages];
  };
  PYNET_SHARED(Stages, s);
  const int t = static_cast<int>(threadIdx.x), warp = t / 32, lane = t % 32;
  const int m0 = static_cast<int>(blockIdx.y) * kWide, n0 = static_cast<int>(blockIdx.x) * kWide;
  const int row = warp % 2 * 64 + lane / 2 % 8 * 4;  // 8 x 4 lanes, 64 x 32 for a warp
  const int column = warp / 2 * 32 + (lane % 2 + lane / 16 * 2) * 4;
  AsyncCopies copies;
  const auto fetch = [&](int k0) {
    if (k0 < K) {
      Stage& to = s.stage[k0 / kStep % kStages];
      PYNET_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int m = t / 8 + 32 * i;
        copies.copy<1>(&to.a[t % 8][m], A + (m0 + m) * K + k0 + t % 8);
      }
      copies.copy<4>(&to.b[t / 32][t % 32 * 4], B + (k0 + t / 32) * N + n0 + t % 32 * 4);
    }
    copies.commit();
  };
  Pack<float, 4> left[2][2], right[2][2];
  const auto load = [&](const Stage& from, int k) {
    PYNET_UNROLL
    for (int i = 0; i < 2; ++i) {
      left[k % 2][i] = load_pack<4>(&from.a[k][row + 32 * i]);
      right[k % 2][i] = load_pack<4>(&from.b[k][column + 16 * i]);
    }
  };
  float sum[8][8] = {};
  PYNET_UNROLL
  for (int stage = 0; stage < kStages - 1; ++stage) fetch(stage * kStep);
  copies.wait<kStages - 2>();  // all groups of copies but the last two are there
  __syncthreads();
  load(s.stage[0], 0);
  for (int k0 = 0; k0 < K; k0 += kStep) {
    PYNET_UNROLL
    for (int k = 0; k < kStep; ++k) {
      if (k == kStep - 1) {
        copies.wait<kStages - 2>();
        __syncthreads();  // the next stage is there, and nobody reads this one any more
      }
      load(s.stage[(k0 + k + 1) / kStep % kStages], (k + 1) % kStep);
      if (k == 0) fetch(k0 + (kStages - 1) * kStep);
      PYNET_UNROLL
      for (int i = 0; i < 8; ++i) {
        PYNET_UNROLL
        for (int j = 0; j < 8; ++j) {
          sum[i][j] =
              fma(left[k % 2][i / 4].lane[i % 4], right[k % 2][j / 4].lane[j % 4], sum[i][j]);
        }
      }
    }
  }
  PYNET_UNROLL
  for (int i = 0; i < 8; ++i) {
    float* to = C + (m0 + row + i / 4 * 32 + i % 4) * N + n0 + column;
    PYNET_UNROLL
    for (int j = 0; j < 2; ++j) {
      const float* four = sum[i] + 4 * j;
      *reinterpret_cast<float4*>(to + 16 * j) = float4{four[0], four[1], four[2], four[3]};
    }
  }
}

// 7. Tensor cores: a warp multiplies 16 x 8 numbers of A and 8 x 8 of B in one instruction, in TF32
// (csrc/cuda/mma.h). A warp computes 64 x 32 of the block's 128 x 128.
__global__ void __launch_bounds__(256)
    tensor_cores(float* C, const float* A, const float* B, int, int N, int K) {
  struct Strips {
    float a[kStep][kWide + 8], b[kStep][kWide + 8];  // + 8: the lanes of a fragment, other banks
  };
  PYNET_SHARED(Strips, s);
  const int t = static_cast<int>(threadIdx.x), warp = t / 32, g = t % 32 / 4, q = t % 4;
  const int m0 = static_cast<int>(blockIdx.y) * kWide, n0 = static_cast<int>(blockIdx.x) * kWide;
  const int m = warp / 4 * 64, n = warp % 4 * 32;
  float sum[4][4][4] = {};
  for (int k0 = 0; k0 < K; k0 += kStep) {
    for (int i = t; i < kWide * kStep; i += 256) {
      s.a[i % kStep][i / kStep] = A[(m0 + i / kStep) * K + k0 + i % kStep];
      s.b[i / kWide][i % kWide] = B[(k0 + i / kWide) * N + n0 + i % kWide];
    }
    __syncthreads();
    std::uint32_t a[4][4], b[4][2];
    PYNET_UNROLL
    for (int i = 0; i < 4; ++i) {
      PYNET_UNROLL
      for (int e = 0; e < 4; ++e) {
        a[i][e] = to_tf32(s.a[q + e / 2 * 4][m + i * 16 + g + e % 2 * 8]);
        if (e < 2) b[i][e] = to_tf32(s.b[q + e * 4][n + i * 8 + g]);
      }
    }
    PYNET_UNROLL
    for (int i = 0; i < 4; ++i) {
      PYNET_UNROLL
      for (int j = 0; j < 4; ++j) mma_tf32(sum[i][j], a[i], b[j]);
    }
    __syncthreads();
  }
  PYNET_UNROLL
  for (int i = 0; i < 4; ++i) {
    PYNET_UNROLL
    for (int j = 0; j < 4; ++j) {
      PYNET_UNROLL
      for (int e = 0; e < 4; ++e) {
        C[(m0 + m + i * 16 + g + e / 2 * 8) * N + n0 + n + j * 8 + 2 * q + e % 2] = sum[i][j][e];
      }
    }
  }
}

}  // namespace pynet::cuda
