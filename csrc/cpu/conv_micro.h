// The innermost loops of convolution that read the image where it lies.
#pragma once

#include "cpu/gemm_micro.h"

namespace pynet::PYNET_ISA {
namespace {

// A vector of output pixels, neighbours in a row.
template <class T>
struct Pixels {
  const T* from;  // tap k of their windows is at from + offsets[k]
  index_t to;     // where they are in a row of the output
  ivec<T> done;   // lanes that belong to another vector too, which came first
};

// A tile of the output (ROWS filters x kVectors vectors of pixels) from packed filters and the
// image. Like micro(), without alpha.
template <class T, int ROWS>
void micro_image(index_t K, const T* filters, const Pixels<T>* pixels, const index_t* offsets, T* c,
                 index_t c_row, const Epilogue<T>& e) {
  vec<T> acc[ROWS][kVectors] = {};
  const T* from[kVectors];
  for (int v = 0; v < kVectors; ++v) from[v] = pixels[v].from;
  for (index_t k = 0; k < K; ++k) {
    vec<T> row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) row[v] = load(from[v] + offsets[k]);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      const vec<T> element = splat(filters[i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[i][v] = fma(element, row[v], acc[i][v]);
    }
    filters += kRows;
  }
  const vec<T> beta = splat(e.first ? e.beta : T(1));
  const bool read = !e.first || e.beta != 0;
  const bool biased = e.last && e.row_bias, relu = e.last && e.relu;
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
    const vec<T> bias = splat(biased ? e.row_bias[i] : T(0));
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      T* p = c + i * c_row + pixels[v].to;
      const vec<T> old = read ? load(p) : vec<T>{};
      if (read) acc[i][v] += beta * old;
      acc[i][v] += bias;
      if (relu) acc[i][v] = relu_of<T>(acc[i][v]);
      if (read) acc[i][v] = pixels[v].done ? old : acc[i][v];
      store(p, acc[i][v]);
    }
  }
}

template <class T>
using ImageKernel = void (*)(index_t, const T*, const Pixels<T>*, const index_t*, T*, index_t,
                             const Epilogue<T>&);

template <class T, int ROWS = kRows>
PYNET_INLINE ImageKernel<T> image_kernel(index_t rows) {
  if constexpr (ROWS > 1) {
    return rows == ROWS ? micro_image<T, ROWS> : image_kernel<T, ROWS - 1>(rows);
  } else {
    return micro_image<T, 1>;
  }
}

// Output pixels in the order of a reduction over them: `run` neighbours, line by line, image by
// image.
struct Walk {
  index_t images, image_step, lines, line_step, run;
};

// c (ROWS taps x kCols filters) += windows * b, where tap i's window begins at a + offsets[i].
template <class T, int ROWS>
void micro_windows(const Walk& walk, const T* a, const index_t* offsets, const T* b, T* c,
                   index_t c_row, bool first) {
  constexpr index_t L = kLanes<T>;
  vec<T> acc[ROWS][kVectors] = {};
  for (index_t n = 0; n < walk.images; ++n) {
    for (index_t line = 0; line < walk.lines; ++line) {
      const T* window[ROWS];
      for (int i = 0; i < ROWS; ++i) {
        window[i] = a + n * walk.image_step + line * walk.line_step + offsets[i];
      }
      for (index_t k = 0; k < walk.run; ++k) {
        vec<T> row[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) row[v] = load(b + v * L);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; ++i) {
          const vec<T> element = splat(window[i][k]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) acc[i][v] = fma(element, row[v], acc[i][v]);
        }
        b += kCols<T>;
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      T* p = c + i * c_row + v * L;
      store(p, first ? acc[i][v] : load(p) + acc[i][v]);
    }
  }
}

template <class T>
using WindowKernel = void (*)(const Walk&, const T*, const index_t*, const T*, T*, index_t, bool);

template <class T, int ROWS = kRows>
PYNET_INLINE WindowKernel<T> window_kernel(index_t rows) {
  if constexpr (ROWS > 1) {
    return rows == ROWS ? micro_windows<T, ROWS> : window_kernel<T, ROWS - 1>(rows);
  } else {
    return micro_windows<T, 1>;
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
