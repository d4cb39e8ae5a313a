// Max and average pooling. Backward gathers: each pixel adds what the windows over it hand back, in
// the order of the windows, so that two runs give the same bits.
//
// Windows of 2 x 2 side by side are taken by packs of 16 bytes of two rows, which no other window
// meets.
#include "cuda/pool.h"

#include "cuda/elements.h"
#include "cuda/pool_shape.h"
#include "cuda/runtime/require.h"

namespace pynet::cuda {
namespace {

PoolSizes sizes_of(const char* op, const PoolShape& s) {
  require(is_countable(s), op, "x: expected fewer than 2^31 pixels and windows, got more");
  return PoolSizes(s);
}

// --- windows of 2 x 2 ----------------------------------------------------------------------------

template <class T>
constexpr int kPixels = 16 / static_cast<int>(sizeof(T));  // of a pack
template <class T>
constexpr int kWindows = kPixels<T> / 2;
template <class T>
using PixelPack = Pack<T, kPixels<T>>;
template <class T>
using WindowPack = Pack<T, kWindows<T>>;

// Whether packs may be taken from images and windows at these addresses.
template <class T, class... P>
bool by_squares(const PoolShape& s, const T* images, const P*... windows) {
  return has_squares(s, kPixels<T>) && is_aligned(images, kPixels<T>) &&
         (is_aligned(windows, kWindows<T>) && ...);
}

// Calls body(at) for all Squares.
template <class T, class Body>
struct SquareBody {
  Divider by_packs;
  Body body;
  __device__ void operator()(index_t i) const { body(Squares(i, kPixels<T>, by_packs)); }
};
template <class T, class Body>
void for_squares(const char* op, const PoolShape& s, const Body& body) {
  const index_t packs = s.W / kPixels<T>;
  for_indices(op, s.N * s.C * s.OH * packs, SquareBody<T, Body>{Divider(packs), body});
}

// Writes gradients to the two rows; gradient(k, f) is that of pixel f of window k.
template <class T, class Gradient>
PYNET_INLINE void put_squares(T* dx, const Squares& at, bool add, const Gradient& gradient) {
  PYNET_UNROLL
  for (int row = 0; row < 2; ++row) {
    T* place = dx + (row == 0 ? at.top : at.bottom);
    PixelPack<T> pack{};
    if (add) pack = load_pack<kPixels<T>>(place);
    PYNET_UNROLL
    for (int i = 0; i < kPixels<T>; ++i) {
      const T sum = T{} + gradient(i / 2, 2 * row + i % 2);
      pack.lane[i] = add ? pack.lane[i] + sum : sum;
    }
    store_pack(place, pack);
  }
}

// --- maxima --------------------------------------------------------------------------------------

// The largest of a window and where it was: the first of equals; NaN wins.
template <class T>
struct Winner {
  T largest;
  int where;
  PYNET_INLINE void meet(T v, int f) {
    if (v > largest || (v != v && largest == largest)) {
      largest = v;
      where = f;
    }
  }
};

template <class T>
Work max_pool2d_plan(const MaxPool2dArgs<T>&) {
  return plan_launch();
}
template <class T>
void max_pool2d_run(const MaxPool2dArgs<T>& args, const Tile&) {
  run_max_pool2d("max_pool2d", args);
}

template <class T>
Work max_pool2d_backward_plan(const MaxPool2dBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void max_pool2d_backward_run(const MaxPool2dBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const char* op = "max_pool2d_backward";
  const PoolSizes s = sizes_of(op, args.s);
  const bool add = args.grad == Grad::Add;
  if (by_squares(args.s, args.dx, args.dout, args.arg, args.y)) {
    return for_squares<T>(op, args.s, [=] __device__(const Squares& at) {
      const auto dout = load_pack<kWindows<T>>(args.dout + at.window);
      const auto arg = load_pack<kWindows<T>>(args.arg + at.window);
      WindowPack<T> y{};
      if (args.y) y = load_pack<kWindows<T>>(args.y + at.window);
      put_squares(args.dx, at, add, [&](int k, int f) {
        return arg.lane[k] == f && !(args.y && y.lane[k] <= 0) ? dout.lane[k] : T{};
      });
    });
  }
  for_indices(op, args.s.N * args.s.C * s.H * s.W, [=] __device__(index_t i) {
    const Split at(i, s.by_W, s.by_H);
    const Windows rows(at.row, s.by_stride_h, s.pad_h, s.FH, s.OH);
    const Windows columns(at.column, s.by_stride_w, s.pad_w, s.FW, s.OW);
    T sum = 0;
    for (int oh = rows.begin; oh < rows.end; ++oh) {
      const int fy = at.row + s.pad_h - oh * s.stride_h;
      for (int ow = columns.begin; ow < columns.end; ++ow) {
        const int o = (at.plane * s.OH + oh) * s.OW + ow;
        const int fx = at.column + s.pad_w - ow * s.stride_w;
        const bool mine = args.arg[o] == fy * s.FW + fx && !(args.y && args.y[o] <= 0);
        if (mine) sum += args.dout[o];
      }
    }
    args.dx[i] = add ? args.dx[i] + sum : sum;
  });
}

// --- averages ------------------------------------------------------------------------------------

// What a sum is divided by.
template <class T>
struct Pixels {
  T all;
  bool count_pad;
  PYNET_INLINE T operator()(const Span& rows, const Span& columns) const {
    return count_pad ? all : static_cast<T>(rows.length() * columns.length());
  }
};
template <class T>
Pixels<T> pixels_of(const PoolShape& s, bool count_pad) {
  return {static_cast<T>(s.FH * s.FW), count_pad};
}

template <class T>
Work avg_pool2d_plan(const AvgPool2dArgs<T>&) {
  return plan_launch();
}
template <class T>
void avg_pool2d_run(const AvgPool2dArgs<T>& args, const Tile&) {
  const PoolSizes s = sizes_of("avg_pool2d", args.s);
  if (by_squares(args.s, args.x, args.y)) {
    return for_squares<T>("avg_pool2d", args.s, [=] __device__(const Squares& at) {
      const auto top = load_pack<kPixels<T>>(args.x + at.top);
      const auto bottom = load_pack<kPixels<T>>(args.x + at.bottom);
      WindowPack<T> y;
      PYNET_UNROLL
      for (int k = 0; k < kWindows<T>; ++k) {
        const T first = T{} + top.lane[2 * k] + top.lane[2 * k + 1];
        y.lane[k] = (first + bottom.lane[2 * k] + bottom.lane[2 * k + 1]) / static_cast<T>(4);
      }
      store_pack(args.y + at.window, y);
    });
  }
  const Pixels<T> pixels = pixels_of<T>(args.s, args.count_pad);
  for_indices("avg_pool2d", args.s.N * args.s.C * s.OH * s.OW, [=] __device__(index_t i) {
    const Split at(i, s.by_OW, s.by_OH);
    const Span rows(at.row, s.stride_h, s.pad_h, s.FH, s.H);
    const Span columns(at.column, s.stride_w, s.pad_w, s.FW, s.W);
    const T* plane = args.x + at.plane * s.H * s.W;
    T sum = 0;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) sum += plane[h * s.W + w];
    }
    args.y[i] = sum / pixels(rows, columns);
  });
}

template <class T>
Work avg_pool2d_backward_plan(const AvgPool2dBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void avg_pool2d_backward_run(const AvgPool2dBackwardArgs<T>& args, const Tile&) {
  if (args.grad == Grad::Skip) return;
  const char* op = "avg_pool2d_backward";
  const PoolSizes s = sizes_of(op, args.s);
  const bool add = args.grad == Grad::Add;
  if (by_squares(args.s, args.dx, args.dout)) {
    return for_squares<T>(op, args.s, [=] __device__(const Squares& at) {
      const auto dout = load_pack<kWindows<T>>(args.dout + at.window);
      put_squares(args.dx, at, add, [&](int k, int) { return dout.lane[k] / static_cast<T>(4); });
    });
  }
  const Pixels<T> pixels = pixels_of<T>(args.s, args.count_pad);
  for_indices(op, args.s.N * args.s.C * s.H * s.W, [=] __device__(index_t i) {
    const Split at(i, s.by_W, s.by_H);
    const Windows rows(at.row, s.by_stride_h, s.pad_h, s.FH, s.OH);
    const Windows columns(at.column, s.by_stride_w, s.pad_w, s.FW, s.OW);
    T sum = 0;
    for (int oh = rows.begin; oh < rows.end; ++oh) {
      const Span h(oh, s.stride_h, s.pad_h, s.FH, s.H);
      for (int ow = columns.begin; ow < columns.end; ++ow) {
        const Span w(ow, s.stride_w, s.pad_w, s.FW, s.W);
        sum += args.dout[(at.plane * s.OH + oh) * s.OW + ow] / pixels(h, w);
      }
    }
    args.dx[i] = add ? args.dx[i] + sum : sum;
  });
}

}  // namespace

template <class T>
void run_max_pool2d(const char* op, const MaxPool2dArgs<T>& args) {
  const PoolSizes s = sizes_of(op, args.s);
  if (by_squares(args.s, args.x, args.y, args.arg)) {
    return for_squares<T>(op, args.s, [=] __device__(const Squares& at) {
      const auto top = load_pack<kPixels<T>>(args.x + at.top);
      const auto bottom = load_pack<kPixels<T>>(args.x + at.bottom);
      WindowPack<T> y;
      Pack<std::int32_t, kWindows<T>> arg;
      PYNET_UNROLL
      for (int k = 0; k < kWindows<T>; ++k) {
        Winner<T> best{top.lane[2 * k], 0};
        best.meet(top.lane[2 * k + 1], 1);
        best.meet(bottom.lane[2 * k], 2);
        best.meet(bottom.lane[2 * k + 1], 3);
        y.lane[k] = best.largest;
        arg.lane[k] = best.where;
      }
      store_pack(args.y + at.window, y);
      store_pack(args.arg + at.window, arg);
    });
  }
  for_indices(op, args.s.N * args.s.C * s.OH * s.OW, [=] __device__(index_t i) {
    const Split at(i, s.by_OW, s.by_OH);
    const Span rows(at.row, s.stride_h, s.pad_h, s.FH, s.H);
    const Span columns(at.column, s.stride_w, s.pad_w, s.FW, s.W);
    const T* plane = args.x + at.plane * s.H * s.W;
    const int first = (rows.begin - rows.first) * s.FW + columns.begin - columns.first;
    Winner<T> best{plane[rows.begin * s.W + columns.begin], first};
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        best.meet(plane[h * s.W + w], (h - rows.first) * s.FW + w - columns.first);
      }
    }
    args.y[i] = best.largest;
    args.arg[i] = best.where;
  });
}
template void run_max_pool2d<float>(const char*, const MaxPool2dArgs<float>&);
template void run_max_pool2d<double>(const char*, const MaxPool2dArgs<double>&);

PYNET_EXPORT(max_pool2d, MaxPool2dArgs)
PYNET_EXPORT(max_pool2d_backward, MaxPool2dBackwardArgs)
PYNET_EXPORT(avg_pool2d, AvgPool2dArgs)
PYNET_EXPORT(avg_pool2d_backward, AvgPool2dBackwardArgs)

}  // namespace pynet::cuda
