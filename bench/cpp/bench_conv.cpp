// Convolutions: the layers of the book's nets and of wider ones; forward, dx and dW.
#include <benchmark/benchmark.h>

#include "pynet/runtime.h"
#include "random_array.h"

using namespace pynet;

namespace {

// range: N, C, H, FN, FH, stride, pad, threads; images and filters are square
ConvShape shape_of(const benchmark::State& state) {
  ConvShape s{};
  s.N = state.range(0), s.C = state.range(1), s.H = s.W = state.range(2);
  s.FN = state.range(3), s.FH = s.FW = state.range(4);
  s.stride_h = s.stride_w = state.range(5), s.pad_h = s.pad_w = state.range(6);
  s.dilation_h = s.dilation_w = s.groups = 1;
  s.OH = s.OW = (s.H + 2 * s.pad_h - s.FH) / s.stride_h + 1;
  return s;
}

struct Layer {
  const ConvShape s;
  const RandomArray<float> x, W, b, y;

  explicit Layer(const benchmark::State& state)
      : s(shape_of(state)),
        x(s.N * s.C * s.H * s.W),
        W(s.FN * s.C * s.FH * s.FW),
        b(s.FN),
        y(s.N * s.FN * s.OH * s.OW) {
    set_num_threads(static_cast<int>(state.range(7)));
  }
  double gflop() const {
    return 2e-9 * static_cast<double>(s.N * s.FN * s.OH * s.OW * s.C * s.FH * s.FW);
  }
};

template <class Run>
void measure(benchmark::State& state, const Layer& layer, const Run& run) {
  run();  // the first call takes its scratch from the system
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  state.SetLabel(isa());
  state.counters["GFLOP/s"] =
      benchmark::Counter(layer.gflop(), benchmark::Counter::kIsIterationInvariantRate);
}

void conv2d(benchmark::State& state) {
  Layer l(state);
  const Conv2dArgs<float> args{l.y.data(), l.x.data(), l.W.data(), l.b.data(),
                               l.s,        false,      winograd()};
  measure(state, l, [&] { launch(kernels().conv2d, args); });
}

void conv2d_dx(benchmark::State& state) {
  Layer l(state);
  const Conv2dDxArgs<float> args{l.x.data(),  l.y.data(), l.W.data(), l.s,
                                 Grad::Write, winograd(), nullptr};
  measure(state, l, [&] { launch(kernels().conv2d_dx, args); });
}

void conv2d_dW(benchmark::State& state) {
  Layer l(state);
  const Conv2dDwArgs<float> args{l.W.data(), l.y.data(), l.x.data(), l.s, winograd()};
  measure(state, l, [&] { launch(kernels().conv2d_dW, args); });
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "C", "H", "FN", "FH", "stride", "pad", "threads"})->UseRealTime();
  for (int threads : {1, num_threads()}) {
    b->Args({100, 1, 28, 30, 5, 1, 0, threads});   // SimpleConvNet
    b->Args({100, 16, 28, 16, 3, 1, 1, threads});  // DeepConvNet, second
    b->Args({100, 32, 14, 64, 3, 1, 1, threads});  // DeepConvNet, fifth
    b->Args({32, 64, 56, 64, 3, 1, 1, threads});   // ResNet, VGG
    b->Args({32, 256, 14, 256, 3, 1, 1, threads});
    b->Args({16, 3, 224, 64, 7, 2, 3, threads});    // ResNet, first
    b->Args({32, 256, 28, 128, 1, 1, 0, threads});  // a bottleneck
    if (num_threads() == 1) break;
  }
}
BENCHMARK(conv2d)->Apply(shapes);
BENCHMARK(conv2d_dx)->Apply(shapes);
BENCHMARK(conv2d_dW)->Apply(shapes);

}  // namespace
