#include "cuda/depthwise.h"

#include "cuda/channels.h"
#include "cuda/depthwise_shape.h"
#include "cuda/elements.h"
#include "cuda/lane.h"

namespace pynet::cuda {
namespace {

// --- maps, and the input's gradient --------------------------------------------------------------

// y or dx: each plane of it is the sum over one or several planes of x or dout, seen through the
// taps of a filter.
template <class T>
struct PlaneSums {
  T* to;
  const T *from, *W, *bias, *mask;  // bias may be null, and mask: the y of the ReLU before
  bool relu, add;
  int FH, FW, sources;  // planes behind one of the result
  TapAxis down, across;
  Strips strips;
  Divider by_columns, by_strips;
  Divider by_planes, by_multiple;  // planes of a sample; those that share a source

  PlaneSums(const Conv2dArgs<T>& a)
      : PlaneSums(a.y, a.x, a.W, a.b, nullptr, a.relu, false, a.s, 1, a.s.FN, a.s.FN / a.s.C,
                  TapAxis::forward(a.s.stride_h, a.s.pad_h, a.s.dilation_h, a.s.H),
                  TapAxis::forward(a.s.stride_w, a.s.pad_w, a.s.dilation_w, a.s.W),
                  Strips(a.s.OH, 1), a.s.OW) {}
  PlaneSums(const Conv2dDxArgs<T>& a)
      : PlaneSums(a.dx, a.dout, a.W, nullptr, a.y, false, a.grad == Grad::Add, a.s, a.s.FN / a.s.C,
                  a.s.C, 1,
                  TapAxis::backward(a.s.stride_h, a.s.pad_h, a.s.dilation_h, a.s.FH, a.s.OH),
                  TapAxis::backward(a.s.stride_w, a.s.pad_w, a.s.dilation_w, a.s.FW, a.s.OW),
                  Strips(a.s.H, a.s.stride_h), a.s.W) {}
  index_t threads(index_t N) const {
    return N * by_planes.d * strips.count * static_cast<index_t>(by_columns.d);
  }

 private:
  PlaneSums(T* t, const T* f, const T* w, const T* b, const T* y, bool r, bool a,
            const ConvShape& s, index_t behind, index_t planes, index_t multiple, const TapAxis& d,
            const TapAxis& c, const Strips& of_rows, index_t columns)
      : to(t),
        from(f),
        W(w),
        bias(b),
        mask(y),
        relu(r),
        add(a),
        FH(static_cast<int>(s.FH)),
        FW(static_cast<int>(s.FW)),
        sources(static_cast<int>(behind)),
        down(d),
        across(c),
        strips(of_rows),
        by_columns(columns),
        by_strips(of_rows.count),
        by_planes(planes),
        by_multiple(multiple) {}
};

// A thread computes a column of a strip, so that neighbours read and write neighbouring pixels and
// a tap of the filter is read for several of them.
//
// F > 0: filters of F x F without stride and dilation, whose taps stay in registers; each pixel is
// read once for all sums of the thread. kSlide: no stride or dilation down the rows, which move
// through registers, so that a pixel is read once for all taps of a column. kAny: all others.
constexpr int kSlide = 0, kAny = -1;
template <class T, int F>
struct StripSums {
  static constexpr int V = Strips::kRows;
  PlaneSums<T> s;

  // The first pixel that the taps meet, in the order of memory; backward turns them around.
  PYNET_INLINE static bool is_turned(const TapAxis& axis) { return static_cast<int>(axis.tap) < 0; }
  PYNET_INLINE static int first_of(const TapAxis& axis, int i, int taps) {
    return static_cast<int>(axis.start(i) - axis.back) - (is_turned(axis) ? taps - 1 : 0);
  }
  PYNET_INLINE void add_square(T (&sum)[V], const T* image, const T* W, int i, int j) const {
    const bool turned = is_turned(s.down);
    const int h = first_of(s.down, i, F), w = first_of(s.across, j, F);
    T tap[F * F];
    bool inside[F];
    PYNET_UNROLL
    for (int k = 0; k < F * F; ++k) tap[k] = W[turned ? F * F - 1 - k : k];
    PYNET_UNROLL
    for (int fx = 0; fx < F; ++fx) inside[fx] = s.across.has(w + fx);
    PYNET_UNROLL
    for (int r = 0; r < V + F - 1; ++r) {
      const T* row = image + ((h + r) * s.across.size + w);
      const bool met = s.down.has(h + r);
      PYNET_UNROLL
      for (int fx = 0; fx < F; ++fx) {
        const T x = met && inside[fx] ? row[fx] : T{};
        PYNET_UNROLL
        for (int v = 0; v < V; ++v) {
          const int fy = r - v;
          if (0 <= fy && fy < F) sum[v] = fma(tap[fy * F + fx], x, sum[v]);
        }
      }
    }
  }

  PYNET_INLINE T pixel(const T* column, int row) const {
    return s.down.has(row) ? column[row * s.across.size] : T{};
  }
  PYNET_INLINE void slide(T (&sum)[V], const T* column, const T* taps, int i) const {
    const bool turned = is_turned(s.down);
    const int h = first_of(s.down, i, s.FH), step = turned ? -s.FW : s.FW;
    if (turned) taps += (s.FH - 1) * s.FW;
    T x[V];
    PYNET_UNROLL
    for (int v = 0; v < V - 1; ++v) x[v] = pixel(column, h + v);
    for (int f = 0; f < s.FH; ++f) {
      x[V - 1] = pixel(column, h + f + V - 1);
      const T tap = taps[f * step];
      PYNET_UNROLL
      for (int v = 0; v < V; ++v) {
        sum[v] = fma(tap, x[v], sum[v]);
        if (v < V - 1) x[v] = x[v + 1];
      }
    }
  }
  PYNET_INLINE void search(T (&sum)[V], const T* column, const T* taps, int i) const {
    for (int fy = 0; fy < s.FH; ++fy) {
      int at;
      if (!s.down.find(i, fy, at)) continue;
      const T tap = taps[fy * s.FW];
      PYNET_UNROLL
      for (int v = 0; v < V; ++v) {
        sum[v] = fma(tap, pixel(column, at + v * static_cast<int>(s.down.step)), sum[v]);
      }
    }
  }
  PYNET_INLINE void add_columns(T (&sum)[V], const T* image, const T* taps, int i, int j) const {
    for (int fx = 0; fx < s.FW; ++fx) {
      int column;
      if (!s.across.find(j, fx, column) || !s.across.has(column)) continue;
      if constexpr (F == kSlide) {
        slide(sum, image + column, taps + fx, i);
      } else {
        search(sum, image + column, taps + fx, i);
      }
    }
  }

  __device__ void operator()(index_t i) const {
    const Split at(i, s.by_columns, s.by_strips);
    const std::uint32_t plane = static_cast<std::uint32_t>(at.plane);
    const int c = static_cast<int>(plane - s.by_planes.quotient(plane) * s.by_planes.d);
    const int first = static_cast<int>(s.by_multiple.quotient(plane)) * s.sources;
    const int row = s.strips.first(at.row);
    T sum[V] = {};
    for (int source = 0; source < s.sources; ++source) {
      const T* image =
          s.from + static_cast<index_t>(first + source) * (s.down.size * s.across.size);
      const T* taps = s.W + (c * s.sources + source) * (s.FH * s.FW);
      if constexpr (F > 0) {
        add_square(sum, image, taps, row, at.column);
      } else {
        add_columns(sum, image, taps, row, at.column);
      }
    }
    const int columns = static_cast<int>(s.by_columns.d);
    const index_t to = static_cast<index_t>(at.plane) * s.strips.rows * columns + at.column;
    PYNET_UNROLL
    for (int v = 0; v < V; ++v) {
      const int r = row + v * s.strips.gap;
      if (r < s.strips.rows) store(to + r * columns, sum[v], c);
    }
  }
  PYNET_INLINE void store(index_t i, T sum, int c) const {
    if (s.bias) sum += s.bias[c];
    if (s.relu) sum = relu_of<T>(sum);
    if (s.mask) sum = through_relu<T>(sum, s.mask[i]);
    s.to[i] = s.add ? s.to[i] + sum : sum;
  }
};

template <class T, template <class> class Args>
bool run_plane_sums(const char* op, const Args<T>& args) {
  const ConvShape& s = args.s;
  if (!is_depthwise(s)) return false;
  const PlaneSums<T> sums(args);
  const index_t n = sums.threads(s.N);
  const bool down = s.stride_h == 1 && s.dilation_h == 1;
  const bool square = down && s.stride_w == 1 && s.dilation_w == 1 && s.FH == s.FW;
  if (square && s.FH == 3) {
    for_indices(op, n, StripSums<T, 3>{sums});
  } else if (square && s.FH == 5) {
    for_indices(op, n, StripSums<T, 5>{sums});
  } else if (down) {
    for_indices(op, n, StripSums<T, kSlide>{sums});
  } else {
    for_indices(op, n, StripSums<T, kAny>{sums});
  }
  return true;
}

// --- the filters' gradient -----------------------------------------------------------------------

// The taps of all filters in patches of 3 x 3, whose sums stay in registers.
constexpr int kPatch = 3, kPatchTaps = kPatch * kPatch;
struct Patches {
  int FH, FW, across, all;  // of a filter
  explicit Patches(const ConvShape& s)
      : FH(static_cast<int>(s.FH)),
        FW(static_cast<int>(s.FW)),
        across((FW + kPatch - 1) / kPatch),
        all((FH + kPatch - 1) / kPatch * across) {}
};
ChannelParts patch_parts(const ConvShape& s) {
  return ChannelParts(s.N, s.FN * Patches(s).all, s.OH * s.OW);
}

template <class T>
struct PatchStore {
  T* dW;
  Patches patches;
  __device__ void operator()(index_t patch, const double (&sum)[kPatchTaps]) const {
    const int filter = static_cast<int>(patch) / patches.all;
    const int i = static_cast<int>(patch) - filter * patches.all;
    const int fy = i / patches.across * kPatch, fx = i % patches.across * kPatch;
    PYNET_UNROLL
    for (int k = 0; k < kPatchTaps; ++k) {
      const int y = fy + k / kPatch, x = fx + k % kPatch;
      if (y < patches.FH && x < patches.FW) {
        dW[(filter * patches.FH + y) * patches.FW + x] = static_cast<T>(sum[k]);
      }
    }
  }
};

// A block has a part of the pixels of all samples, and a patch of one filter.
template <class T>
struct PatchSums {
  const T *x, *dout;
  ChannelParts parts;
  Patches patches;
  int C, FN, H, W, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  Divider by_OW, by_OH;

  explicit PatchSums(const Conv2dDwArgs<T>& a)
      : x(a.x),
        dout(a.dout),
        parts(patch_parts(a.s)),
        patches(a.s),
        C(static_cast<int>(a.s.C)),
        FN(static_cast<int>(a.s.FN)),
        H(static_cast<int>(a.s.H)),
        W(static_cast<int>(a.s.W)),
        stride_h(static_cast<int>(a.s.stride_h)),
        stride_w(static_cast<int>(a.s.stride_w)),
        pad_h(static_cast<int>(a.s.pad_h)),
        pad_w(static_cast<int>(a.s.pad_w)),
        dilation_h(static_cast<int>(a.s.dilation_h)),
        dilation_w(static_cast<int>(a.s.dilation_w)),
        by_OW(a.s.OW),
        by_OH(a.s.OH) {}

  __device__ void add(T (&sum)[kPatchTaps], int patch, int part) const {
    const int filter = patch / patches.all, c = filter / (FN / C), i = patch - filter * patches.all;
    const int fy = i / patches.across * kPatch, fx = i % patches.across * kPatch;
    const index_t behind = (static_cast<index_t>(part) + 1) * parts.length;
    const index_t all = parts.N * parts.S;
    const int end = static_cast<int>(behind < all ? behind : all);
    for (index_t t = part * parts.length + threadIdx.x; t < end; t += kReduceThreads) {
      const Split at(t, by_OW, by_OH);
      const T* image = x + static_cast<index_t>(at.plane * C + c) * H * W;
      const int pixels = static_cast<int>(by_OW.d * by_OH.d);
      const index_t before = static_cast<index_t>(at.plane) * pixels;
      const T d = dout[static_cast<index_t>(at.plane * FN + filter) * pixels + (t - before)];
      const int row = at.row * stride_h - pad_h, column = at.column * stride_w - pad_w;
      PYNET_UNROLL
      for (int k = 0; k < kPatchTaps; ++k) {
        const int y = fy + k / kPatch, x = fx + k % kPatch;
        const int h = row + y * dilation_h, w = column + x * dilation_w;
        const bool inside = y < patches.FH && x < patches.FW &&
                            static_cast<unsigned>(h) < static_cast<unsigned>(H) &&
                            static_cast<unsigned>(w) < static_cast<unsigned>(W);
        sum[k] = fma(d, inside ? image[h * W + w] : T{}, sum[k]);
      }
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kReduceThreads)
    patch_sums_kernel(double* partial, PatchSums<T> sums, PatchStore<T> store) {
  const int patch = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
  T sum[kPatchTaps] = {};
  sums.add(sum, patch, part);
  double total[kPatchTaps];
  PYNET_UNROLL
  for (int k = 0; k < kPatchTaps; ++k) total[k] = block_sum(static_cast<double>(sum[k]));
  if (threadIdx.x == 0) leave_sums(partial, sums.parts, part, patch, total, store);
}

}  // namespace

template <class T>
bool run_depthwise(const char* op, const Conv2dArgs<T>& args) {
  return run_plane_sums(op, args);
}
template <class T>
bool run_depthwise(const char* op, const Conv2dDxArgs<T>& args) {
  return run_plane_sums(op, args);
}

template <class T>
std::size_t depthwise_scratch(const Conv2dDwArgs<T>& args) {
  return is_depthwise(args.s) ? patch_parts(args.s).bytes(kPatchTaps) : 0;
}
template <class T>
bool run_depthwise(const char* op, const Conv2dDwArgs<T>& args, void* scratch) {
  if (!is_depthwise(args.s)) return false;
  const PatchSums<T> sums(args);
  const PatchStore<T> store{args.dW, sums.patches};
  double* partial = static_cast<double*>(scratch);
  launch(op, patch_sums_kernel<T>,
         dim3(static_cast<unsigned>(sums.parts.C), static_cast<unsigned>(sums.parts.parts)),
         kReduceThreads, partial, sums, store);
  finish_channels<kPatchTaps>(op, partial, sums.parts, store);
  return true;
}

#define PYNET_DEPTHWISE(T)                                                    \
  template bool run_depthwise<T>(const char*, const Conv2dArgs<T>&);          \
  template bool run_depthwise<T>(const char*, const Conv2dDxArgs<T>&);        \
  template bool run_depthwise<T>(const char*, const Conv2dDwArgs<T>&, void*); \
  template std::size_t depthwise_scratch<T>(const Conv2dDwArgs<T>&);
PYNET_DEPTHWISE(float)
PYNET_DEPTHWISE(double)

}  // namespace pynet::cuda
