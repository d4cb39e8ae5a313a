// The innermost loops of depthwise convolution: one filter, and the rows of an image in registers.
//
// With one filter to a channel, a tap that is loaded for each output it meets is one load for one
// multiplication, and the loads decide. Here a vector goes down a column of the image: a row is
// loaded once and meets all outputs above it that it belongs to. The loops, from outside:
//
//   blocks of BLOCK rows of the output, vectors across a row, columns of the filter (of all
//   channels), rows of the image under the block
#pragma once

#include "cpu/simd.h"

namespace pynet::PYNET_ISA {
namespace {

// Where the rows are, and how the outputs leave.
template <class T>
struct Columns {
  index_t count;            // columns of the filter
  const T* filters;         // TAPS elements of each, the topmost first
  const index_t* offsets;   // of each: its topmost tap, seen from the output
  index_t in_row, out_row;  // from one row of the image, of the output, to the next
  index_t vectors, last;    // across a row, and where the last of them begins at most
  T bias;
  bool relu;
};

// BLOCK rows of the output, with filter columns of TAPS rows.
template <class T, int TAPS, int STRIDE, int BLOCK>
void narrow_columns(const Columns<T>& c, const T* in, T* out) {
  constexpr int kInRows = (BLOCK - 1) * STRIDE + TAPS;
  for (index_t v = 0; v < c.vectors; ++v) {
    const index_t at = min_of(v * kLanes<T>, c.last);
    vec<T> acc[BLOCK];
#pragma GCC unroll 8
    for (int y = 0; y < BLOCK; ++y) acc[y] = splat(c.bias);
    const T* filter = c.filters;
    for (index_t k = 0; k < c.count; ++k, filter += TAPS) {
      const T* row = in + at + c.offsets[k];
      vec<T> tap[TAPS];
#pragma GCC unroll 8
      for (int i = 0; i < TAPS; ++i) tap[i] = splat(filter[i]);
#pragma GCC unroll 24
      for (int r = 0; r < kInRows; ++r, row += c.in_row) {
        const vec<T> pixels = load(row);
#pragma GCC unroll 8
        for (int i = 0; i < TAPS; ++i) {
          const int y = (r - i) / STRIDE;
          if (r >= i && (r - i) % STRIDE == 0 && y < BLOCK) acc[y] = fma(tap[i], pixels, acc[y]);
        }
      }
    }
    T* dst = out + at;
#pragma GCC unroll 8
    for (int y = 0; y < BLOCK; ++y, dst += c.out_row) {
      store(dst, c.relu ? relu_of<T>(acc[y]) : acc[y]);
    }
  }
}

// All rows of a strip: blocks of eight, the last of them over rows that are there already.
template <class T, int TAPS, int STRIDE>
void narrow_column_rows(const Columns<T>& c, index_t rows, const T* in, T* out) {
  for (index_t y = 0; y < rows;) {
    const index_t left = rows - y;
    const index_t block = rows >= 8 && left > 4 ? 8 : rows >= 4 && left > 1 ? 4 : 1;
    const index_t top = min_of(y, rows - block);
    const T* src = in + top * STRIDE * c.in_row;
    T* dst = out + top * c.out_row;
    if (block == 8) {
      narrow_columns<T, TAPS, STRIDE, 8>(c, src, dst);
    } else if (block == 4) {
      narrow_columns<T, TAPS, STRIDE, 4>(c, src, dst);
    } else {
      narrow_columns<T, TAPS, STRIDE, 1>(c, src, dst);
    }
    y = top + block;
  }
}

template <class T>
using ColumnRows = void (*)(const Columns<T>&, index_t, const T*, T*);

// Null where there is none for this length of a column and this stride.
template <class T>
PYNET_INLINE ColumnRows<T> column_rows_for(index_t taps, index_t stride) {
  if (stride == 2) {
    return taps == 3   ? narrow_column_rows<T, 3, 2>
           : taps == 5 ? narrow_column_rows<T, 5, 2>
           : taps == 7 ? narrow_column_rows<T, 7, 2>
                       : nullptr;
  }
  return stride != 1 ? nullptr
         : taps == 2 ? narrow_column_rows<T, 2, 1>
         : taps == 3 ? narrow_column_rows<T, 3, 1>
         : taps == 4 ? narrow_column_rows<T, 4, 1>
         : taps == 5 ? narrow_column_rows<T, 5, 1>
         : taps == 7 ? narrow_column_rows<T, 7, 1>
                     : nullptr;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
