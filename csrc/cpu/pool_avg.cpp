// Average pooling, with the same ways through a plane as max pooling (pool_max.cpp), and the
// average of whole planes.
#include "cpu/loop.h"
#include "cpu/pool_2x2.h"
#include "cpu/pool_3x3.h"
#include "cpu/pool_collect.h"
#include "cpu/pool_phases.h"
#include "cpu/pool_planes.h"
#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// --- forward -------------------------------------------------------------------------------------

PYNET_INLINE bool is_global(const PoolShape& s) {
  return s.FH == s.H && s.FW == s.W && s.pad_h == 0 && s.pad_w == 0;
}

template <class T>
PYNET_INLINE T avg_window(const PoolShape& s, const T* x, bool count_pad, index_t oy, index_t ox) {
  const index_t top = oy * s.stride_h - s.pad_h, left = ox * s.stride_w - s.pad_w;
  const Overlap rows = inside(top, s.FH, s.H), columns = inside(left, s.FW, s.W);
  T sum = 0;
  for (index_t fy = rows.begin; fy < rows.end; ++fy) {
    const T* row = x + (top + fy) * s.W + left;
    for (index_t fx = columns.begin; fx < columns.end; ++fx) sum += row[fx];
  }
  return sum / static_cast<T>(window_size(s, count_pad, oy, ox));
}

// Pixels of the image in each column of windows, or all of their pixels; and ones, so that whole
// vectors can be divided by.
template <class T>
PYNET_INLINE void prepare_avg(const PoolShape& s, bool count_pad, T* sizes) {
  for (index_t ox = 0; ox < s.OW; ++ox) {
    const Overlap columns = inside(ox * s.stride_w - s.pad_w, s.FW, s.W);
    sizes[ox] = static_cast<T>(count_pad ? s.FW : columns.end - columns.begin);
  }
  for (index_t ox = s.OW; ox < s.OW + kLanes<T>; ++ox) sizes[ox] = 1;
}

template <class T>
PYNET_INLINE void avg_plane(const PoolShape& s, const Phases<T>& p, const T* x, bool count_pad,
                            T* y) {
  deal_out(s, p, x);
  for_windows<T>(s, [&](index_t oy, index_t ox, index_t n) {
    const index_t top = oy * s.stride_h - s.pad_h;
    const Overlap rows = inside(top, s.FH, s.H);
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

// The sum of n pixels: up to nine vectors at a time, these sums in double precision.
template <class T>
PYNET_INLINE double plane_sum(const T* x, index_t n) {
  constexpr index_t L = kLanes<T>;
  WideSum sum;
  index_t i = 0;
  for (; i + 8 * L <= n; i += 8 * L) {
    vec<T> v[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) v[k] = load(x + i + k * L) + load(x + i + (k + 4) * L);
    sum.add((v[0] + v[2]) + (v[1] + v[3]));
  }
  if (i < n) {
    vec<T> even{}, odd{};
    for (; i + 2 * L <= n; i += 2 * L) even += load(x + i), odd += load(x + i + L);
    if (i + L <= n) even += load(x + i), i += L;
    if (i < n) odd += load_n(x + i, n - i);
    sum.add(even + odd);
  }
  return sum.total();
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
  const bool rows = is_3x3<T>(s), padded = s.pad_w > 0;
  if (has_phases(s) && !is_2x2(s)) {
    if (padded || !rows) prepare(s, p, T{0});
    prepare_avg(s, args.count_pad, p.window);
  }
  for_planes(s, tile, [&](index_t plane) {
    const T* x = args.x + plane * s.H * s.W;
    T* y = args.y + plane * s.OH * s.OW;
    if (is_global(s)) {
      *y = static_cast<T>(plane_sum(x, s.H * s.W) / static_cast<double>(s.H * s.W));
    } else if (is_2x2(s)) {
      for (index_t oy = 0; oy < s.OH; ++oy) {
        const T* top = x + 2 * oy * s.W;
        avg_row_2x2(top, top + s.W, s.OW, y + oy * s.OW);
      }
    } else if (rows) {
      if (padded) pad_rows(s, p, x);
      avg_plane_3x3(s, padded ? p.padded : x, padded ? p.row : s.W, p.window, args.count_pad, y);
    } else if (has_phases(s)) {
      avg_plane(s, p, x, args.count_pad, y);
    } else {
      for (index_t oy = 0; oy < s.OH; ++oy) {
        for (index_t ox = 0; ox < s.OW; ++ox) *y++ = avg_window(s, x, args.count_pad, oy, ox);
      }
    }
  });
}

// --- backward ------------------------------------------------------------------------------------

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
PYNET_INLINE Overlap seen(index_t window, index_t size, index_t pad, index_t stride,
                          index_t outputs) {
  return {max_of(pad - (outputs - 1) * stride, index_t{0}), min_of(window, size + pad)};
}

// Adds each window's share to its pixels, in the order of fy and fx.
template <class T>
PYNET_INLINE void avg_scatter(const PoolShape& s, T* dx, const T* share) {
  const Overlap rows = seen(s.FH, s.H, s.pad_h, s.stride_h, s.OH);
  const Overlap columns = seen(s.FW, s.W, s.pad_w, s.stride_w, s.OW);
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
  const std::size_t sizes = static_cast<std::size_t>(s.OW + kLanes<T>) * sizeof(T);
  Work work = plan_planes(s, sizes + (can_collect(s) ? given_bytes<T>(s) : shares),
                          pixels(s) * sizeof(T) * 0.06 + outputs(s) * taps * 0.3);
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void avg_pool2d_backward_run(const AvgPool2dBackwardArgs<T>& args, const Tile& tile) {
  const PoolShape& s = args.s;
  const bool add = args.grad == Grad::Add;
  T* sizes = static_cast<T*>(tile.local);  // (OW, and ones to whole vectors)
  const bool collects = can_collect(s) && !is_global(s) && !is_2x2(s);
  const Given<T> given = given_of<T>(s, sizes + s.OW + kLanes<T>);
  if (collects) prepare(given);
  T* share = sizes + s.OW + kLanes<T>;  // (OH, OW)
  prepare_avg(s, args.count_pad, sizes);
  const Write how = how_to_write(args.dx, s.N * s.C * s.H * s.W, s.W, add);
  const auto heights = [&](index_t oy) {
    const Overlap rows = inside(oy * s.stride_h - s.pad_h, s.FH, s.H);
    return static_cast<T>(args.count_pad ? s.FH : rows.end - rows.begin);
  };
  for_planes(s, tile, [&](index_t plane) {
    T* dx = args.dx + plane * s.H * s.W;
    const T* dout = args.dout + plane * s.OH * s.OW;
    if (is_global(s)) {
      const vec<T> each = splat(dout[0] / (sizes[0] * heights(0)));
      for_row<T>(0, s.H * s.W, !add, Whole{}, [&](index_t i, auto lanes) {
        lanes.store(dx + i, add ? lanes.load(dx + i) + each : each);
      });
      return;
    }
    if (is_2x2(s)) {
      avg_backward_2x2(s, dx, dout, how);
      return;
    }
    if (collects) {
      avg_collect(s, given, dx, dout, sizes, heights, how);
      return;
    }
    for (index_t oy = 0; oy < s.OH; ++oy) {
      const T height = heights(oy);
      for (index_t ox = 0; ox < s.OW; ++ox) {
        share[oy * s.OW + ox] = dout[oy * s.OW + ox] / (sizes[ox] * height);
      }
    }
    if (!add) {
      for (index_t i = 0; i < s.H * s.W; ++i) dx[i] = 0;
    }
    avg_scatter(s, dx, share);
  });
  if (how == Write::Stream) order_streams();
}

}  // namespace

PYNET_EXPORT(avg_pool2d, AvgPool2dArgs)
PYNET_EXPORT(avg_pool2d_backward, AvgPool2dBackwardArgs)

}  // namespace pynet::PYNET_ISA
