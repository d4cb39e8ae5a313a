// The innermost loops of depthwise convolution: one filter, and the rows of an image in registers.
//
// With one filter to a channel, a tap that is loaded for each output it meets is one load for one
// multiplication, and the loads decide. Here a vector goes down a column of the image: a row is
// loaded once and meets all outputs above it that it belongs to. The loops, from outside:
//
//   blocks of BLOCK rows of the output, vectors across a row, columns of the filter (of all
//   channels), rows of the image under the block
//
// The rows are those of a band or an image whose columns are neighbours, or, with a stride of 2,
// those of an image as it lies: then every second column is sorted out in registers, and what lies
// outside of the image is never read.
#pragma once

#include "cpu/pairs.h"

namespace pynet::PYNET_ISA {
namespace {

// Where the rows are, and how the outputs leave.
template <class T>
struct Columns {
  index_t count;            // columns of the filter
  const T* filters;         // TAPS elements of each, the topmost first
  const index_t* offsets;   // of each: its topmost tap, seen from the output
  const T* in;              // under the first row of outputs, or an image as it lies
  index_t in_row, out_row;  // from one row of the image, of the output, to the next
  index_t vectors, last;    // across a row, and where the last of them begins at most
  T bias;
  bool relu;
  index_t first, H, next;  // of that: its row under the first row of outputs, its rows, and
                           // how far it is to the next image
};

// One column of a filter, TAPS rows, for BLOCK rows of outputs: read(r) is row r of the image.
template <class T, int TAPS, int STRIDE, int BLOCK, class Read>
PYNET_INLINE void add_column(const T* filter, vec<T>* acc, const Read& read) {
  vec<T> tap[TAPS];
#pragma GCC unroll 8
  for (int i = 0; i < TAPS; ++i) tap[i] = splat(filter[i]);
#pragma GCC unroll 24
  for (int r = 0; r < (BLOCK - 1) * STRIDE + TAPS; ++r) {
    const vec<T> pixels = read(r);
#pragma GCC unroll 8
    for (int i = 0; i < TAPS; ++i) {
      const int y = (r - i) / STRIDE;
      if (r >= i && (r - i) % STRIDE == 0 && y < BLOCK) acc[y] = fma(tap[i], pixels, acc[y]);
    }
  }
}

// BLOCK rows of the output, from row `top` on.
template <class T, int TAPS, int STRIDE, int BLOCK>
void narrow_columns(const Columns<T>& c, index_t top, T* out) {
  const T* in = c.in + top * STRIDE * c.in_row;
  for (index_t v = 0; v < c.vectors; ++v) {
    const index_t at = min_of(v * kLanes<T>, c.last);
    vec<T> acc[BLOCK];
#pragma GCC unroll 8
    for (int y = 0; y < BLOCK; ++y) acc[y] = splat(c.bias);
    for (index_t k = 0; k < c.count; ++k) {
      const T* row = in + at + c.offsets[k];
      add_column<T, TAPS, STRIDE, BLOCK>(c.filters + k * TAPS, acc, [&](int) {
        const vec<T> pixels = load(row);
        row += c.in_row;
        return pixels;
      });
    }
    T* dst = out + at;
#pragma GCC unroll 8
    for (int y = 0; y < BLOCK; ++y, dst += c.out_row) {
      store(dst, c.relu ? relu_of<T>(acc[y]) : acc[y]);
    }
  }
}

// The same for every second column and row of an image as it lies. Rows and columns outside of it
// are zeros. The same rows of the next image are fetched: the processor does not look ahead so far.
template <class T, int TAPS, int BLOCK>
void narrow_second_columns(const Columns<T>& c, index_t top, T* out) {
  constexpr index_t L = kLanes<T>;
  const index_t first = c.first + 2 * top, begin = -first, end = c.H - first;
  const T* in = c.in + first * c.in_row;
  const bool inside = begin <= 0 && (BLOCK - 1) * 2 + TAPS <= end;
  const index_t share = ceil_div(2 * BLOCK * c.in_row, c.vectors);
  const T* ahead = in + c.next;
  for (index_t v = 0; v < c.vectors; ++v, ahead += share) {
    const index_t at = min_of(v * L, c.last);
    for (index_t i = 0; i < share; i += kLine<T>) __builtin_prefetch(ahead + i, 0, 2);
    vec<T> acc[BLOCK];
#pragma GCC unroll 8
    for (int y = 0; y < BLOCK; ++y) acc[y] = splat(c.bias);
    for (index_t k = 0; k < c.count; ++k) {
      const T* filter = c.filters + k * TAPS;
      const index_t x = 2 * at + c.offsets[k];
      const T* row = in + x;
      const auto next_row = [&](bool there, const auto& read) {
        const vec<T> pixels = there ? read(row) : vec<T>{};
        row += c.in_row;
        return pixels;
      };
      const auto whole = [](const T* p) { return split(load(p), load(p + L)).first; };
      if (x < 0 || x + 2 * L > c.in_row) {
        const ivec<T> low = lanes_between<T>(-x, c.in_row - x);
        const ivec<T> high = lanes_between<T>(-x - L, c.in_row - x - L);
        const auto part = [&](const T* p) {
          return split(load_where(p, low), load_where(p + L, high)).first;
        };
        add_column<T, TAPS, 2, BLOCK>(filter, acc,
                                      [&](int r) { return next_row(begin <= r && r < end, part); });
      } else if (inside) {
        add_column<T, TAPS, 2, BLOCK>(filter, acc, [&](int) { return next_row(true, whole); });
      } else {
        add_column<T, TAPS, 2, BLOCK>(
            filter, acc, [&](int r) { return next_row(begin <= r && r < end, whole); });
      }
    }
    T* dst = out + at;
#pragma GCC unroll 8
    for (int y = 0; y < BLOCK; ++y, dst += c.out_row) {
      const vec<T> sum = in_order(acc[y]);
      store(dst, c.relu ? relu_of<T>(sum) : sum);
    }
  }
}

// All rows of a strip: blocks of eight, the last of them over rows that are there already.
template <class T, int TAPS, int STRIDE, bool AS_IT_LIES = false>
void narrow_column_rows(const Columns<T>& c, index_t rows, T* out) {
  for (index_t y = 0; y < rows;) {
    const index_t left = rows - y;
    const index_t block = rows >= 8 && left > 4 ? 8 : rows >= 4 && left > 1 ? 4 : 1;
    const index_t top = min_of(y, rows - block);
    T* dst = out + top * c.out_row;
    if constexpr (AS_IT_LIES) {
      block == 8   ? narrow_second_columns<T, TAPS, 8>(c, top, dst)
      : block == 4 ? narrow_second_columns<T, TAPS, 4>(c, top, dst)
                   : narrow_second_columns<T, TAPS, 1>(c, top, dst);
    } else {
      block == 8   ? narrow_columns<T, TAPS, STRIDE, 8>(c, top, dst)
      : block == 4 ? narrow_columns<T, TAPS, STRIDE, 4>(c, top, dst)
                   : narrow_columns<T, TAPS, STRIDE, 1>(c, top, dst);
    }
    y = top + block;
  }
}

template <class T>
using ColumnRows = void (*)(const Columns<T>&, index_t, T*);

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

// The same for every second column and row of an image as it lies.
template <class T>
PYNET_INLINE ColumnRows<T> second_column_rows_for(index_t taps) {
  return taps == 3   ? narrow_column_rows<T, 3, 2, true>
         : taps == 5 ? narrow_column_rows<T, 5, 2, true>
         : taps == 7 ? narrow_column_rows<T, 7, 2, true>
                     : nullptr;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
