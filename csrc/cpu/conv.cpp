// Convolution, its input gradient, and convolution with max pooling behind it.
//
// Groups of few channels go their own ways (conv_narrow.h, conv_narrow_dx.h), so do filters of 3 x
// 3 (conv_winograd.h) and some input gradients (conv_dx_sum.h). All others are matrix products:
//
//   phase 0   packs the filters
//   phase 1   each tile makes some filters' outputs at a patch of pixels of one image (conv_tile.h)
#include "cpu/conv_dx_sum.h"
#include "cpu/conv_narrow.h"
#include "cpu/conv_narrow_dx.h"
#include "cpu/conv_tile.h"
#include "cpu/conv_winograd.h"
#include "cpu/kernel.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T, template <class> class Args>
Work plan(const Args<T>& args) {
  if (is_narrow(args)) return narrow_plan(args);
  if (winograd_tile(args)) return winograd_plan(args);
  const Layout l = layout_of(args);
  const Product<T> p = bound_of(args);
  const index_t tiles = p.images * p.groups * l.classes * l.row_tiles * l.col_tiles;
  const index_t taps = args.s.FH * args.s.FW;
  index_t local =
      kDepth * (sizeof(index_t) + kCols<T> * sizeof(T)) + (l.band + 4 * kLanes<T>)*sizeof(T);
  if (p.pool) {
    local = max_of(local, static_cast<index_t>(max_bytes<T>(tile_of(*p.pool, l.tile_cols))));
  }
  local += l.tile_rows * (p.pool ? l.filter : l.scattered ? l.tile_cols : 0) * sizeof(T);
  const double flops = 2.0 * p.images * p.groups * p.M * p.C * taps * args.s.OH * args.s.OW;
  return Work{2,
              {l.classes * p.groups * l.pack_blocks, tiles},
              static_cast<std::size_t>(p.groups * l.padded_rows * p.C * taps) * sizeof(T),
              static_cast<std::size_t>(local),
              flops * (sizeof(T) == 4 ? 0.015 : 0.03)};
}

template <class T, template <class> class Args>
void run(const Args<T>& args, const Tile& tile) {
  if (is_narrow(args)) return narrow_run(args, tile);
  if (winograd_tile(args)) return winograd_run(args, tile);
  const Layout l = layout_of(args);
  if (tile.phase == 1) return run_tile(args, l, tile);
  const index_t block = tile.index % l.pack_blocks, which = tile.index / l.pack_blocks % l.classes;
  const index_t g = tile.index / l.pack_blocks / l.classes;
  const Product<T> p = product_of(args, which);
  pack_filters(p, l, g, block, packed_weights(args, p, l, which, g, tile.shared));
}

template <class T>
Work conv2d_plan(const Conv2dArgs<T>& args) {
  return plan(args);
}
template <class T>
void conv2d_run(const Conv2dArgs<T>& args, const Tile& tile) {
  run(args, tile);
}

template <class T>
Work conv2d_dx_plan(const Conv2dDxArgs<T>& args) {
  if (args.grad == Grad::Skip) return Work{};
  if (is_narrow_dx(args)) return narrow_dx_plan(args);
  return is_dx_sum(args) ? dx_sum_plan(args) : plan(args);
}
template <class T>
void conv2d_dx_run(const Conv2dDxArgs<T>& args, const Tile& tile) {
  if (is_narrow_dx(args)) return narrow_dx_run(args, tile);
  if (is_dx_sum(args)) return dx_sum_run(args, tile);
  run(args, tile);
}

template <class T>
MaxPool2dArgs<T> pooling_of(const Conv2dMaxPool2dArgs<T>& args, const T* y) {
  return {args.y, args.arg, y, args.pool};
}

// Where the output lies in the scratch behind that of the convolution: at a line of the cache.
PYNET_INLINE std::size_t output_begin(const Work& work) { return (work.shared + 63) / 64 * 64; }

// Pooling joins the tiles where these hold whole windows. Elsewhere there is a phase more, over the
// whole output in scratch.
template <class T>
bool pools_in_tiles(const Conv2dMaxPool2dArgs<T>& args) {
  if (is_narrow(args)) return false;
  if (winograd_tile(args)) {  // whose tiles hold no neighbours where there is dilation
    return is_2x2(args.pool) && args.s.dilation_h == 1 && args.s.dilation_w == 1;
  }
  return pixels_of_windows(args.pool) <= kLongRow;
}

template <class T>
Work conv2d_max_pool2d_plan(const Conv2dMaxPool2dArgs<T>& args) {
  if (pools_in_tiles(args)) return plan(args);
  Work work = plan(conv_of<T>(args, nullptr));
  const Work pooling = max_pool2d_plan(pooling_of<T>(args, nullptr));
  work.tiles[work.phases++] = pooling.tiles[0];
  work.shared =
      output_begin(work) + sizeof(T) * args.pool.N * args.pool.C * args.pool.H * args.pool.W;
  work.local = max_of(work.local, pooling.local);
  work.cost += pooling.cost;
  return work;
}
template <class T>
void conv2d_max_pool2d_run(const Conv2dMaxPool2dArgs<T>& args, const Tile& tile) {
  if (pools_in_tiles(args)) return run(args, tile);
  const Work work = plan(conv_of<T>(args, nullptr));
  T* y = reinterpret_cast<T*>(static_cast<char*>(tile.shared) + output_begin(work));
  if (tile.phase < work.phases) {
    run(conv_of(args, y), tile);
  } else {
    max_pool2d_run(pooling_of<T>(args, y), tile);
  }
}

}  // namespace

PYNET_EXPORT(conv2d, Conv2dArgs)
PYNET_EXPORT(conv2d_max_pool2d, Conv2dMaxPool2dArgs)
PYNET_EXPORT(conv2d_dx, Conv2dDxArgs)

}  // namespace pynet::PYNET_ISA
