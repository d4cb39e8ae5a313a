// Images of another size. Backward gathers: a pixel looks through the tables for the new ones that
// it went into.
#include "cuda/elements.h"

namespace pynet::cuda {
namespace {

template <class T>
Work resample2d_plan(const Resample2dArgs<T>&) {
  return plan_launch();
}
template <class T>
void resample2d_run(const Resample2dArgs<T>& args, const Tile&) {
  const ResampleGrid<T> g = args.grid;
  for_indices("resample2d", g.planes * g.OH * g.OW, [=] __device__(index_t i) {
    const index_t line = i / g.OW, ox = i - line * g.OW, plane = line / g.OH;
    const index_t oy = line - plane * g.OH;
    const T* x = args.x + plane * g.H * g.W;
    T sum = 0;
    for (index_t q = ox * g.Q; q < (ox + 1) * g.Q; ++q) {
      T column = 0;
      for (index_t p = oy * g.P; p < (oy + 1) * g.P; ++p) {
        const bool inside = g.rows[p] < g.H && g.columns[q] < g.W;
        column += g.row_weights[p] * (inside ? x[g.rows[p] * g.W + g.columns[q]] : args.fill);
      }
      sum += g.column_weights[q] * column;
    }
    args.y[i] = sum;
  });
}

template <class T>
Work resample2d_backward_plan(const Resample2dBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void resample2d_backward_run(const Resample2dBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const ResampleGrid<T> g = args.grid;
  const bool add = args.grad == Grad::Add;
  for_indices("resample2d_backward", g.planes * g.H * g.W, [=] __device__(index_t i) {
    const index_t line = i / g.W, w = i - line * g.W, plane = line / g.H, h = line - plane * g.H;
    const T* dout = args.dout + plane * g.OH * g.OW;
    T sum = 0;
    for (index_t p = 0; p < g.OH * g.P; ++p) {
      if (g.rows[p] != h) continue;
      T row = 0;
      for (index_t q = 0; q < g.OW * g.Q; ++q) {
        if (g.columns[q] == w) row += g.column_weights[q] * dout[p / g.P * g.OW + q / g.Q];
      }
      sum += g.row_weights[p] * row;
    }
    args.dx[i] = add ? args.dx[i] + sum : sum;
  });
}

}  // namespace

PYNET_EXPORT(resample2d, Resample2dArgs)
PYNET_EXPORT(resample2d_backward, Resample2dBackwardArgs)

}  // namespace pynet::cuda
