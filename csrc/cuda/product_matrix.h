// What a product takes from a matrix. A and B are lines along K, the rows of one and the columns of
// the other; a structure of lines says where an element lies:
//
//   Lines part(i)          those of matrix i of a batch, of group i of a convolution
//   Line line(n)           row n of A, column n of B: what find() wants to know of it
//   const T* find(line, k) where its element k lies, or null for a zero
//   bool along_k()         whether steps of K lie side by side in memory, or else lines do
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

template <class T>
struct MatrixLines {
  using Line = const T*;
  const T* begin;
  index_t line_step, step, batch;  // elements from line to line, from k to k + 1, between matrices
  __host__ __device__ MatrixLines part(index_t i) const {
    return {begin + i * batch, line_step, step, batch};
  }
  __host__ __device__ bool along_k() const { return step == 1; }
  __host__ __device__ Line line(index_t n) const { return begin + n * line_step; }
  __host__ __device__ const T* find(Line line, index_t k) const { return line + k * step; }
};

// What lies there.
template <class T>
PYNET_INLINE T value_at(const T* place) {
  return place ? *place : T{0};
}

}  // namespace pynet::cuda
