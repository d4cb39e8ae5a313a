// Which pixel lies in which window of a pooling: for host and device, like conv_shape.h.
#pragma once

#include "cuda/divider.h"

namespace pynet::cuda {

// The divisions that find a pixel's or a window's place. A stride that leads out of every image may
// be any other that does.
struct PoolDividers {
  static constexpr index_t kMost = (index_t{1} << 31) - 1;
  Divider by_W, by_H, by_OW, by_OH, by_stride_h, by_stride_w;
  explicit PoolDividers(const PoolShape& s)
      : by_W(s.W),
        by_H(s.H),
        by_OW(s.OW),
        by_OH(s.OH),
        by_stride_h(s.stride_h < kMost ? s.stride_h : kMost),
        by_stride_w(s.stride_w < kMost ? s.stride_w : kMost) {}
};

// Whether all pixels and windows can be counted by them.
inline bool is_countable(const PoolShape& s) {
  constexpr index_t kMost = PoolDividers::kMost;
  return s.N * s.C * s.H * s.W <= kMost && s.N * s.C * s.OH * s.OW <= kMost &&
         s.H + s.pad_h < kMost && s.W + s.pad_w < kMost;
}

// The pixels of a window that are no padding.
struct Span {
  index_t begin, end;
  __host__ __device__ Span(index_t o, index_t stride, index_t pad, index_t F, index_t size) {
    begin = o * stride - pad;
    end = begin + F < size ? begin + F : size;
    if (begin < 0) begin = 0;
  }
  __host__ __device__ index_t length() const { return end - begin; }
};

// The windows over a pixel.
struct Windows {
  index_t begin, end;
  __host__ __device__ Windows(index_t i, const Divider& by_stride, index_t pad, index_t F,
                              index_t O) {
    const index_t at = i + pad;
    begin = at < F ? 0 : by_stride.quotient(static_cast<std::uint32_t>(at - F)) + 1;
    end = by_stride.quotient(static_cast<std::uint32_t>(at)) + index_t{1};
    if (end > O) end = O;
  }
};

}  // namespace pynet::cuda
