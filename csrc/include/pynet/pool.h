// Max and average pooling over windows, and the global average.
#pragma once

#include "pynet/types.h"

namespace pynet {

// OH = (H + 2*pad_h - FH) / stride_h + 1
struct PoolShape {
  index_t N, C, H, W;
  index_t FH, FW;
  index_t OH, OW;
  index_t stride_h, stride_w, pad_h, pad_w;
};

// y = the largest value of each window; the first of equals; padding never wins, NaN does
template <class T>
struct MaxPool2dArgs {
  T* y;               // (N, C, OH, OW)
  std::int32_t* arg;  // (N, C, OH, OW): fy*FW + fx of the winner
  const T* x;         // (N, C, H, W)
  PoolShape s;
};

// dx = dout at the winners; given y, where relu came before the pooling, only where y > 0
template <class T>
struct MaxPool2dBackwardArgs {
  T* dx;                    // (N, C, H, W)
  const T* dout;            // (N, C, OH, OW)
  const std::int32_t* arg;  // (N, C, OH, OW)
  const T* y;               // (N, C, OH, OW), or null
  PoolShape s;
  Grad grad;
};

// y = the mean of each window; count_pad: padding counts as zeros
template <class T>
struct AvgPool2dArgs {
  T* y;        // (N, C, OH, OW)
  const T* x;  // (N, C, H, W)
  PoolShape s;
  bool count_pad;
};

template <class T>
struct AvgPool2dBackwardArgs {
  T* dx;          // (N, C, H, W)
  const T* dout;  // (N, C, OH, OW)
  PoolShape s;
  bool count_pad;
  Grad grad;
};

}  // namespace pynet
