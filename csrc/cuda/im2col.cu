// The book's im2col and col2im: the windows of the images as rows of a matrix, and back. Both
// gather: an element of col looks for its pixel, a pixel for the windows over it.
#include "cuda/conv_shape.h"
#include "cuda/elements.h"
#include "cuda/runtime/require.h"

namespace pynet::cuda {
namespace {

struct ColumnShape {
  int C, H, W, FH, FW, OH, OW, K;
  Divider by_C, by_H, by_W, by_FH, by_FW, by_OH, by_OW, by_K;

  explicit ColumnShape(const ConvShape& s)
      : C(static_cast<int>(s.C)),
        H(static_cast<int>(s.H)),
        W(static_cast<int>(s.W)),
        FH(static_cast<int>(s.FH)),
        FW(static_cast<int>(s.FW)),
        OH(static_cast<int>(s.OH)),
        OW(static_cast<int>(s.OW)),
        K(C * FH * FW),
        by_C(C),
        by_H(H),
        by_W(W),
        by_FH(FH),
        by_FW(FW),
        by_OH(OH),
        by_OW(OW),
        by_K(K) {}
};

// As many samples as 32 bits count at a time.
index_t samples_of(const char* op, const ConvShape& s) {
  const index_t image = s.C * s.H * s.W, columns = s.OH * s.OW * s.C * s.FH * s.FW;
  require(is_countable(s) && columns <= kMostCounted, op,
          "x: expected fewer than 2^31 pixels in a batch, and numbers in the windows of an image, "
          "got more");
  return kMostCounted / (image > columns ? image : columns);
}

template <class T>
Work im2col_plan(const Im2colArgs<T>&) {
  return plan_launch();
}
template <class T>
void im2col_run(const Im2colArgs<T>& args, const Tile&) {
  const ConvShape& a = args.s;
  const index_t most = samples_of("im2col", a);
  const ColumnShape s(a);
  const TapAxis down = TapAxis::forward(a.stride_h, a.pad_h, a.dilation_h, a.H);
  const TapAxis across = TapAxis::forward(a.stride_w, a.pad_w, a.dilation_w, a.W);
  const index_t columns = a.OH * a.OW * s.K;
  for (index_t n = 0; n < a.N; n += most) {
    const T* x = args.x + n * a.C * a.H * a.W;
    T* col = args.col + n * columns;
    for_indices("im2col", (a.N - n < most ? a.N - n : most) * columns, [=] __device__(index_t i) {
      const std::uint32_t element = static_cast<std::uint32_t>(i);
      const std::uint32_t window = s.by_K.quotient(element);
      const Split tap(element - window * s.by_K.d, s.by_FW, s.by_FH), at(window, s.by_OW, s.by_OH);
      int h, w;
      const bool found = down.find(at.row, tap.row, h) && across.find(at.column, tap.column, w);
      const bool inside = found && down.has(h) && across.has(w);
      col[i] = inside ? x[((at.plane * s.C + tap.plane) * s.H + h) * s.W + w] : T{};
    });
  }
}

template <class T>
Work col2im_plan(const Col2imArgs<T>&) {
  return plan_launch();
}
template <class T>
void col2im_run(const Col2imArgs<T>& args, const Tile&) {
  const ConvShape& a = args.s;
  const index_t most = samples_of("col2im", a);
  const ColumnShape s(a);
  const TapAxis down = TapAxis::backward(a.stride_h, a.pad_h, a.dilation_h, a.FH, a.OH);
  const TapAxis across = TapAxis::backward(a.stride_w, a.pad_w, a.dilation_w, a.FW, a.OW);
  const index_t image = a.C * a.H * a.W;
  for (index_t n = 0; n < a.N; n += most) {
    const T* col = args.col + n * a.OH * a.OW * s.K;
    T* x = args.x + n * image;
    for_indices("col2im", (a.N - n < most ? a.N - n : most) * image, [=] __device__(index_t i) {
      const Split at(i, s.by_W, s.by_H);
      const int sample = static_cast<int>(s.by_C.quotient(static_cast<std::uint32_t>(at.plane)));
      const int c = at.plane - sample * s.C;
      T sum = 0;
      for (int fy = 0; fy < s.FH; ++fy) {
        int oy, ox;
        if (!down.find(at.row, fy, oy) || !down.has(oy)) continue;
        for (int fx = 0; fx < s.FW; ++fx) {
          if (!across.find(at.column, fx, ox) || !across.has(ox)) continue;
          sum += col[((sample * s.OH + oy) * s.OW + ox) * s.K + (c * s.FH + fy) * s.FW + fx];
        }
      }
      x[i] = sum;
    });
  }
}

}  // namespace

PYNET_EXPORT(im2col, Im2colArgs)
PYNET_EXPORT(col2im, Col2imArgs)

}  // namespace pynet::cuda
