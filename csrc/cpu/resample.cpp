// Images of another size: first along the rows, by whole vectors, then along the columns.
#include "cpu/loop.h"
#include "cpu/resample_copy.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
PYNET_INLINE index_t planes_per_tile(const ResampleGrid<T>& g) {
  return max_of(kChunk / max_of(g.H * g.W, g.OH * g.OW), index_t{1});
}

template <class T>
PYNET_INLINE Work plan_planes(const ResampleGrid<T>& g) {
  const double row = static_cast<double>(g.P * g.W) * 0.1 + static_cast<double>(g.Q * g.OW);
  const std::size_t row_bytes = static_cast<std::size_t>(g.W + 1) * sizeof(T);
  const std::size_t run_bytes = static_cast<std::size_t>(g.OW) * sizeof(Run);
  return Work{1,
              {ceil_div(g.planes, planes_per_tile(g))},
              0,
              g.P == 1 && g.Q == 1 ? max_of(row_bytes, run_bytes) : row_bytes,
              static_cast<double>(g.planes * g.OH) * row};
}

template <class T, class Body>
PYNET_INLINE void for_planes(const ResampleGrid<T>& g, const Tile& tile, const Body& body) {
  const index_t planes = planes_per_tile(g), begin = tile.index * planes;
  const index_t end = min_of(g.planes, begin + planes);
  for (index_t plane = begin; plane < end; ++plane) body(plane);
}

template <class T>
Work resample2d_plan(const Resample2dArgs<T>& args) {
  return plan_planes(args.grid);
}

template <class T>
void resample2d_run(const Resample2dArgs<T>& args, const Tile& tile) {
  const ResampleGrid<T>& g = args.grid;
  if (is_copy(g)) {
    Run* runs = static_cast<Run*>(tile.local);
    const index_t count = cut_columns(g, runs);
    for_planes(g, tile, [&](index_t plane) {
      copy_plane(g, runs, count, args.fill, args.x + plane * g.H * g.W,
                 args.y + plane * g.OH * g.OW);
    });
    return;
  }
  T* row = static_cast<T*>(tile.local);  // (W + 1): one new row of old columns, and the outside
  for_planes(g, tile, [&](index_t plane) {
    const T* x = args.x + plane * g.H * g.W;
    T* y = args.y + plane * g.OH * g.OW;
    for (index_t oy = 0; oy < g.OH; ++oy, y += g.OW) {
      T outside = 0;
      for (index_t p = 0; p < g.P; ++p) {
        const index_t from = g.rows[oy * g.P + p];
        const T weight = g.row_weights[oy * g.P + p];
        const vec<T> w = splat(weight), fill = splat(args.fill);
        outside += weight * args.fill;
        for_vectors<T>(0, g.W, [&](index_t i, auto lanes) {
          const vec<T> value = w * (from < g.H ? lanes.load(x + from * g.W + i) : fill);
          lanes.store(row + i, p == 0 ? value : lanes.load(row + i) + value);
        });
      }
      row[g.W] = outside;
      for (index_t ox = 0; ox < g.OW; ++ox) {
        const index_t first = ox * g.Q;
        T sum = g.column_weights[first] * row[g.columns[first]];
        for (index_t q = 1; q < g.Q; ++q) {
          sum += g.column_weights[first + q] * row[g.columns[first + q]];
        }
        y[ox] = sum;
      }
    }
  });
}

template <class T>
Work resample2d_backward_plan(const Resample2dBackwardArgs<T>& args) {
  Work work = plan_planes(args.grid);
  if (args.grad == Grad::Skip) work.tiles[0] = 0;
  return work;
}

template <class T>
void resample2d_backward_run(const Resample2dBackwardArgs<T>& args, const Tile& tile) {
  const ResampleGrid<T>& g = args.grid;
  const bool copied = is_copy(g);
  Run* runs = static_cast<Run*>(tile.local);
  const index_t count = copied ? cut_columns(g, runs) : 0;
  T* row = static_cast<T*>(tile.local);  // (W + 1): the gradient of one new row of old columns
  for_planes(g, tile, [&](index_t plane) {
    T* dx = args.dx + plane * g.H * g.W;
    const T* dout = args.dout + plane * g.OH * g.OW;
    if (args.grad != Grad::Add) {
      for (index_t i = 0; i < g.H * g.W; ++i) dx[i] = 0;
    }
    for (index_t oy = 0; oy < g.OH; ++oy, dout += g.OW) {
      if (copied) {
        if (g.rows[oy] < g.H) return_columns(g, runs, count, dx + g.rows[oy] * g.W, dout);
        continue;
      }
      for (index_t i = 0; i <= g.W; ++i) row[i] = 0;
      for (index_t ox = 0; ox < g.OW; ++ox) {
        for (index_t q = ox * g.Q; q < (ox + 1) * g.Q; ++q) {
          row[g.columns[q]] += g.column_weights[q] * dout[ox];
        }
      }
      for (index_t p = oy * g.P; p < (oy + 1) * g.P; ++p) {
        if (g.rows[p] >= g.H) continue;
        T* to = dx + g.rows[p] * g.W;
        const vec<T> w = splat(g.row_weights[p]);
        for_vectors<T>(0, g.W, [&](index_t i, auto lanes) {
          lanes.store(to + i, fma(w, lanes.load(row + i), lanes.load(to + i)));
        });
      }
    }
  });
}

}  // namespace

PYNET_EXPORT(resample2d, Resample2dArgs)
PYNET_EXPORT(resample2d_backward, Resample2dBackwardArgs)

}  // namespace pynet::PYNET_ISA
