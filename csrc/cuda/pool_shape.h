// Which pixel lies in which window of a pooling: for host and device, like conv_shape.h.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

// A pixel or a window: its plane and its place in it.
struct Place {
  index_t plane, row, column;
  __host__ __device__ Place(index_t i, index_t H, index_t W) {
    const index_t line = i / W;
    column = i - line * W;
    plane = line / H;
    row = line - plane * H;
  }
};

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
  __host__ __device__ Windows(index_t i, index_t stride, index_t pad, index_t F, index_t O) {
    const index_t at = i + pad;
    begin = at < F ? 0 : (at - F) / stride + 1;
    end = at / stride + 1 < O ? at / stride + 1 : O;
  }
};

}  // namespace pynet::cuda
