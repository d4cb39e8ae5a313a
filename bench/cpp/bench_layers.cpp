// Kernels beside the products: pooling, softmax-cross-entropy, batch norm and updates.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "pynet/runtime.h"
#include "random_array.h"

using namespace pynet;

namespace {

// `floats`: how many the kernel reads and writes.
template <class Run>
void measure(benchmark::State& state, index_t floats, const Run& run) {
  run();  // the first call takes its scratch from the system
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  state.SetLabel(isa());
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(floats) * 4e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}

// The sizes, each on 1 thread and on all.
void on_threads(benchmark::internal::Benchmark* b, std::vector<std::vector<std::int64_t>> sizes) {
  b->UseRealTime();
  for (int threads : {1, num_threads()}) {
    for (std::vector<std::int64_t> args : sizes) {
      args.push_back(threads);
      b->Args(args);
    }
    if (num_threads() == 1) break;
  }
}

// --- max pooling: N, C, H, F; stride 2 -----------------------------------------------------------

struct Pool {
  PoolShape s{};
  index_t in, out;

  explicit Pool(const benchmark::State& state) {
    s.N = state.range(0), s.C = state.range(1), s.H = s.W = state.range(2);
    s.FH = s.FW = state.range(3), s.stride_h = s.stride_w = 2;
    s.OH = s.OW = (s.H - s.FH) / 2 + 1;
    in = s.N * s.C * s.H * s.W, out = s.N * s.C * s.OH * s.OW;
    set_num_threads(static_cast<int>(state.range(4)));
  }
};

void max_pool2d(benchmark::State& state) {
  const Pool p(state);
  const RandomArray<float> x(p.in), y(p.out);
  std::vector<std::int32_t> arg(static_cast<std::size_t>(p.out));
  const MaxPool2dArgs<float> args{y.data(), arg.data(), x.data(), p.s};
  measure(state, p.in + 2 * p.out, [&] { launch(kernels().max_pool2d, args); });
}

void max_pool2d_backward(benchmark::State& state) {
  const Pool p(state);
  const RandomArray<float> x(p.in), y(p.out);
  std::vector<std::int32_t> arg(static_cast<std::size_t>(p.out));
  launch(kernels().max_pool2d, MaxPool2dArgs<float>{y.data(), arg.data(), x.data(), p.s});
  const MaxPool2dBackwardArgs<float> args{x.data(), y.data(), arg.data(),
                                          nullptr,  p.s,      Grad::Write};
  measure(state, p.in + 2 * p.out, [&] { launch(kernels().max_pool2d_backward, args); });
}

void images(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "C", "H", "F", "threads"});
  on_threads(b, {{100, 30, 24, 2}, {100, 16, 28, 2}, {32, 64, 112, 3}});
}
BENCHMARK(max_pool2d)->Apply(images);
BENCHMARK(max_pool2d_backward)->Apply(images);

// --- softmax-cross-entropy: N, D -----------------------------------------------------------------

void softmax_cross_entropy(benchmark::State& state) {
  const index_t N = state.range(0), D = state.range(1);
  set_num_threads(static_cast<int>(state.range(2)));
  const RandomArray<float> x(N * D), y(N * D);
  std::vector<std::int64_t> t(static_cast<std::size_t>(N));
  for (index_t n = 0; n < N; ++n) t[static_cast<std::size_t>(n)] = n % D;
  double loss = 0;
  const SoftmaxCrossEntropyArgs<float> args{y.data(), &loss, x.data(), t.data(), nullptr,
                                            N,        D,     nullptr,  0};
  measure(state, 2 * N * D, [&] { launch(kernels().softmax_cross_entropy, args); });
}
void scores(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "D", "threads"});
  on_threads(b, {{100, 10}, {128, 1000}, {4096, 1000}});
}
BENCHMARK(softmax_cross_entropy)->Apply(scores);

// --- batch norm: N, C, S -------------------------------------------------------------------------

struct Norm {
  const index_t N, C, S;
  const RandomArray<float> x, y, gamma, beta, mean, std;

  explicit Norm(const benchmark::State& state)
      : N(state.range(0)),
        C(state.range(1)),
        S(state.range(2)),
        x(N * C * S),
        y(N * C * S),
        gamma(C),
        beta(C),
        mean(C),
        std(C) {
    set_num_threads(static_cast<int>(state.range(3)));
  }
  void forward() const {
    launch(kernels().batch_norm,
           BatchNormArgs<float>{y.data(), mean.data(), std.data(), nullptr, nullptr, x.data(),
                                gamma.data(), beta.data(), N, C, S, 0.9, 1e-6, true, false, false});
  }
};

void batch_norm(benchmark::State& state) {
  const Norm n(state);
  measure(state, 2 * n.N * n.C * n.S, [&] { n.forward(); });
}

void batch_norm_backward(benchmark::State& state) {
  const Norm n(state);
  const RandomArray<float> dx(n.N * n.C * n.S), dgamma(n.C), dbeta(n.C);
  n.forward();
  const BatchNormBackwardArgs<float> args{
      dx.data(),     dgamma.data(), dbeta.data(), n.y.data(), n.x.data(), n.gamma.data(),
      n.mean.data(), n.std.data(),  n.N,          n.C,        n.S,        true,
      Grad::Write,   nullptr};
  measure(state, 3 * n.N * n.C * n.S, [&] { launch(kernels().batch_norm_backward, args); });
}
void channels(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "C", "S", "threads"});
  on_threads(b, {{100, 100, 1}, {128, 16, 1024}, {32, 64, 3136}});
}
BENCHMARK(batch_norm)->Apply(channels);
BENCHMARK(batch_norm_backward)->Apply(channels);

// --- updates: n ----------------------------------------------------------------------------------

template <class Update>
void update(benchmark::State& state, index_t passes, const Update& kernel) {
  const index_t n = state.range(0);
  set_num_threads(static_cast<int>(state.range(1)));
  const RandomArray<float> p(n), g(n);
  std::vector<float> s(static_cast<std::size_t>(n)), r(static_cast<std::size_t>(n));
  const UpdateState numbers{1e-3, 0.9, 0.999, 0, 0, 1};
  const UpdateArgs<float> args{p.data(), g.data(), s.data(), r.data(), nullptr, n, &numbers};
  measure(state, passes * n, [&] { launch(kernel, args); });
}
void sgd(benchmark::State& state) { update(state, 3, kernels().sgd_update); }
void momentum(benchmark::State& state) { update(state, 5, kernels().momentum_update); }
void adam(benchmark::State& state) { update(state, 7, kernels().adam_update); }

void lengths(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "threads"});
  on_threads(b, {{1 << 14}, {1 << 19}, {1 << 23}});
}
BENCHMARK(sgd)->Name("optimizer/sgd")->Apply(lengths);
BENCHMARK(momentum)->Name("optimizer/momentum")->Apply(lengths);
BENCHMARK(adam)->Name("optimizer/adam")->Apply(lengths);

}  // namespace
