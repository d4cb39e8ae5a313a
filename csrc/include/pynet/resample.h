// Images of another size, each pixel a weighted sum of old ones: upsampling, padding, adaptive
// means.
#pragma once

#include "pynet/types.h"

namespace pynet {

// From (H, W) to (OH, OW). Along each axis, which old pixels make a new one, and with what weights;
// an index of H (of W) is outside of the image, where every pixel counts as `fill`.
template <class T>
struct ResampleGrid {
  const std::int32_t* rows;     // (OH, P), each 0 .. H
  const T* row_weights;         // (OH, P)
  const std::int32_t* columns;  // (OW, Q), each 0 .. W
  const T* column_weights;      // (OW, Q)
  index_t planes;               // N*C
  index_t H, W, OH, OW, P, Q;
};

// y[i,j] = sum over p,q of row_weights[i,p] * column_weights[j,q] * x[rows[i,p], columns[j,q]]
template <class T>
struct Resample2dArgs {
  T* y;        // (planes, OH, OW)
  const T* x;  // (planes, H, W)
  ResampleGrid<T> grid;
  T fill;
};

// dx = the sum of dout over where each pixel went, with the same weights
template <class T>
struct Resample2dBackwardArgs {
  T* dx;          // (planes, H, W)
  const T* dout;  // (planes, OH, OW)
  ResampleGrid<T> grid;
  Grad grad;
};

}  // namespace pynet
