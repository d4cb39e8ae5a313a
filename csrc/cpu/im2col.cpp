// The book's im2col and col2im: the windows of the images as rows of a matrix, and back.
#include "cpu/kernel.h"

namespace pynet::PYNET_ISA {
namespace {

// Outputs whose window has tap i inside of the image: p with 0 <= p*stride + at < size.
struct Span {
  index_t begin, end;
};
PYNET_INLINE Span outputs_inside(index_t at, index_t size, index_t stride, index_t outputs) {
  const index_t begin = at >= 0 ? 0 : min_of(outputs, ceil_div(-at, stride));
  const index_t end = at >= size ? 0 : min_of(outputs, ceil_div(size - at, stride));
  return {begin, max_of(begin, end)};
}

// --- im2col: a tile is one row of output pixels --------------------------------------------------

template <class T>
Work im2col_plan(const Im2colArgs<T>& p) {
  const double size = 1.0 * p.s.N * p.s.OH * p.s.OW * p.s.C * p.s.FH * p.s.FW;
  return Work{1, {p.s.N * p.s.OH}, 0, 0, size * sizeof(T) * 0.2};
}

// The windows begin .. end-1 of a row of windows, whose columns are all inside of the image: FW
// neighbours at once, and col is written from its front to its back.
template <int FW, class T>
PYNET_INLINE void copy_windows(const ConvShape& s, const T* image, index_t oy, Span windows,
                               T* col) {
  const index_t C = s.C, H = s.H, W = s.W, FH = s.FH, down = s.dilation_h;
  const index_t top = oy * s.stride_h - s.pad_h;
  col += windows.begin * C * FH * FW;
  for (index_t ox = windows.begin; ox < windows.end; ++ox) {
    const T* first = image + top * W + ox * s.stride_w - s.pad_w;
    for (index_t c = 0; c < C; ++c, first += H * W) {
      for (index_t fy = 0; fy < FH; ++fy, col += FW) {
        const index_t iy = top + fy * down;
        const bool inside = iy >= 0 && iy < H;
        for (int fx = 0; fx < FW; ++fx) col[fx] = inside ? first[fy * down * W + fx] : T{0};
      }
    }
  }
}

template <class T>
void im2col_run(const Im2colArgs<T>& p, const Tile& tile) {
  const ConvShape& s = p.s;
  const index_t n = tile.index / s.OH, oy = tile.index % s.OH, K = s.C * s.FH * s.FW;
  T* rows = p.col + tile.index * s.OW * K;
  const Span left = outputs_inside(-s.pad_w, s.W, s.stride_w, s.OW);
  const Span right = outputs_inside((s.FW - 1) * s.dilation_w - s.pad_w, s.W, s.stride_w, s.OW);
  const bool common = s.dilation_w == 1 && (s.FW == 3 || s.FW == 5) && left.begin < right.end;
  const Span copied = common ? Span{left.begin, right.end} : Span{0, 0};
  const T* images = p.x + n * s.C * s.H * s.W;
  if (s.FW == 3) copy_windows<3>(s, images, oy, copied, rows);
  if (s.FW == 5) copy_windows<5>(s, images, oy, copied, rows);
  for (index_t c = 0; c < s.C; ++c) {
    for (index_t fy = 0; fy < s.FH; ++fy) {
      const index_t iy = oy * s.stride_h - s.pad_h + fy * s.dilation_h;
      const bool inside = iy >= 0 && iy < s.H;
      const T* image = p.x + ((n * s.C + c) * s.H + (inside ? iy : 0)) * s.W;
      T* dst = rows + (c * s.FH + fy) * s.FW;
      for (index_t fx = 0; fx < s.FW; ++fx, ++dst) {
        const index_t at = fx * s.dilation_w - s.pad_w;
        const Span span = outputs_inside(at, inside ? s.W : 0, s.stride_w, s.OW);
        const auto fill = [&](index_t ox, index_t end) {
          for (; ox < min_of(span.begin, end); ++ox) dst[ox * K] = 0;
          for (; ox < min_of(span.end, end); ++ox) dst[ox * K] = image[ox * s.stride_w + at];
          for (; ox < end; ++ox) dst[ox * K] = 0;
        };
        fill(0, copied.begin);
        fill(copied.end, s.OW);
      }
    }
  }
}

// --- col2im: a tile is one channel of one image --------------------------------------------------

template <class T>
Work col2im_plan(const Col2imArgs<T>& p) {
  const double size = 1.0 * p.s.N * p.s.OH * p.s.OW * p.s.C * p.s.FH * p.s.FW;
  return Work{1, {p.s.N * p.s.C}, 0, 0, size * sizeof(T) * 0.2};
}

// Each pixel adds up its windows in the order of the taps, whatever the shapes.
template <class T>
void col2im_run(const Col2imArgs<T>& p, const Tile& tile) {
  const ConvShape& s = p.s;
  const index_t n = tile.index / s.C, c = tile.index % s.C, K = s.C * s.FH * s.FW;
  T* image = p.x + tile.index * s.H * s.W;
  for (index_t i = 0; i < s.H * s.W; ++i) image[i] = 0;
  for (index_t fy = 0; fy < s.FH; ++fy) {
    const index_t down = fy * s.dilation_h - s.pad_h;
    const Span rows = outputs_inside(down, s.H, s.stride_h, s.OH);
    for (index_t fx = 0; fx < s.FW; ++fx) {
      const index_t right = fx * s.dilation_w - s.pad_w;
      const Span cols = outputs_inside(right, s.W, s.stride_w, s.OW);
      for (index_t oy = rows.begin; oy < rows.end; ++oy) {
        const T* src = p.col + (n * s.OH + oy) * s.OW * K + (c * s.FH + fy) * s.FW + fx;
        T* dst = image + (oy * s.stride_h + down) * s.W + right;
        for (index_t ox = cols.begin; ox < cols.end; ++ox) dst[ox * s.stride_w] += src[ox * K];
      }
    }
  }
}

}  // namespace

PYNET_EXPORT(im2col, Im2colArgs)
PYNET_EXPORT(col2im, Col2imArgs)

}  // namespace pynet::PYNET_ISA
