// Which pixel lies in which window of a pooling: for host and device, like conv_shape.h.
#pragma once

#include "cuda/divider.h"

namespace pynet::cuda {

// The sizes in 32 bits, and the divisions that find a pixel's or a window's place. A stride that
// leads out of every image may be any other that does.
struct PoolSizes {
  static constexpr index_t kMost = (index_t{1} << 31) - 1;
  int H, W, FH, FW, OH, OW, stride_h, stride_w, pad_h, pad_w;
  Divider by_W, by_H, by_OW, by_OH, by_stride_h, by_stride_w;
  explicit PoolSizes(const PoolShape& s)
      : H(static_cast<int>(s.H)),
        W(static_cast<int>(s.W)),
        FH(static_cast<int>(s.FH)),
        FW(static_cast<int>(s.FW)),
        OH(static_cast<int>(s.OH)),
        OW(static_cast<int>(s.OW)),
        stride_h(static_cast<int>(s.stride_h < kMost ? s.stride_h : kMost)),
        stride_w(static_cast<int>(s.stride_w < kMost ? s.stride_w : kMost)),
        pad_h(static_cast<int>(s.pad_h)),
        pad_w(static_cast<int>(s.pad_w)),
        by_W(W),
        by_H(H),
        by_OW(OW),
        by_OH(OH),
        by_stride_h(stride_h),
        by_stride_w(stride_w) {}
};

// Whether all pixels and windows can be counted by them.
inline bool is_countable(const PoolShape& s) {
  constexpr index_t kMost = PoolSizes::kMost;
  return s.N * s.C * s.H * s.W <= kMost && s.N * s.C * s.OH * s.OW <= kMost &&
         s.H + s.pad_h < kMost && s.W + s.pad_w < kMost;
}

// The pixels of a window that are no padding; the window begins at `first`.
struct Span {
  int first, begin, end;
  __host__ __device__ Span(int o, int stride, int pad, int F, int size)
      : first(o * stride - pad),
        begin(first < 0 ? 0 : first),
        end(F < size - first ? first + F : size) {}
  __host__ __device__ int length() const { return end - begin; }
};

// The windows over a pixel: one or none where they do not overlap.
struct Windows {
  int begin, end;
  __host__ __device__ Windows(int i, const Divider& by_stride, int pad, int F, int O) {
    const int at = i + pad, stride = static_cast<int>(by_stride.d);
    const int last = static_cast<int>(by_stride.quotient(static_cast<std::uint32_t>(at)));
    if (F <= stride) {
      begin = at - last * stride < F ? last : last + 1;
    } else {
      begin =
          at < F ? 0 : static_cast<int>(by_stride.quotient(static_cast<std::uint32_t>(at - F))) + 1;
    }
    end = last < O ? last + 1 : O;
  }
};

// Windows of 2 x 2 side by side that fill the images, whose rows are whole packs of W pixels.
inline bool has_squares(const PoolShape& s, int W) {
  return s.FH == 2 && s.FW == 2 && s.stride_h == 2 && s.stride_w == 2 && s.pad_h == 0 &&
         s.pad_w == 0 && s.H == 2 * s.OH && s.W == 2 * s.OW && s.W % W == 0;
}

// Two packs, one below the other, and the W / 2 windows in them: where each begins in its array.
struct Squares {
  int top, bottom, window;
  __host__ __device__ Squares(index_t i, int W, const Divider& by_packs) {
    const int pack = static_cast<int>(i), packs = static_cast<int>(by_packs.d);
    const int line = static_cast<int>(by_packs.quotient(static_cast<std::uint32_t>(pack)));
    top = (pack + line * packs) * W;
    bottom = top + packs * W;
    window = pack * (W / 2);
  }
};

}  // namespace pynet::cuda
