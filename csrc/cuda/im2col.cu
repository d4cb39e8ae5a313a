// The book's im2col and col2im: the windows of the images as rows of a matrix, and back. Both
// gather: an element of col looks for its pixel, a pixel for the windows over it.
#include "cuda/conv_shape.h"
#include "cuda/elements.h"

namespace pynet::cuda {
namespace {

template <class T>
Work im2col_plan(const Im2colArgs<T>&) {
  return plan_launch();
}
template <class T>
void im2col_run(const Im2colArgs<T>& args, const Tile&) {
  const ConvShape s = args.s;
  const index_t K = s.C * s.FH * s.FW;
  for_indices("im2col", s.N * s.OH * s.OW * K, [=] __device__(index_t i) {
    const index_t window = i / K;
    const Tap tap(s, i - window * K);
    const OutputPixel at(s, window);
    const InputPixel from(s, at, tap);
    args.col[i] =
        from.inside ? args.x[((at.n * s.C + tap.c) * s.H + from.row) * s.W + from.column] : T{0};
  });
}

template <class T>
Work col2im_plan(const Col2imArgs<T>&) {
  return plan_launch();
}
template <class T>
void col2im_run(const Col2imArgs<T>& args, const Tile&) {
  const ConvShape s = args.s;
  const index_t K = s.C * s.FH * s.FW;
  for_indices("col2im", s.N * s.C * s.H * s.W, [=] __device__(index_t i) {
    const index_t line = i / s.W, w = i - line * s.W, plane = line / s.H, h = line - plane * s.H;
    const index_t n = plane / s.C, c = plane - n * s.C;
    T sum = 0;
    for (index_t fy = 0; fy < s.FH; ++fy) {
      const index_t oy = output_of(h, fy, s.stride_h, s.pad_h, s.dilation_h, s.OH);
      for (index_t fx = 0; oy >= 0 && fx < s.FW; ++fx) {
        const index_t ox = output_of(w, fx, s.stride_w, s.pad_w, s.dilation_w, s.OW);
        if (ox < 0) continue;
        sum += args.col[((n * s.OH + oy) * s.OW + ox) * K + (c * s.FH + fy) * s.FW + fx];
      }
    }
    args.x[i] = sum;
  });
}

}  // namespace

PYNET_EXPORT(im2col, Im2colArgs)
PYNET_EXPORT(col2im, Col2imArgs)

}  // namespace pynet::cuda
