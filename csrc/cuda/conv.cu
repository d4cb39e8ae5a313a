// Convolution and its gradients as products whose operands are read from the images: the matrix of
// windows that im2col would write is never written.
//
//   y:  filters (FN, taps) x windows (taps, pixels of y)
//   dx: filters (C, taps of all filters) x the windows of dout that a pixel of x lay in
//   dW: dout (FN, pixels of y) x windows (pixels of y, taps), in chunks of pixels
//
// Where it pays, 3 x 3 filters go Winograd's way: winograd.h. Channels with filters of their own
// are no product: depthwise.h.
#include "cuda/conv_shape.h"
#include "cuda/depthwise.h"
#include "cuda/divider.h"
#include "cuda/elements.h"
#include "cuda/lane.h"
#include "cuda/pool.h"
#include "cuda/product.h"
#include "cuda/runtime/require.h"
#include "cuda/winograd.h"

namespace pynet::cuda {
namespace {

// The sizes of one group, in 32 bits where they are divided by.
struct GroupShape {
  ConvShape s;
  int C, FN;  // of a group
  Divider by_FW, by_FH, by_OW, by_OH, by_W, by_H;
  GroupShape(const char* op, const ConvShape& shape)
      : s(shape),
        C(static_cast<int>(shape.C / shape.groups)),
        FN(static_cast<int>(shape.FN / shape.groups)),
        by_FW(shape.FW),
        by_FH(shape.FH),
        by_OW(shape.OW),
        by_OH(shape.OH),
        by_W(shape.W),
        by_H(shape.H) {
    require(is_countable(shape), op,
            "x: expected fewer than 2^31 pixels in the images and in the maps of a batch, and taps "
            "in the filters, got more");
  }
};

// Scratch memory for either way: the precision of a call may be another than when it was planned.
template <class T, template <class> class Args>
std::size_t scratch_of(const Args<T>& args, const ProductShape& product) {
  const std::size_t winograd = winograd_scratch(args), direct = product_scratch<T>(product);
  return winograd > direct ? winograd : direct;
}

// --- forward -------------------------------------------------------------------------------------

// The windows of the output pixels: tap k of the window of pixel n.
template <class T>
struct Windows {
  struct Line {
    const T* image;  // of the sample, from the group's first channel on
    int row, column;
  };
  const T* x;
  GroupShape g;
  __device__ Windows part(index_t group) const { return {x + group * g.C * g.s.H * g.s.W, g}; }
  static constexpr bool along_k() { return false; }
  __device__ Line line(index_t n) const {
    const Split at(n, g.by_OW, g.by_OH);
    return {x + at.plane * g.s.C * g.s.H * g.s.W,
            static_cast<int>(at.row * g.s.stride_h - g.s.pad_h),
            static_cast<int>(at.column * g.s.stride_w - g.s.pad_w)};
  }
  __device__ const T* find(const Line& of, index_t k) const {
    const Split tap(k, g.by_FW, g.by_FH);
    const index_t h = of.row + tap.row * g.s.dilation_h;
    const index_t w = of.column + tap.column * g.s.dilation_w;
    const bool inside = 0 <= h && h < g.s.H && 0 <= w && w < g.s.W;
    return inside ? of.image + (tap.plane * g.s.H + h) * g.s.W + w : nullptr;
  }
};

template <class T>
struct MapStore {
  T* y;
  const T* b;
  GroupShape g;
  bool relu;
  __device__ MapStore part(index_t group) const {
    return {y + group * g.FN * g.s.OH * g.s.OW, b ? b + group * g.FN : nullptr, g, relu};
  }
  __device__ void put(index_t m, index_t n, T sum) const { *place(m, n) = finished(sum, m); }
  __device__ bool packs() const {  // none of which lies in two maps
    return g.s.OH * g.s.OW * sizeof(T) % 16 == 0 && reinterpret_cast<std::uintptr_t>(y) % 16 == 0;
  }
  template <int W>
  __device__ void put_pack(index_t m, index_t n, Pack<T, W> sum) const {
    PYNET_UNROLL
    for (int i = 0; i < W; ++i) sum.lane[i] = finished(sum.lane[i], m);
    store_pack(place(m, n), sum);
  }
  __device__ T* place(index_t m, index_t n) const {
    const index_t pixels = g.s.OH * g.s.OW;
    const std::uint32_t line = g.by_OW.quotient(static_cast<std::uint32_t>(n));
    const index_t image = g.by_OH.quotient(line);
    return y + image * g.s.FN * pixels + m * pixels + (n - image * pixels);
  }
  __device__ T finished(T sum, index_t m) const {
    const T v = b ? sum + b[m] : sum;
    return relu ? relu_of<T>(v) : v;
  }
};

ProductShape forward_shape(const ConvShape& s) {
  return {s.FN / s.groups, s.N * s.OH * s.OW, s.C / s.groups * s.FH * s.FW, s.groups};
}

template <class T>
void run_forward(const char* op, const Conv2dArgs<T>& args, void* scratch) {
  if (run_depthwise(op, args) || run_winograd(op, args, scratch)) return;
  const GroupShape g(op, args.s);
  const ProductShape shape = forward_shape(args.s);
  run_product<T>(op, shape, MatrixLines<T>{args.W, shape.K, 1, shape.M * shape.K},
                 Windows<T>{args.x, g}, MapStore<T>{args.y, args.b, g, args.relu}, scratch);
}

template <class T>
Work conv2d_plan(const Conv2dArgs<T>& args) {
  return plan_launch(scratch_of<T>(args, forward_shape(args.s)));
}
template <class T>
void conv2d_run(const Conv2dArgs<T>& args, const Tile& tile) {
  run_forward("conv2d", args, tile.shared);
}

// The maps in scratch memory, then their maxima.
template <class T>
index_t map_bytes(const ConvShape& s) {
  return ceil_div(s.N * s.FN * s.OH * s.OW * static_cast<index_t>(sizeof(T)), 256) * 256;
}
template <class T>
Conv2dArgs<T> without_pooling(const Conv2dMaxPool2dArgs<T>& args, T* maps) {
  return {maps, args.x, args.W, args.b, args.s, args.relu, args.winograd};
}
template <class T>
Work conv2d_max_pool2d_plan(const Conv2dMaxPool2dArgs<T>& args) {
  return plan_launch(static_cast<std::size_t>(map_bytes<T>(args.s)) +
                     scratch_of<T>(without_pooling<T>(args, nullptr), forward_shape(args.s)));
}
template <class T>
void conv2d_max_pool2d_run(const Conv2dMaxPool2dArgs<T>& args, const Tile& tile) {
  T* maps = static_cast<T*>(tile.shared);
  run_forward("conv2d_max_pool2d", without_pooling(args, maps),
              static_cast<char*>(tile.shared) + map_bytes<T>(args.s));
  run_max_pool2d<T>("conv2d_max_pool2d", {args.y, args.arg, maps, args.pool});
}

// --- the input's gradient ------------------------------------------------------------------------

// Row c of the filters of a group: its taps in all filters, k = (fn * FH + fy) * FW + fx.
template <class T>
struct FiltersOfChannels {
  using Line = index_t;
  const T* W;
  GroupShape g;
  __device__ FiltersOfChannels part(index_t group) const {
    return {W + group * g.FN * g.C * g.s.FH * g.s.FW, g};
  }
  static constexpr bool along_k() { return true; }
  __device__ Line line(index_t m) const { return m; }
  __device__ const T* find(Line c, index_t k) const {
    const Split tap(k, g.by_FW, g.by_FH);
    return W + ((tap.plane * g.C + c) * g.s.FH + tap.row) * g.s.FW + tap.column;
  }
};

// What tap k of the filters brought from input pixel n to the outputs.
template <class T>
struct Contributions {
  struct Line {
    const T* dout;  // of the sample, from the group's first filter on
    int row, column;
  };
  const T* dout;
  GroupShape g;
  __device__ Contributions part(index_t group) const {
    return {dout + group * g.FN * g.s.OH * g.s.OW, g};
  }
  static constexpr bool along_k() { return false; }
  __device__ Line line(index_t n) const {
    const Split at(n, g.by_W, g.by_H);
    return {dout + at.plane * g.s.FN * g.s.OH * g.s.OW, at.row, at.column};
  }
  __device__ const T* find(const Line& of, index_t k) const {
    const Split tap(k, g.by_FW, g.by_FH);
    const index_t oy = output_of(of.row, tap.row, g.s.stride_h, g.s.pad_h, g.s.dilation_h, g.s.OH);
    const index_t ox =
        output_of(of.column, tap.column, g.s.stride_w, g.s.pad_w, g.s.dilation_w, g.s.OW);
    return oy < 0 || ox < 0 ? nullptr : of.dout + (tap.plane * g.s.OH + oy) * g.s.OW + ox;
  }
};

template <class T>
struct ImageStore {
  T* dx;
  const T* y;  // or null
  GroupShape g;
  bool add;
  __device__ ImageStore part(index_t group) const {
    const index_t before = group * g.C * g.s.H * g.s.W;
    return {dx + before, y ? y + before : nullptr, g, add};
  }
  __device__ void put(index_t c, index_t n, T sum) const {
    const index_t pixels = g.s.H * g.s.W;
    const std::uint32_t line = g.by_W.quotient(static_cast<std::uint32_t>(n));
    const index_t image = g.by_H.quotient(line);
    const index_t at = image * g.s.C * pixels + c * pixels + (n - image * pixels);
    if (y) sum = through_relu<T>(sum, y[at]);
    dx[at] = add ? dx[at] + sum : sum;
  }
};

ProductShape dx_shape(const ConvShape& s) {
  return {s.C / s.groups, s.N * s.H * s.W, s.FN / s.groups * s.FH * s.FW, s.groups};
}

template <class T>
Work conv2d_dx_plan(const Conv2dDxArgs<T>& args) {
  return plan_launch(scratch_of<T>(args, dx_shape(args.s)));
}
template <class T>
void conv2d_dx_run(const Conv2dDxArgs<T>& args, const Tile& tile) {
  if (args.grad == Grad::Skip) return;
  if (run_depthwise("conv2d_dx", args) || run_winograd("conv2d_dx", args, tile.shared)) return;
  const GroupShape g("conv2d_dx", args.s);
  run_product<T>("conv2d_dx", dx_shape(args.s), FiltersOfChannels<T>{args.W, g},
                 Contributions<T>{args.dout, g},
                 ImageStore<T>{args.dx, args.y, g, args.grad == Grad::Add}, tile.shared);
}

// --- the filters' gradient -----------------------------------------------------------------------

// Map m of a group, over the pixels of all samples.
template <class T>
struct Maps {
  using Line = const T*;
  const T* dout;
  GroupShape g;
  __device__ Maps part(index_t group) const { return {dout + group * g.FN * g.s.OH * g.s.OW, g}; }
  static constexpr bool along_k() { return true; }
  __device__ Line line(index_t m) const { return dout + m * g.s.OH * g.s.OW; }
  __device__ const T* find(Line row, index_t k) const {
    const std::uint32_t line = g.by_OW.quotient(static_cast<std::uint32_t>(k));
    const index_t image = g.by_OH.quotient(line), pixels = g.s.OH * g.s.OW;
    return row + image * g.s.FN * pixels + (k - image * pixels);
  }
};

// Tap n of the filters, over the windows of all output pixels.
template <class T>
struct TapsOfWindows {
  struct Line {
    const T* x;  // the channel of the tap, in the first sample
    int row, column;
  };
  const T* x;
  GroupShape g;
  __device__ TapsOfWindows part(index_t group) const {
    return {x + group * g.C * g.s.H * g.s.W, g};
  }
  static constexpr bool along_k() { return true; }
  __device__ Line line(index_t n) const {
    const Split tap(n, g.by_FW, g.by_FH);
    return {x + tap.plane * g.s.H * g.s.W, static_cast<int>(tap.row * g.s.dilation_h - g.s.pad_h),
            static_cast<int>(tap.column * g.s.dilation_w - g.s.pad_w)};
  }
  __device__ const T* find(const Line& of, index_t k) const {
    const Split at(k, g.by_OW, g.by_OH);
    const index_t h = of.row + at.row * g.s.stride_h, w = of.column + at.column * g.s.stride_w;
    const bool inside = 0 <= h && h < g.s.H && 0 <= w && w < g.s.W;
    return inside ? of.x + (at.plane * g.s.C * g.s.H + h) * g.s.W + w : nullptr;
  }
};

template <class T>
struct FilterStore {
  T* dW;
  index_t rows, taps;
  __device__ FilterStore part(index_t group) const {
    return {dW + group * rows * taps, rows, taps};
  }
  __device__ void put(index_t m, index_t n, T sum) const { dW[m * taps + n] = sum; }
};

ProductShape dW_shape(const ConvShape& s) {
  return {s.FN / s.groups, s.C / s.groups * s.FH * s.FW, s.N * s.OH * s.OW, s.groups};
}

template <class T>
Work conv2d_dW_plan(const Conv2dDwArgs<T>& args) {
  const std::size_t depthwise = depthwise_scratch(args);
  return plan_launch(depthwise > 0 ? depthwise : scratch_of<T>(args, dW_shape(args.s)));
}
template <class T>
void conv2d_dW_run(const Conv2dDwArgs<T>& args, const Tile& tile) {
  if (run_depthwise("conv2d_dW", args, tile.shared)) return;
  if (run_winograd("conv2d_dW", args, tile.shared)) return;
  const GroupShape g("conv2d_dW", args.s);
  const ProductShape shape = dW_shape(args.s);
  run_product<T>("conv2d_dW", shape, Maps<T>{args.dout, g}, TapsOfWindows<T>{args.x, g},
                 FilterStore<T>{args.dW, shape.M, shape.N}, tile.shared);
}

}  // namespace

PYNET_EXPORT(conv2d, Conv2dArgs)
PYNET_EXPORT(conv2d_max_pool2d, Conv2dMaxPool2dArgs)
PYNET_EXPORT(conv2d_dx, Conv2dDxArgs)
PYNET_EXPORT(conv2d_dW, Conv2dDwArgs)

}  // namespace pynet::cuda
