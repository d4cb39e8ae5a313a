#include "cpu/pool_2x2.h"
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

// The windows of kLanes<T> neighbours that lie inside the image from left to right.
template <class T, class Load>
PYNET_INLINE void max_windows(const PoolShape& s, const T* x, index_t oy, index_t ox, T* y,
                              std::int32_t* arg, const Load& load_strided) {
  const index_t top = oy * s.stride_h - s.pad_h, left = ox * s.stride_w - s.pad_w;
  const Span rows = inside(top, s.FH, s.H);
  Best<T> best{load_strided(x + (top + rows.begin) * s.W + left), place<T>(rows.begin * s.FW)};
  for (index_t fy = rows.begin; fy < rows.end; ++fy) {
    const T* row = x + (top + fy) * s.W + left;
    for (index_t fx = 0; fx < s.FW; ++fx) {
      best = better<T>(best, {load_strided(row + fx), place<T>(fy * s.FW + fx)});
    }
  }
  store(y, best.value);
  store_places(arg, best.where);
}

// One row of outputs: the windows at the edges one by one, those between as vectors.
template <class T, class Load>
PYNET_INLINE void max_row(const PoolShape& s, const T* x, index_t oy, T* y, std::int32_t* arg,
                          const Load& load_strided) {
  const index_t first = min_of(s.OW, ceil_div(s.pad_w, s.stride_w));
  // A vector of stride 2 loads one element beyond its windows: that must be in the row as well.
  const index_t room = s.W + s.pad_w - s.FW - (s.stride_w - 1);
  const index_t vectors = room < 0 ? 0 : min_of(s.OW, room / s.stride_w + 1);
  index_t ox = 0;
  for (; ox < first; ++ox) max_window(s, x, oy, ox, y + ox, arg + ox);
  for (; ox + kLanes<T> <= vectors; ox += kLanes<T>) {
    max_windows(s, x, oy, ox, y + ox, arg + ox, load_strided);
  }
  if (ox > first && ox < vectors) {
    ox = vectors - kLanes<T>;  // some windows a second time, with the same result
    max_windows(s, x, oy, ox, y + ox, arg + ox, load_strided);
    ox = vectors;
  }
  for (; ox < s.OW; ++ox) max_window(s, x, oy, ox, y + ox, arg + ox);
}

template <class T>
Work max_pool2d_plan(const MaxPool2dArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = is_2x2(s) ? 2 : static_cast<double>(s.FH * s.FW);
  return plan_planes(s, 0, pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
}

template <class T>
void max_pool2d_run(const MaxPool2dArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  for_planes(s, tile, [&](index_t plane) {
    const T* x = args.x + plane * s.H * s.W;
    T* y = args.y + plane * s.OH * s.OW;
    std::int32_t* arg = args.arg + plane * s.OH * s.OW;
    for (index_t oy = 0; oy < s.OH; ++oy, y += s.OW, arg += s.OW) {
      if (is_2x2(s)) {
        max_row_2x2(x + 2 * oy * s.W, x + (2 * oy + 1) * s.W, s.OW, y, arg);
      } else if (s.stride_w == 1) {
        max_row(s, x, oy, y, arg, [](const T* p) { return load(p); });
      } else if (s.stride_w == 2) {
        max_row(s, x, oy, y, arg, [](const T* p) { return load_even(p); });
      } else {
        for (index_t ox = 0; ox < s.OW; ++ox) max_window(s, x, oy, ox, y + ox, arg + ox);
      }
    }
  });
}

// --- max, backward -------------------------------------------------------------------------------

template <class T>
Work max_pool2d_backward_plan(const MaxPool2dBackwardArgs<T>& args) {
  const PoolShape& s = args.s;
  const double cost = pixels(s) * sizeof(T) * 0.06 + outputs(s) * (is_2x2(s) ? 0.5 : 4.0);
  Work work = plan_planes(s, 0, cost);
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void max_pool2d_backward_run(const MaxPool2dBackwardArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const bool add = args.grad == Grad::Add;
  for_planes(s, tile, [&](index_t plane) {
    T* dx = args.dx + plane * s.H * s.W;
    const T* dout = args.dout + plane * s.OH * s.OW;
    const std::int32_t* arg = args.arg + plane * s.OH * s.OW;
    if (is_2x2(s)) {
      max_backward_2x2(s, dx, dout, arg, add);
      return;
    }
    if (!add) {
      for (index_t i = 0; i < s.H * s.W; ++i) dx[i] = 0;
    }
    const std::uint32_t FW = static_cast<std::uint32_t>(s.FW);
    for (index_t oy = 0; oy < s.OH; ++oy) {
      for (index_t ox = 0; ox < s.OW; ++ox, ++dout, ++arg) {
        const std::uint32_t k = static_cast<std::uint32_t>(*arg);
        const index_t y = oy * s.stride_h - s.pad_h + k / FW;
        const index_t x = ox * s.stride_w - s.pad_w + k % FW;
        // Never outside the image, whatever the caller's arg says.
        if (0 <= y && y < s.H && 0 <= x && x < s.W) dx[y * s.W + x] += *dout;
      }
    }
  });
}

// --- average, forward ----------------------------------------------------------------------------

template <class T>
Work avg_pool2d_plan(const AvgPool2dArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = static_cast<double>(s.FH * s.FW);
  return plan_planes(s, 0, pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
}

template <class T>
void avg_pool2d_run(const AvgPool2dArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  for_planes(s, tile, [&](index_t plane) {
    const T* x = args.x + plane * s.H * s.W;
    T* y = args.y + plane * s.OH * s.OW;
    if (s.FH == s.H && s.FW == s.W && s.OH * s.OW == 1 && s.pad_h == 0 && s.pad_w == 0) {
      vdouble sums[4] = {};
      for_wide(s.H * s.W, sums,
               [&](index_t i, vdouble& sum, auto lanes) { sum += lanes.load(x + i); });
      *y = static_cast<T>(sum_of(sums) / static_cast<double>(s.H * s.W));
      return;
    }
    for (index_t oy = 0; oy < s.OH; ++oy, y += s.OW) {
      const index_t top = oy * s.stride_h - s.pad_h;
      const Span rows = inside(top, s.FH, s.H);
      for (index_t ox = 0; ox < s.OW; ++ox) {
        const index_t left = ox * s.stride_w - s.pad_w;
        const Span columns = inside(left, s.FW, s.W);
        T sum = 0;
        for (index_t fy = rows.begin; fy < rows.end; ++fy) {
          const T* row = x + (top + fy) * s.W + left;
          for (index_t fx = columns.begin; fx < columns.end; ++fx) sum += row[fx];
        }
        y[ox] = sum / static_cast<T>(window_size(s, args.count_pad, oy, ox));
      }
    }
  });
}

// --- average, backward ---------------------------------------------------------------------------

template <class T>
Work avg_pool2d_backward_plan(const AvgPool2dBackwardArgs<T>& args) {
  const PoolShape& s = args.s;
  const double taps = static_cast<double>(s.FH * s.FW);
  Work work = plan_planes(s, static_cast<std::size_t>(s.OH * s.OW) * sizeof(T),
                          pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void avg_pool2d_backward_run(const AvgPool2dBackwardArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  T* share = static_cast<T*>(tile.local);
  for_planes(s, tile, [&](index_t plane) {
    T* dx = args.dx + plane * s.H * s.W;
    const T* dout = args.dout + plane * s.OH * s.OW;
    for (index_t oy = 0; oy < s.OH; ++oy) {
      for (index_t ox = 0; ox < s.OW; ++ox) {
        const index_t i = oy * s.OW + ox;
        share[i] = dout[i] / static_cast<T>(window_size(s, args.count_pad, oy, ox));
      }
    }
    if (args.grad == Grad::Write) {
      for (index_t i = 0; i < s.H * s.W; ++i) dx[i] = 0;
    }
    // Row by row of the windows: each pixel adds its shares in the order of fy and fx.
    for (index_t fy = 0; fy < s.FH; ++fy) {
      for (index_t oy = 0; oy < s.OH; ++oy) {
        const index_t y = oy * s.stride_h - s.pad_h + fy;
        if (y < 0 || y >= s.H) continue;
        for (index_t fx = 0; fx < s.FW; ++fx) {
          T* row = dx + y * s.W + fx - s.pad_w;
          const index_t first = ceil_div(max_of(s.pad_w - fx, index_t{0}), s.stride_w);
          const index_t last = min_of(s.OW, ceil_div(s.W + s.pad_w - fx, s.stride_w));
          const T* from = share + oy * s.OW;
          for (index_t ox = first; ox < last; ++ox) row[ox * s.stride_w] += from[ox];
        }
      }
    }
  });
}

}  // namespace

PYNET_EXPORT(max_pool2d, MaxPool2dArgs)
PYNET_EXPORT(max_pool2d_backward, MaxPool2dBackwardArgs)
PYNET_EXPORT(avg_pool2d, AvgPool2dArgs)
PYNET_EXPORT(avg_pool2d_backward, AvgPool2dBackwardArgs)

}  // namespace pynet::PYNET_ISA
