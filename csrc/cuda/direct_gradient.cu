#include "cuda/direct_gradient.h"

#include "cuda/direct_conv.h"

namespace pynet::cuda {
namespace {

template <class T>
GradientTile gradient_tile_of(const ConvShape& s) {
  if (!direct_applies(s)) return {};
  return gradient_tile(s, GradientJob<T>::kMaps, GradientJob<T>::kPack,
                       kDirectBytes / static_cast<int>(sizeof(T)));
}

template <class T>
void launch_gradient(const char* op, const GradientJob<T>& job, T* partial, T* dW) {
  const auto blocks = static_cast<unsigned>(job.blocks());
  const auto threads = static_cast<unsigned>(job.threads());
  const std::size_t bytes = static_cast<std::size_t>(job.elements()) * sizeof(T);
  auto* kernel = direct_gradient_kernel<T, 4, 2>;
  if constexpr (sizeof(T) == 4) {
    if (job.units.taps == 3) kernel = direct_gradient_kernel<T, 3, 3>;
    if (job.units.taps == 5) kernel = direct_gradient_kernel<T, 5, 2>;
  }
  launch_with_shared(op, kernel, blocks, threads, bytes, job, partial);
  const index_t n = job.s.FN * job.s.C * job.s.FH * job.s.FW;
  launch(op, join_gradients_kernel<T>,
         static_cast<unsigned>(ceil_div(n, kReduceThreads / kWarpSize)), kReduceThreads, n,
         job.partials(), static_cast<const T*>(partial), dW);
}

}  // namespace

template <class T>
std::size_t direct_scratch(const Conv2dDwArgs<T>& args) {
  const GradientTile t = gradient_tile_of<T>(args.s);
  const index_t taps = args.s.C * args.s.FH * args.s.FW;
  return static_cast<std::size_t>(t.parts * t.slices * args.s.FN * taps) * sizeof(T);
}

template <class T>
bool run_direct(const char* op, const Conv2dDwArgs<T>& args, void* scratch) {
  const GradientTile t = gradient_tile_of<T>(args.s);
  if (t.tiles == 0) return false;
  launch_gradient(op, GradientJob<T>(args.x, args.dout, args.s, t), static_cast<T*>(scratch),
                  args.dW);
  return true;
}

template std::size_t direct_scratch(const Conv2dDwArgs<float>&);
template std::size_t direct_scratch(const Conv2dDwArgs<double>&);
template bool run_direct(const char*, const Conv2dDwArgs<float>&, void*);
template bool run_direct(const char*, const Conv2dDwArgs<double>&, void*);

}  // namespace pynet::cuda
