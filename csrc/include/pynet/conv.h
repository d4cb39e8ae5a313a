// Two-dimensional convolution, its gradients, and the book's im2col and col2im.
#pragma once

#include "pynet/pool.h"
#include "pynet/types.h"

namespace pynet {

// The sizes of one convolution. OH = (H + 2*pad_h - dilation_h*(FH-1) - 1) / stride_h + 1.
struct ConvShape {
  index_t N, C, H, W;  // input
  index_t FN, FH, FW;  // filters: (FN, C/groups, FH, FW)
  index_t OH, OW;      // output: (N, FN, OH, OW)
  index_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  index_t groups;
};

// y = x * W + b, with relu max(0, x * W + b)
template <class T>
struct Conv2dArgs {
  T* y;        // (N, FN, OH, OW)
  const T* x;  // (N, C, H, W)
  const T* W;  // (FN, C/groups, FH, FW)
  const T* b;  // (FN), or null
  ConvShape s;
  bool relu;
  bool winograd;  // 3 x 3 filters may take Winograd's way: faster, not quite as exact
};

// y = max_pool2d(x * W + b), with relu in between, for windows side by side: the stride is the
// kernel, and there is no padding
template <class T>
struct Conv2dMaxPool2dArgs {
  T* y;               // (N, FN, PH, PW) = (pool.N, pool.C, pool.OH, pool.OW)
  std::int32_t* arg;  // (N, FN, PH, PW): as in MaxPool2dArgs
  const T* x;         // (N, C, H, W)
  const T* W;         // (FN, C/groups, FH, FW)
  const T* b;         // (FN), or null
  ConvShape s;
  PoolShape pool;  // of the convolution's output: (N, FN, OH, OW)
  bool relu;
  bool winograd;  // as in Conv2dArgs
};

// dx = the gradient of the input; with y, what a ReLU returned before the convolution, dx counts
// as 0 where y <= 0
template <class T>
struct Conv2dDxArgs {
  T* dx;          // (N, C, H, W)
  const T* dout;  // (N, FN, OH, OW)
  const T* W;     // (FN, C/groups, FH, FW)
  ConvShape s;
  Grad grad;
  bool winograd;  // as in Conv2dArgs
  const T* y;     // (N, C, H, W), or null, as always on a CPU (fuse_calls.cpp)
};

// dW = the gradient of the filters
template <class T>
struct Conv2dDwArgs {
  T* dW;          // (FN, C/groups, FH, FW)
  const T* dout;  // (N, FN, OH, OW)
  const T* x;     // (N, C, H, W)
  ConvShape s;
  bool winograd;  // as in Conv2dArgs
};

// col = the windows of x as rows; groups is 1 and FN is not used
template <class T>
struct Im2colArgs {
  T* col;      // (N*OH*OW, C*FH*FW)
  const T* x;  // (N, C, H, W)
  ConvShape s;
};

// x = the sum of the windows in col: the adjoint of im2col
template <class T>
struct Col2imArgs {
  T* x;          // (N, C, H, W)
  const T* col;  // (N*OH*OW, C*FH*FW)
  ConvShape s;
};

}  // namespace pynet
