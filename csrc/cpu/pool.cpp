#include "cpu/loop.h"
#include "cpu/pool_2x2.h"
#include "cpu/pool_collect.h"
#include "cpu/pool_phases.h"
#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// --- what all poolings share ---------------------------------------------------------------------

// A tile is a number of whole images of one channel each ("planes"), about kChunk pixels.
PYNET_INLINE index_t planes_per_tile(const PoolShape& s) {
  return max_of(kChunk / max_of(s.H * s.W, s.OH * s.OW), index_t{1});
}

PYNET_INLINE Work plan_planes(const PoolShape& s, std::size_t local, double cost) {
  return Work{1, {ceil_div(s.N * s.C, planes_per_tile(s))}, 0, local, cost};
}

template <class Body>
PYNET_INLINE void for_planes(const PoolShape& s, const Tile& tile, const Body& body) {
  const index_t planes = planes_per_tile(s), begin = tile.index * planes;
  const index_t end = min_of(s.N * s.C, begin + planes);
  for (index_t plane = begin; plane < end; ++plane) body(plane);
}

// Elements begin .. end-1 along one axis of the window that lie in the image; start is the
// coordinate of the window's first element.
struct Span {
  index_t begin, end;
};
PYNET_INLINE Span inside(index_t start, index_t window, index_t size) {
  return {max_of(-start, index_t{0}), min_of(window, size - start)};
}

PYNET_INLINE bool is_2x2(const PoolShape& s) {
  return s.FH == 2 && s.FW == 2 && s.stride_h == 2 && s.stride_w == 2 && s.pad_h == 0 &&
         s.pad_w == 0;
}

PYNET_INLINE double pixels(const PoolShape& s) {
  return static_cast<double>(s.N * s.C * s.H * s.W);
}
PYNET_INLINE double outputs(const PoolShape& s) {
  return static_cast<double>(s.N * s.C * s.OH * s.OW);
}

// Pixels of the image in the window at (oy, ox), or all of its pixels.
PYNET_INLINE index_t window_size(const PoolShape& s, bool count_pad, index_t oy, index_t ox) {
  if (count_pad) return s.FH * s.FW;
  const Span y = inside(oy * s.stride_h - s.pad_h, s.FH, s.H);
  const Span x = inside(ox * s.stride_w - s.pad_w, s.FW, s.W);
  return (y.end - y.begin) * (x.end - x.begin);
}

// --- max, forward --------------------------------------------------------------------------------

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

// --- max, backward -------------------------------------------------------------------------------

template <class T>
PYNET_INLINE std::size_t given_bytes(const PoolShape& s) {
  std::size_t bytes = 0;
  given_of<T>(s, nullptr, &bytes);
  return bytes;
}

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
  if (collects) prepare(s, given);
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
      max_collect(s, given, dx, dout, arg, y, add);
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
}

// --- average, forward ----------------------------------------------------------------------------

PYNET_INLINE bool is_global(const PoolShape& s) {
  return s.FH == s.H && s.FW == s.W && s.pad_h == 0 && s.pad_w == 0;
}

template <class T>
PYNET_INLINE T avg_window(const PoolShape& s, const T* x, bool count_pad, index_t oy, index_t ox) {
  const index_t top = oy * s.stride_h - s.pad_h, left = ox * s.stride_w - s.pad_w;
  const Span rows = inside(top, s.FH, s.H), columns = inside(left, s.FW, s.W);
  T sum = 0;
  for (index_t fy = rows.begin; fy < rows.end; ++fy) {
    const T* row = x + (top + fy) * s.W + left;
    for (index_t fx = columns.begin; fx < columns.end; ++fx) sum += row[fx];
  }
  return sum / static_cast<T>(window_size(s, count_pad, oy, ox));
}

// Pixels of the image in each column of windows, or all of their pixels.
template <class T>
PYNET_INLINE void prepare_avg(const PoolShape& s, bool count_pad, T* sizes) {
  for (index_t ox = 0; ox < s.OW; ++ox) {
    const Span columns = inside(ox * s.stride_w - s.pad_w, s.FW, s.W);
    sizes[ox] = static_cast<T>(count_pad ? s.FW : columns.end - columns.begin);
  }
}

template <class T>
PYNET_INLINE void avg_plane(const PoolShape& s, const Phases<T>& p, const T* x, bool count_pad,
                            T* y) {
  deal_out(s, p, x);
  for_windows<T>(s, [&](index_t oy, index_t ox, index_t n) {
    const index_t top = oy * s.stride_h - s.pad_h;
    const Span rows = inside(top, s.FH, s.H);
    const T* first = p.pixels + top * p.step + ox;
    vec<T> sum{};
    for (index_t i = rows.begin * s.FW; i < rows.end * s.FW; ++i) {
      sum += load(first + p.offset[i]);
    }
    const index_t height = count_pad ? s.FH : rows.end - rows.begin;
    sum /= load(p.window + ox) * splat(static_cast<T>(height));
    if (n == kLanes<T>) {
      store(y + oy * s.OW + ox, sum);
    } else {
      store_n(y + oy * s.OW + ox, sum, n);
    }
  });
}

template <class T>
Work avg_pool2d_plan(const AvgPool2dArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = is_global(s) ? 0 : static_cast<double>(s.FH * s.FW);
  return plan_planes(s, phases_bytes<T>(s), pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
}

template <class T>
void avg_pool2d_run(const AvgPool2dArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const Phases<T> p = phases_of<T>(s, tile.local);
  if (has_phases(s)) {
    prepare(s, p, T{0});
    for (index_t ox = 0; ox < kLanes<T>; ++ox) p.window[s.OW + ox] = 1;
    prepare_avg(s, args.count_pad, p.window);
  }
  for_planes(s, tile, [&](index_t plane) {
    const T* x = args.x + plane * s.H * s.W;
    T* y = args.y + plane * s.OH * s.OW;
    if (is_global(s)) {
      vdouble sums[4] = {};
      for_wide(s.H * s.W, sums,
               [&](index_t i, vdouble& sum, auto lanes) { sum += lanes.load(x + i); });
      *y = static_cast<T>(sum_of(sums) / static_cast<double>(s.H * s.W));
    } else if (has_phases(s)) {
      avg_plane(s, p, x, args.count_pad, y);
    } else {
      for (index_t oy = 0; oy < s.OH; ++oy) {
        for (index_t ox = 0; ox < s.OW; ++ox) *y++ = avg_window(s, x, args.count_pad, oy, ox);
      }
    }
  });
}

// --- average, backward ---------------------------------------------------------------------------

// The stride as a constant where it is common: then the compiler makes vectors of the loop.
template <class T>
PYNET_INLINE void add_strided(T* to, const T* from, index_t n, index_t stride) {
  if (stride == 1) {
    for_vectors<T>(0, n, [&](index_t i, auto lanes) {
      lanes.store(to + i, lanes.load(to + i) + lanes.load(from + i));
    });
  } else {
    for (index_t i = 0; i < n; ++i) to[i * stride] += from[i];
  }
}

// Elements of a window that some output sees inside of the image; a window may reach far beyond it.
PYNET_INLINE Span seen(index_t window, index_t size, index_t pad, index_t stride, index_t outputs) {
  return {max_of(pad - (outputs - 1) * stride, index_t{0}), min_of(window, size + pad)};
}

// Adds each window's share to its pixels, in the order of fy and fx.
template <class T>
PYNET_INLINE void avg_scatter(const PoolShape& s, T* dx, const T* share) {
  const Span rows = seen(s.FH, s.H, s.pad_h, s.stride_h, s.OH);
  const Span columns = seen(s.FW, s.W, s.pad_w, s.stride_w, s.OW);
  for (index_t fy = rows.begin; fy < rows.end; ++fy) {
    for (index_t fx = columns.begin; fx < columns.end; ++fx) {
      const index_t first = ceil_div(max_of(s.pad_w - fx, index_t{0}), s.stride_w);
      const index_t last =
          min_of(s.OW, ceil_div(max_of(s.W + s.pad_w - fx, index_t{0}), s.stride_w));
      if (first >= last) continue;
      for (index_t oy = 0; oy < s.OH; ++oy) {
        const index_t y = oy * s.stride_h - s.pad_h + fy;
        if (y < 0 || y >= s.H) continue;
        add_strided(dx + y * s.W + first * s.stride_w + fx - s.pad_w, share + oy * s.OW + first,
                    last - first, s.stride_w);
      }
    }
  }
}

template <class T>
Work avg_pool2d_backward_plan(const AvgPool2dBackwardArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = is_global(s) ? 0 : static_cast<double>(s.FH * s.FW);
  const std::size_t shares = static_cast<std::size_t>(s.OH * s.OW) * sizeof(T);
  const std::size_t sizes = static_cast<std::size_t>(s.OW) * sizeof(T);
  Work work = plan_planes(s, sizes + (can_collect(s) ? given_bytes<T>(s) : shares),
                          pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void avg_pool2d_backward_run(const AvgPool2dBackwardArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const bool add = args.grad == Grad::Add;
  T* sizes = static_cast<T*>(tile.local);  // (OW)
  const bool collects = can_collect(s) && !is_global(s);
  const Given<T> given = given_of<T>(s, sizes + s.OW);
  if (collects) prepare(s, given);
  T* share = collects ? given.values + given.lead : sizes + s.OW;  // (OH, OW), rows may have gaps
  const index_t row = collects ? given.row : s.OW;
  prepare_avg(s, args.count_pad, sizes);
  for_planes(s, tile, [&](index_t plane) {
    T* dx = args.dx + plane * s.H * s.W;
    const T* dout = args.dout + plane * s.OH * s.OW;
    for (index_t oy = 0; oy < s.OH; ++oy) {
      const Span rows = inside(oy * s.stride_h - s.pad_h, s.FH, s.H);
      const T height = static_cast<T>(args.count_pad ? s.FH : rows.end - rows.begin);
      for (index_t ox = 0; ox < s.OW; ++ox) {
        share[oy * row + ox] = dout[oy * s.OW + ox] / (sizes[ox] * height);
      }
    }
    if (is_global(s)) {
      for (index_t i = 0; i < s.H * s.W; ++i) dx[i] = add ? dx[i] + share[0] : share[0];
      return;
    }
    if (collects) {
      avg_collect(s, given, dx, add);
      return;
    }
    if (!add) {
      for (index_t i = 0; i < s.H * s.W; ++i) dx[i] = 0;
    }
    avg_scatter(s, dx, share);
  });
}

}  // namespace

PYNET_EXPORT(max_pool2d, MaxPool2dArgs)
PYNET_EXPORT(max_pool2d_backward, MaxPool2dBackwardArgs)
PYNET_EXPORT(avg_pool2d, AvgPool2dArgs)
PYNET_EXPORT(avg_pool2d_backward, AvgPool2dBackwardArgs)

}  // namespace pynet::PYNET_ISA
