// Max pooling: forward in pool_max.h. Backward, windows of 2x2 with stride 2 are written as they
// lie, other common ones by what each pixel collects (pool_collect.h), all others one by one.
#include "cpu/pool_max.h"
#include "cpu/loop.h"
#include "cpu/pool_2x2.h"
#include "cpu/pool_collect.h"
#include "cpu/pool_planes.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
Work max_pool2d_backward_plan(const MaxPool2dBackwardArgs<T>& args) {
  const PoolShape& s = args.s;
  const bool collects = can_collect(s) && !is_2x2(s);
  const double window = is_2x2(s) ? 0.5 : collects ? 1.5 : 4.0;
  const double cost = pixels(s) * sizeof(T) * 0.06 + outputs(s) * window;
  Work work = plan_planes(s, collects ? given_bytes<T>(s) : 0, cost);
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void max_pool2d_backward_run(const MaxPool2dBackwardArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const bool add = args.grad == Grad::Add, collects = can_collect(s) && !is_2x2(s);
  const Given<T> given = given_of<T>(s, tile.local);
  if (collects) prepare(given);
  const Write how = how_to_write(args.dx, s.N * s.C * s.H * s.W, s.W, add);
  for_planes(s, tile, [&](index_t plane) {
    T* dx = args.dx + plane * s.H * s.W;
    const T* dout = args.dout + plane * s.OH * s.OW;
    const std::int32_t* arg = args.arg + plane * s.OH * s.OW;
    const T* y = args.y ? args.y + plane * s.OH * s.OW : nullptr;
    if (is_2x2(s)) {
      max_backward_2x2(s, dx, dout, arg, y, how);
      return;
    }
    if (collects) {
      max_collect(s, given, dx, dout, arg, y, how);
      return;
    }
    if (!add) {
      for (index_t i = 0; i < s.H * s.W; ++i) dx[i] = 0;
    }
    const std::uint32_t FW = static_cast<std::uint32_t>(s.FW);
    for (index_t oy = 0; oy < s.OH; ++oy) {
      for (index_t ox = 0; ox < s.OW; ++ox) {
        const index_t i = oy * s.OW + ox;
        const std::uint32_t k = static_cast<std::uint32_t>(arg[i]);
        const index_t iy = oy * s.stride_h - s.pad_h + k / FW;
        const index_t ix = ox * s.stride_w - s.pad_w + k % FW;
        // Never outside the image, whatever the caller's arg says.
        if (iy < 0 || iy >= s.H || ix < 0 || ix >= s.W) continue;
        dx[iy * s.W + ix] += y && y[i] <= 0 ? T(0) : dout[i];
      }
    }
  });
  if (how == Write::Stream) order_streams();
}

}  // namespace

PYNET_EXPORT(max_pool2d, MaxPool2dArgs)
PYNET_EXPORT(max_pool2d_backward, MaxPool2dBackwardArgs)

}  // namespace pynet::PYNET_ISA
