// Max and average pooling. Backward gathers: each pixel adds what the windows over it hand back, in
// the order of the windows, so that two runs give the same bits.
#include "cuda/elements.h"
#include "cuda/pool_shape.h"
#include "cuda/runtime/require.h"

namespace pynet::cuda {
namespace {

PoolDividers dividers_of(const char* op, const PoolShape& s) {
  require(is_countable(s), op, "x: expected fewer than 2^31 pixels and windows, got more");
  return PoolDividers(s);
}

// --- maxima --------------------------------------------------------------------------------------

template <class T>
Work max_pool2d_plan(const MaxPool2dArgs<T>&) {
  return plan_launch();
}
template <class T>
void max_pool2d_run(const MaxPool2dArgs<T>& args, const Tile&) {
  const PoolShape s = args.s;
  const PoolDividers by = dividers_of("max_pool2d", s);
  for_indices("max_pool2d", s.N * s.C * s.OH * s.OW, [=] __device__(index_t i) {
    const Split at(i, by.by_OW, by.by_OH);
    const Span rows(at.row, s.stride_h, s.pad_h, s.FH, s.H);
    const Span columns(at.column, s.stride_w, s.pad_w, s.FW, s.W);
    const T* plane = args.x + at.plane * s.H * s.W;
    index_t best_h = rows.begin, best_w = columns.begin;
    T largest = plane[best_h * s.W + best_w];
    for (index_t h = rows.begin; h < rows.end; ++h) {
      for (index_t w = columns.begin; w < columns.end; ++w) {
        const T v = plane[h * s.W + w];
        if (v > largest || (v != v && largest == largest)) {  // the first of equals; NaN wins
          largest = v;
          best_h = h;
          best_w = w;
        }
      }
    }
    const index_t fy = best_h - (at.row * s.stride_h - s.pad_h);
    const index_t fx = best_w - (at.column * s.stride_w - s.pad_w);
    args.y[i] = largest;
    args.arg[i] = static_cast<std::int32_t>(fy * s.FW + fx);
  });
}

template <class T>
Work max_pool2d_backward_plan(const MaxPool2dBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void max_pool2d_backward_run(const MaxPool2dBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const PoolShape s = args.s;
  const PoolDividers by = dividers_of("max_pool2d_backward", s);
  const bool add = args.grad == Grad::Add;
  for_indices("max_pool2d_backward", s.N * s.C * s.H * s.W, [=] __device__(index_t i) {
    const Split at(i, by.by_W, by.by_H);
    const Windows rows(at.row, by.by_stride_h, s.pad_h, s.FH, s.OH);
    const Windows columns(at.column, by.by_stride_w, s.pad_w, s.FW, s.OW);
    T sum = 0;
    for (index_t oh = rows.begin; oh < rows.end; ++oh) {
      for (index_t ow = columns.begin; ow < columns.end; ++ow) {
        const index_t o = (at.plane * s.OH + oh) * s.OW + ow;
        const index_t fy = at.row + s.pad_h - oh * s.stride_h;
        const index_t fx = at.column + s.pad_w - ow * s.stride_w;
        const bool mine = args.arg[o] == fy * s.FW + fx && !(args.y && args.y[o] <= 0);
        if (mine) sum += args.dout[o];
      }
    }
    args.dx[i] = add ? args.dx[i] + sum : sum;
  });
}

// --- averages ------------------------------------------------------------------------------------

PYNET_INLINE index_t pixels(const PoolShape& s, bool count_pad, const Span& rows,
                            const Span& columns) {
  return count_pad ? s.FH * s.FW : rows.length() * columns.length();
}

template <class T>
Work avg_pool2d_plan(const AvgPool2dArgs<T>&) {
  return plan_launch();
}
template <class T>
void avg_pool2d_run(const AvgPool2dArgs<T>& args, const Tile&) {
  const PoolShape s = args.s;
  const PoolDividers by = dividers_of("avg_pool2d", s);
  for_indices("avg_pool2d", s.N * s.C * s.OH * s.OW, [=] __device__(index_t i) {
    const Split at(i, by.by_OW, by.by_OH);
    const Span rows(at.row, s.stride_h, s.pad_h, s.FH, s.H);
    const Span columns(at.column, s.stride_w, s.pad_w, s.FW, s.W);
    const T* plane = args.x + at.plane * s.H * s.W;
    T sum = 0;
    for (index_t h = rows.begin; h < rows.end; ++h) {
      for (index_t w = columns.begin; w < columns.end; ++w) sum += plane[h * s.W + w];
    }
    args.y[i] = sum / static_cast<T>(pixels(s, args.count_pad, rows, columns));
  });
}

template <class T>
Work avg_pool2d_backward_plan(const AvgPool2dBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void avg_pool2d_backward_run(const AvgPool2dBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const PoolShape s = args.s;
  const PoolDividers by = dividers_of("avg_pool2d_backward", s);
  const bool add = args.grad == Grad::Add;
  for_indices("avg_pool2d_backward", s.N * s.C * s.H * s.W, [=] __device__(index_t i) {
    const Split at(i, by.by_W, by.by_H);
    const Windows rows(at.row, by.by_stride_h, s.pad_h, s.FH, s.OH);
    const Windows columns(at.column, by.by_stride_w, s.pad_w, s.FW, s.OW);
    T sum = 0;
    for (index_t oh = rows.begin; oh < rows.end; ++oh) {
      const Span h(oh, s.stride_h, s.pad_h, s.FH, s.H);
      for (index_t ow = columns.begin; ow < columns.end; ++ow) {
        const Span w(ow, s.stride_w, s.pad_w, s.FW, s.W);
        sum += args.dout[(at.plane * s.OH + oh) * s.OW + ow] /
               static_cast<T>(pixels(s, args.count_pad, h, w));
      }
    }
    args.dx[i] = add ? args.dx[i] + sum : sum;
  });
}

}  // namespace

PYNET_EXPORT(max_pool2d, MaxPool2dArgs)
PYNET_EXPORT(max_pool2d_backward, MaxPool2dBackwardArgs)
PYNET_EXPORT(avg_pool2d, AvgPool2dArgs)
PYNET_EXPORT(avg_pool2d_backward, AvgPool2dBackwardArgs)

}  // namespace pynet::cuda
