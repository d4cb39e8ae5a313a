#include "cuda/winograd.h"

#include "cuda/runtime/precision.h"
#include "cuda/winograd_tile.h"

namespace pynet::cuda {
namespace {

// The filters' gradient has tiles of 4 x 4 outputs only.
WinogradShape gradient_tiles(const ConvShape& s, index_t) { return forward_tiles(s, 4); }

template <class TilesOf, class ShapeOf>
std::size_t scratch_bytes(bool wanted, const ConvShape& s, const TilesOf& tiles_of,
                          const ShapeOf& product) {
  const int out = wanted ? winograd_choice(s, tiles_of) : 0;
  if (out == 0) return 0;
  const WinogradShape tiles = tiles_of(s, out);
  return scratch_of(tiles, WinogradMemory(tiles), product);
}

// The tile for a call, or 0 for the direct way.
template <class TilesOf>
int tile_of(bool wanted, const ConvShape& s, const TilesOf& tiles_of) {
  if (!wanted || precision() != Precision::Float32) return 0;
  return winograd_choice(s, tiles_of);
}

template <class TilesOf>
bool run_maps(const char* op, bool wanted, const ConvShape& s, const TilesOf& tiles_of,
              const float* images, const float* W, bool turned, const OutputEnd& end,
              void* scratch) {
  const int out = tile_of(wanted, s, tiles_of);
  if (out == 0) return false;
  const WinogradShape tiles = tiles_of(s, out);
  const auto run = out == 4 ? winograd_maps<4> : winograd_maps<2>;
  run(op, tiles, WinogradMemory(tiles), images, W, turned, end, scratch);
  return true;
}

}  // namespace

std::size_t winograd_scratch(const Conv2dArgs<float>& args) {
  return scratch_bytes(args.winograd, args.s, forward_tiles, map_product);
}
std::size_t winograd_scratch(const Conv2dDxArgs<float>& args) {
  return scratch_bytes(args.winograd, args.s, backward_tiles, map_product);
}
std::size_t winograd_scratch(const Conv2dDwArgs<float>& args) {
  return scratch_bytes(args.winograd, args.s, gradient_tiles, gradient_product);
}

bool run_winograd(const char* op, const Conv2dArgs<float>& args, void* scratch) {
  return run_maps(op, args.winograd, args.s, forward_tiles, args.x, args.W, false,
                  {args.y, args.b, args.relu, false}, scratch);
}
bool run_winograd(const char* op, const Conv2dDxArgs<float>& args, void* scratch) {
  return run_maps(op, args.winograd, args.s, backward_tiles, args.dout, args.W, true,
                  {args.dx, nullptr, false, args.grad == Grad::Add}, scratch);
}
bool run_winograd(const char* op, const Conv2dDwArgs<float>& args, void* scratch) {
  if (tile_of(args.winograd, args.s, gradient_tiles) == 0) return false;
  const WinogradShape tiles = gradient_tiles(args.s, 4);
  winograd_filters(op, tiles, WinogradMemory(tiles), args.x, args.dout, args.dW, scratch);
  return true;
}

}  // namespace pynet::cuda
