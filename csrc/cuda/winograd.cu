#include "cuda/winograd.h"

#include "cuda/runtime/precision.h"
#include "cuda/winograd_fused.h"

namespace pynet::cuda {
namespace {

template <class TilesOf>
std::size_t maps_scratch(bool wanted, const ConvShape& s, const TilesOf& tiles_of) {
  const WinogradWay way = wanted ? winograd_way(s, tiles_of, true) : WinogradWay::Direct;
  if (way == WinogradWay::Direct) return 0;
  if (way == WinogradWay::Fused) return static_cast<std::size_t>(16 * s.C * s.FN) * sizeof(float);
  const WinogradShape tiles = tiles_of(s, 4);
  return scratch_of(tiles, WinogradMemory(tiles), map_product);
}

// The way of this call.
template <class TilesOf>
WinogradWay way_now(bool wanted, const ConvShape& s, const TilesOf& tiles_of, bool maps) {
  if (!wanted || precision() != Precision::Float32) return WinogradWay::Direct;
  return winograd_way(s, tiles_of, maps);
}

template <class TilesOf>
bool run_maps(const char* op, bool wanted, const ConvShape& s, const TilesOf& tiles_of,
              const float* images, const float* W, bool turned, const OutputEnd& end,
              void* scratch) {
  const WinogradWay way = way_now(wanted, s, tiles_of, true);
  if (way == WinogradWay::Fused) {
    winograd_fused(op, tiles_of(s, 2), images, W, turned, end, scratch);
  } else if (way == WinogradWay::Chunks) {
    const WinogradShape tiles = tiles_of(s, 4);
    winograd_maps(op, tiles, WinogradMemory(tiles), images, W, turned, end, scratch);
  }
  return way != WinogradWay::Direct;
}

}  // namespace

std::size_t winograd_scratch(const Conv2dArgs<float>& args) {
  return maps_scratch(args.winograd, args.s, forward_tiles);
}
std::size_t winograd_scratch(const Conv2dDxArgs<float>& args) {
  return maps_scratch(args.winograd, args.s, backward_tiles);
}
std::size_t winograd_scratch(const Conv2dDwArgs<float>& args) {
  if (!args.winograd || winograd_way(args.s, forward_tiles, false) == WinogradWay::Direct) return 0;
  const WinogradShape tiles = forward_tiles(args.s, 4);
  return scratch_of(tiles, WinogradMemory(tiles), gradient_product);
}

bool run_winograd(const char* op, const Conv2dArgs<float>& args, void* scratch) {
  return run_maps(op, args.winograd, args.s, forward_tiles, args.x, args.W, false,
                  {args.y, args.b, args.relu, false, nullptr}, scratch);
}
bool run_winograd(const char* op, const Conv2dDxArgs<float>& args, void* scratch) {
  return run_maps(op, args.winograd, args.s, backward_tiles, args.dout, args.W, true,
                  {args.dx, nullptr, false, args.grad == Grad::Add, args.y}, scratch);
}
bool run_winograd(const char* op, const Conv2dDwArgs<float>& args, void* scratch) {
  if (way_now(args.winograd, args.s, forward_tiles, false) == WinogradWay::Direct) return false;
  const WinogradShape tiles = forward_tiles(args.s, 4);
  winograd_filters(op, tiles, WinogradMemory(tiles), args.x, args.dout, args.dW, scratch);
  return true;
}

}  // namespace pynet::cuda
