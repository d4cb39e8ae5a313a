// Matrix products: squares, and the shapes of the book's nets.
#include <benchmark/benchmark.h>

#include <utility>

#include "pynet/runtime.h"
#include "random_array.h"

using namespace pynet;

namespace {

// range: M, N, K, whether A and B are transposed, threads
template <class T>
void gemm(benchmark::State& state) {
  const index_t M = state.range(0), N = state.range(1), K = state.range(2);
  const bool trans_a = state.range(3), trans_b = state.range(4);
  set_num_threads(static_cast<int>(state.range(5)));
  const RandomArray<T> A(M * K), B(K * N), C(M * N);
  GemmArgs<T> p{};
  p.C = C.data(), p.A = A.data(), p.B = B.data();
  p.batch = 1, p.M = M, p.N = N, p.K = K;
  p.A_row = trans_a ? 1 : K, p.A_col = trans_a ? M : 1;
  p.B_row = trans_b ? 1 : N, p.B_col = trans_b ? K : 1;
  p.C_row = N;
  p.alpha = 1;
  launch(kernels().gemm, p);  // the first call takes its scratch from the system
  for (auto _ : state) {
    launch(kernels().gemm, p);
    benchmark::ClobberMemory();
  }
  state.SetLabel(isa());
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(M * N * K),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K", "tA", "tB", "threads"})->UseRealTime();
  for (int threads : {1, num_threads()}) {
    for (int n : {64, 128, 256, 512, 1024, 2048}) b->Args({n, n, n, 0, 0, threads});
    for (int batch : {1, 10, 100, 1000}) {
      for (auto [inputs, n] : {std::pair{784, 50}, {50, 10}}) {  // the two-layer net's Affine
        b->Args({batch, n, inputs, 0, 0, threads});              // forward
        b->Args({inputs, n, batch, 1, 0, threads});              // dW
        b->Args({batch, inputs, n, 0, 1, threads});              // dx
      }
    }
    b->Args({100, 100, 100, 0, 0, threads});
    b->Args({100, 100, 4320, 0, 0, threads});  // SimpleConvNet's first Affine
    b->Args({4320, 100, 100, 1, 0, threads});  // its dW
    b->Args({100, 4320, 100, 0, 1, threads});  // its dx
    if (num_threads() == 1) break;
  }
}
BENCHMARK_TEMPLATE(gemm, float)->Name("gemm/float32")->Apply(shapes);
BENCHMARK_TEMPLATE(gemm, double)->Name("gemm/float64")->Apply(shapes);

}  // namespace
