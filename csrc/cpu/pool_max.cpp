// Max pooling. Windows of 2x2 with stride 2 are read and written as they lie; other common ones
// forward from a plane laid out by phases (pool_phases.h), backward by what each pixel collects
// (pool_collect.h); all others one by one.
#include "cpu/loop.h"
#include "cpu/pool_2x2.h"
#include "cpu/pool_collect.h"
#include "cpu/pool_phases.h"
#include "cpu/pool_planes.h"

namespace pynet::PYNET_ISA {
namespace {

// --- forward -------------------------------------------------------------------------------------

// One window, any position.
template <class T>
PYNET_INLINE void max_window(const PoolShape& s, const T* x, index_t oy, index_t ox, T* y,
                             std::int32_t* arg) {
  const index_t top = oy * s.stride_h - s.pad_h, left = ox * s.stride_w - s.pad_w;
  const Span rows = inside(top, s.FH, s.H), columns = inside(left, s.FW, s.W);
  T best = x[(top + rows.begin) * s.W + left + columns.begin];
  index_t where = rows.begin * s.FW + columns.begin;
  for (index_t fy = rows.begin; fy < rows.end; ++fy) {
    const T* row = x + (top + fy) * s.W + left;
    for (index_t fx = columns.begin; fx < columns.end; ++fx) {
      const bool take = !(row[fx] <= best) && best == best;  // larger, or the first NaN
      best = take ? row[fx] : best;
      where = take ? fy * s.FW + fx : where;
    }
  }
  *y = best;
  *arg = static_cast<std::int32_t>(where);
}

template <class T>
PYNET_INLINE void prepare_max(const PoolShape& s, const Phases<T>& p) {
  prepare(s, p, static_cast<T>(-__builtin_inf()));
  // The first column of each window that is in the image: it wins where all pixels are -inf.
  for (index_t ox = 0; ox < s.OW + kLanes<T>; ++ox) {
    p.window[ox] = static_cast<T>(max_of(s.pad_w - ox * s.stride_w, index_t{0}));
  }
}

template <class T>
PYNET_INLINE void max_plane(const PoolShape& s, const Phases<T>& p, const T* x, T* y,
                            std::int32_t* arg) {
  deal_out(s, p, x);
  for_windows<T>(s, [&](index_t oy, index_t ox, index_t n) {
    const index_t top = oy * s.stride_h - s.pad_h;
    const Span rows = inside(top, s.FH, s.H);
    const T* first = p.pixels + top * p.step + ox;
    ivec<T> k = place<T>(rows.begin * s.FW);
    Best<T> best{splat(static_cast<T>(-__builtin_inf())),
                 k + __builtin_convertvector(load(p.window + ox), ivec<T>)};
    for (index_t i = rows.begin * s.FW; i < rows.end * s.FW; ++i, k += 1) {
      best = better<T>(best, {load(first + p.offset[i]), k});
    }
    const index_t to = oy * s.OW + ox;
    if (n == kLanes<T>) {
      store(y + to, best.value);
      store_places(arg + to, best.where);
    } else {
      std::int32_t where[kLanes<T>];
      store_n(y + to, best.value, n);
      store_places(where, best.where);
      for (index_t j = 0; j < n; ++j) arg[to + j] = where[j];
    }
  });
}

template <class T>
Work max_pool2d_plan(const MaxPool2dArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = is_2x2(s) ? 2 : static_cast<double>(s.FH * s.FW);
  return plan_planes(s, is_2x2(s) ? 0 : phases_bytes<T>(s),
                     pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
}

template <class T>
void max_pool2d_run(const MaxPool2dArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const bool phases = has_phases(s) && !is_2x2(s);
  const Phases<T> p = phases_of<T>(s, tile.local);
  if (phases) prepare_max(s, p);
  for_planes(s, tile, [&](index_t plane) {
    const T* x = args.x + plane * s.H * s.W;
    T* y = args.y + plane * s.OH * s.OW;
    std::int32_t* arg = args.arg + plane * s.OH * s.OW;
    if (is_2x2(s)) {
      for (index_t oy = 0; oy < s.OH; ++oy) {
        const T* top = x + 2 * oy * s.W;
        max_row_2x2(top, top + s.W, s.OW, y + oy * s.OW, arg + oy * s.OW);
      }
    } else if (phases) {
      max_plane(s, p, x, y, arg);
    } else {
      for (index_t oy = 0; oy < s.OH; ++oy) {
        for (index_t ox = 0; ox < s.OW; ++ox, ++y, ++arg) max_window(s, x, oy, ox, y, arg);
      }
    }
  });
}

// --- backward ------------------------------------------------------------------------------------

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
      max_backward_2x2(s, dx, dout, arg, y, add);
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
