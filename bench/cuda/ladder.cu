// ladder check          every kernel of ladder.h against plain loops; exit status 1 if one is wrong
// ladder time SIZE...   milliseconds of each, and billions of operations a second, as JSON lines
#include "ladder.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace pynet::cuda {

#if !defined(__CUDACC__)
cudaStream_t stream() {
  static executor::Stream one;
  return &one;
}
#else
cudaStream_t stream() { return nullptr; }
#endif
void after_launch(const char* op) {
  const cudaError_t code = cudaGetLastError();
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", op, cudaGetErrorString(code));
  std::exit(2);
}

namespace {

struct Step {
  const char* name;
  void (*kernel)(float*, const float*, const float*, int, int, int);
  int rows, columns;  // of C, for a block
  dim3 threads;
  bool rows_first;  // blockIdx.x counts rows
  int multiple_of;  // what M and N have to be
};

const Step kSteps[] = {
    {"1 naive", naive, 16, 16, dim3(16, 16), true, 1},
    {"2 coalesced", coalesced, 16, 16, dim3(16, 16), false, 1},
    {"3 shared squares", shared_squares, kSquare, kSquare, dim3(kSquare, kSquare), false, 1},
    {"4 register tiles", register_tiles, kTile, kTile, dim3(16, 16), false, 1},
    {"5 vectors", vectors, kWide, kWide, dim3(256), false, kWide},
    {"6 pipelined", pipelined, kWide, kWide, dim3(256), false, kWide},
    {"7 tensor cores (TF32)", tensor_cores, kWide, kWide, dim3(256), false, kWide},
};

void run(const Step& step, float* C, const float* A, const float* B, int M, int N, int K) {
  const auto across = static_cast<unsigned>(ceil_div(N, step.columns));
  const auto down = static_cast<unsigned>(ceil_div(M, step.rows));
  const dim3 grid = step.rows_first ? dim3(down, across) : dim3(across, down);
  launch(step.name, step.kernel, grid, step.threads, C, A, B, M, N, K);
}

// An array that kernels can reach; the program is short, and gives nothing back.
float* device_array(const std::vector<float>& values) {
  void* memory = nullptr;
  const std::size_t bytes = values.size() * sizeof(float);
  if (cudaMalloc(&memory, bytes) != cudaSuccess) {
    std::fprintf(stderr, "no memory on a GPU\n");
    std::exit(2);
  }
  cudaMemcpyAsync(memory, values.data(), bytes, cudaMemcpyDefault, stream());
  cudaStreamSynchronize(stream());
  return static_cast<float*>(memory);
}

std::vector<float> small_numbers(int n, int seed) {
  std::vector<float> made(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i)
    made[static_cast<std::size_t>(i)] = static_cast<float>((i * 7 + seed) % 5 - 2);
  return made;
}

// Small whole numbers: no sum is rounded, not even in TF32.
bool is_right(const Step& step, int M, int N, int K) {
  const std::vector<float> A = small_numbers(M * K, 1), B = small_numbers(K * N, 3);
  std::vector<float> C(static_cast<std::size_t>(M * N), 1e9f);
  float* on_device = device_array(C);
  run(step, on_device, device_array(A), device_array(B), M, N, K);
  cudaMemcpyAsync(C.data(), on_device, C.size() * sizeof(float), cudaMemcpyDefault, stream());
  cudaStreamSynchronize(stream());
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      float sum = 0;
      for (int k = 0; k < K; ++k) {
        sum += A[static_cast<std::size_t>(m * K + k)] * B[static_cast<std::size_t>(k * N + n)];
      }
      if (C[static_cast<std::size_t>(m * N + n)] != sum) {
        std::fprintf(stderr, "%s: %dx%dx%d is wrong at (%d, %d)\n", step.name, M, N, K, m, n);
        return false;
      }
    }
  }
  return true;
}

int check() {
  bool right = true;
  for (const Step& step : kSteps) {
    right = (step.multiple_of == 1 ? is_right(step, 70, 33, 45) : is_right(step, 256, 128, 24)) &&
            right;
  }
  return right ? 0 : 1;
}

#if defined(__CUDACC__)
int time_all(int sizes, char** size) {
  for (int i = 0; i < sizes; ++i) {
    const int n = std::atoi(size[i]);
    if (n <= 0 || n % kWide != 0) {
      std::fprintf(stderr, "SIZE: expected a multiple of %d, got %s\n", kWide, size[i]);
      return 2;
    }
    std::vector<float> numbers(static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
    std::uint32_t state = 1;
    for (float& x : numbers) {
      state = state * 1664525u + 1013904223u;
      x = static_cast<float>(state >> 8) * 0x1p-23f - 1;
    }
    const float *A = device_array(numbers), *B = device_array(numbers);
    float* C = device_array(numbers);
    cudaEvent_t begin, end;
    cudaEventCreate(&begin);
    cudaEventCreate(&end);
    for (const Step& step : kSteps) {
      float best = 1e30f;
      for (int turn = 0; turn < 12; ++turn) {  // the first ones warm up
        cudaEventRecord(begin, stream());
        run(step, C, A, B, n, n, n);
        cudaEventRecord(end, stream());
        cudaEventSynchronize(end);
        float milliseconds = 0;
        cudaEventElapsedTime(&milliseconds, begin, end);
        if (turn > 1 && milliseconds < best) best = milliseconds;
      }
      std::printf("{\"kernel\": \"%s\", \"size\": %d, \"ms\": %.4f, \"gflops\": %.1f}\n", step.name,
                  n, static_cast<double>(best), 2e-6 * n * n * n / static_cast<double>(best));
    }
  }
  return 0;
}
#endif

}  // namespace
}  // namespace pynet::cuda

int main(int count, char** arguments) {
  if (count > 1 && std::strcmp(arguments[1], "check") == 0) return pynet::cuda::check();
#if defined(__CUDACC__)
  if (count > 2 && std::strcmp(arguments[1], "time") == 0) {
    return pynet::cuda::time_all(count - 2, arguments + 2);
  }
#endif
  std::fprintf(stderr, "ladder check | ladder time SIZE...\n");
  return 2;
}
