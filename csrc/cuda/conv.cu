// Convolution and its gradients as products whose operands are read from the images: the matrix of
// windows that im2col would write is never written.
//
//   y:  filters (FN, taps) x windows (taps, pixels of y)
//   dx: filters (C, taps of all filters) x the windows of dout that a pixel of x lay in
//   dW: dout (FN, pixels of y) x windows (pixels of y, taps), in chunks of pixels
//
// Where it pays, 3 x 3 filters go Winograd's way: winograd.h. Channels with filters of their own
// are no product: depthwise.h; nor are filters of few taps, as those of a first layer:
// direct_conv.h.
#include "cuda/conv_shape.h"
#include "cuda/depthwise.h"
#include "cuda/direct_conv.h"
#include "cuda/divider.h"
#include "cuda/elements.h"
#include "cuda/lane.h"
#include "cuda/pool.h"
#include "cuda/product.h"
#include "cuda/runtime/require.h"
#include "cuda/winograd.h"

namespace pynet::cuda {
namespace {

// The sizes of one group, in 32 bits where elements are searched for.
struct GroupShape {
  ConvShape s;
  int C, FN;                       // of a group
  int taps, image, map;            // of a channel of a filter; numbers of x and of y in a sample
  TapAxis down, across;            // from an output to its pixels
  TapAxis down_from, across_from;  // from a pixel to its outputs
  Divider by_taps, by_FW, by_FH, by_OW, by_OH, by_W, by_H;
  GroupShape(const char* op, const ConvShape& shape)
      : s(shape),
        C(static_cast<int>(shape.C / shape.groups)),
        FN(static_cast<int>(shape.FN / shape.groups)),
        taps(static_cast<int>(shape.FH * shape.FW)),
        image(static_cast<int>(shape.C * shape.H * shape.W)),
        map(static_cast<int>(shape.FN * shape.OH * shape.OW)),
        down(TapAxis::forward(shape.stride_h, shape.pad_h, shape.dilation_h, shape.H)),
        across(TapAxis::forward(shape.stride_w, shape.pad_w, shape.dilation_w, shape.W)),
        down_from(
            TapAxis::backward(shape.stride_h, shape.pad_h, shape.dilation_h, shape.FH, shape.OH)),
        across_from(
            TapAxis::backward(shape.stride_w, shape.pad_w, shape.dilation_w, shape.FW, shape.OW)),
        by_taps(taps),
        by_FW(shape.FW),
        by_FH(shape.FH),
        by_OW(shape.OW),
        by_OH(shape.OH),
        by_W(shape.W),
        by_H(shape.H) {
    require(is_countable(shape), op,
            "x: expected fewer than 2^31 pixels in the images and in the maps of a batch, numbers "
            "in a sample, and taps in the filters, got more");
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
    std::uint32_t row, column;
  };
  const T* x;
  GroupShape g;
  __device__ Windows part(index_t group) const { return {x + group * g.C * g.s.H * g.s.W, g}; }
  static constexpr bool along_k() { return false; }
  __device__ Line line(index_t n) const {
    const Split at(n, g.by_OW, g.by_OH);
    return {x + static_cast<index_t>(at.plane) * g.image, g.down.start(at.row) - g.down.back,
            g.across.start(at.column) - g.across.back};
  }
  __device__ const T* find(const Line& of, index_t k) const {
    const Split tap(k, g.by_FW, g.by_FH);
    const int h = static_cast<int>(of.row + tap.row * g.down.tap);
    const int w = static_cast<int>(of.column + tap.column * g.across.tap);
    const bool inside = g.down.has(h) && g.across.has(w);
    return inside ? of.image + ((tap.plane * g.down.size + h) * g.across.size + w) : nullptr;
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
  if (run_depthwise(op, args) || run_direct(op, args) || run_winograd(op, args, scratch)) return;
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
  if (is_direct(args)) return plan_launch();
  return plan_launch(static_cast<std::size_t>(map_bytes<T>(args.s)) +
                     scratch_of<T>(without_pooling<T>(args, nullptr), forward_shape(args.s)));
}
template <class T>
void conv2d_max_pool2d_run(const Conv2dMaxPool2dArgs<T>& args, const Tile& tile) {
  if (run_direct("conv2d_max_pool2d", args)) return;
  T* maps = static_cast<T*>(tile.shared);
  run_forward("conv2d_max_pool2d", without_pooling(args, maps),
              static_cast<char*>(tile.shared) + map_bytes<T>(args.s));
  run_max_pool2d<T>("conv2d_max_pool2d", {args.y, args.arg, maps, args.pool});
}

// --- the input's gradient ------------------------------------------------------------------------

// Row c of the filters of a group: its taps in all filters, k = (fn * FH + fy) * FW + fx.
template <class T>
struct FiltersOfChannels {
  using Line = const T*;  // the channel in the first filter
  const T* W;
  GroupShape g;
  __device__ FiltersOfChannels part(index_t group) const {
    return {W + group * g.FN * g.C * g.s.FH * g.s.FW, g};
  }
  static constexpr bool along_k() { return true; }
  __device__ Line line(index_t m) const { return W + m * g.taps; }
  __device__ const T* find(Line channel, index_t k) const {
    const std::uint32_t filter = g.by_taps.quotient(static_cast<std::uint32_t>(k));
    const index_t before = static_cast<index_t>(filter) * ((g.C - 1) * g.taps);
    return channel + before + static_cast<int>(k);
  }
};

// What tap k of the filters brought from input pixel n to the outputs.
template <class T>
struct Contributions {
  struct Line {
    const T* dout;              // of the sample, from the group's first filter on
    std::uint32_t row, column;  // where a search for outputs starts
  };
  const T* dout;
  GroupShape g;
  __device__ Contributions part(index_t group) const {
    return {dout + group * g.FN * g.s.OH * g.s.OW, g};
  }
  static constexpr bool along_k() { return false; }
  __device__ Line line(index_t n) const {
    const Split at(n, g.by_W, g.by_H);
    return {dout + static_cast<index_t>(at.plane) * g.map, g.down_from.start(at.row),
            g.across_from.start(at.column)};
  }
  __device__ const T* find(const Line& of, index_t k) const {
    const Split tap(k, g.by_FW, g.by_FH);
    int oy, ox;
    const bool found = g.down_from.find_from(of.row, tap.row, oy) &&
                       g.across_from.find_from(of.column, tap.column, ox);
    const bool inside = found && g.down_from.has(oy) && g.across_from.has(ox);
    return inside ? of.dout + ((tap.plane * g.down_from.size + oy) * g.across_from.size + ox)
                  : nullptr;
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
    const int image = static_cast<int>(g.by_OH.quotient(line));
    const int pixel = static_cast<int>(k) - image * g.down_from.size * g.across_from.size;
    return row + static_cast<index_t>(image) * g.map + pixel;
  }
};

// Tap n of the filters, over the windows of all output pixels.
template <class T>
struct TapsOfWindows {
  struct Line {
    const T* x;  // the channel of the tap, in the first sample
    std::uint32_t row, column;
  };
  const T* x;
  GroupShape g;
  __device__ TapsOfWindows part(index_t group) const {
    return {x + group * g.C * g.s.H * g.s.W, g};
  }
  static constexpr bool along_k() { return true; }
  __device__ Line line(index_t n) const {
    const Split tap(n, g.by_FW, g.by_FH);
    return {x + tap.plane * g.down.size * g.across.size, tap.row * g.down.tap - g.down.back,
            tap.column * g.across.tap - g.across.back};
  }
  __device__ const T* find(const Line& of, index_t k) const {
    const Split at(k, g.by_OW, g.by_OH);
    const int h = static_cast<int>(of.row + at.row * g.down.step);
    const int w = static_cast<int>(of.column + at.column * g.across.step);
    const bool inside = g.down.has(h) && g.across.has(w);
    const index_t image = static_cast<index_t>(at.plane) * g.image;
    return inside ? of.x + image + (h * g.across.size + w) : nullptr;
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
  if (const std::size_t depthwise = depthwise_scratch(args)) return plan_launch(depthwise);
  if (const std::size_t direct = direct_scratch(args)) return plan_launch(direct);
  return plan_launch(scratch_of<T>(args, dW_shape(args.s)));
}
template <class T>
void conv2d_dW_run(const Conv2dDwArgs<T>& args, const Tile& tile) {
  if (run_depthwise("conv2d_dW", args, tile.shared)) return;
  if (run_direct("conv2d_dW", args, tile.shared)) return;
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
