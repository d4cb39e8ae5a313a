// Max pooling of planes: windows of 2x2 or 3x3 with stride 2 as they lie (pool_2x2.h, pool_3x3.h),
// other common ones from a plane laid out by phases (pool_phases.h), all others one by one.
#pragma once

#include "cpu/pool_2x2.h"
#include "cpu/pool_3x3.h"
#include "cpu/pool_phases.h"
#include "cpu/pool_planes.h"

namespace pynet::PYNET_ISA {
namespace {

// One window, any position.
template <class T>
PYNET_INLINE void max_window(const PoolShape& s, const T* x, index_t oy, index_t ox, T* y,
                             std::int32_t* arg) {
  const index_t top = oy * s.stride_h - s.pad_h, left = ox * s.stride_w - s.pad_w;
  const Overlap rows = inside(top, s.FH, s.H), columns = inside(left, s.FW, s.W);
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
    const Overlap rows = inside(top, s.FH, s.H);
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

// Scratch for max_planes.
template <class T>
PYNET_INLINE std::size_t max_bytes(const PoolShape& s) {
  if (is_2x2(s)) return 0;
  return phases_bytes<T>(s) + (is_3x3<T>(s) ? waiting_bytes<T>(s) : 0);
}

// `count` planes; from one to the next x_plane pixels of x, and y_plane windows.
template <class T>
PYNET_INLINE void max_planes(const PoolShape& s, index_t count, const T* x, index_t x_plane, T* y,
                             std::int32_t* arg, index_t y_plane, void* local) {
  const bool phases = has_phases(s) && !is_2x2(s);
  const Phases<T> p = phases_of<T>(s, local);
  const bool rows = is_3x3<T>(s), padded = s.pad_w > 0;
  void* waiting = static_cast<char*>(local) + phases_bytes<T>(s);
  if (phases && (padded || !rows)) prepare_max(s, p);
  for (index_t i = 0; i < count; ++i, x += x_plane, y += y_plane, arg += y_plane) {
    if (rows && padded) {
      pad_rows(s, p, x);
      max_plane_3x3<true>(s, rows_3x3<T>(s, p.padded, p.row, p.window, waiting), y, arg);
    } else if (rows) {
      max_plane_3x3<false>(s, rows_3x3<T>(s, x, s.W, nullptr, waiting), y, arg);
    } else if (phases) {
      max_plane(s, p, x, y, arg);
    }
    for (index_t oy = 0; oy < s.OH && !phases; ++oy) {
      const index_t to = oy * s.OW;
      if (is_2x2(s)) {
        const T* top = x + 2 * oy * s.W;
        max_row_2x2(top, top + s.W, s.OW, y + to, arg + to);
        continue;
      }
      for (index_t ox = 0; ox < s.OW; ++ox) max_window(s, x, oy, ox, y + to + ox, arg + to + ox);
    }
  }
}

template <class T>
Work max_pool2d_plan(const MaxPool2dArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = is_2x2(s) ? 2 : static_cast<double>(s.FH * s.FW);
  return plan_planes(s, max_bytes<T>(s), pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
}

template <class T>
void max_pool2d_run(const MaxPool2dArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const index_t x_plane = s.H * s.W, y_plane = s.OH * s.OW;
  const index_t count = planes_per_tile(s), first = tile.index * count;
  max_planes(s, min_of(count, s.N * s.C - first), args.x + first * x_plane, x_plane,
             args.y + first * y_plane, args.arg + first * y_plane, y_plane, tile.local);
}

}  // namespace
}  // namespace pynet::PYNET_ISA
