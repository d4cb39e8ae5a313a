// What every .cu file begins with: the words in which kernels and their launches are written.
//
// The files are compiled twice: by nvcc for GPUs, and by a C++ compiler for the executor in
// tests/cuda_host, which runs the same kernels on the CPU, thread by thread. What the two spell
// differently is here and in tests/cuda_host/executor.h, and nowhere else:
//
//   template <class T>
//   __global__ void add_kernel(T* y, const T* a, const T* b, index_t n) {
//     for_each(n, [=](index_t i) { y[i] = a[i] + b[i]; });
//   }
//   PYNET_LAUNCH(add_kernel<T>, grid, block, stream)(y, a, b, n);
#pragma once

#include "pynet/types.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
// kernel<<<grid, block, 0, stream>>>(...), then a look at whether the launch was accepted.
#define PYNET_LAUNCH(kernel, grid, block, stream) \
  ::pynet::cuda::Launched{#kernel}, kernel<<<(grid), (block), 0, (stream).handle()>>>
// Memory of a block, of one type; `name` is a reference to it.
#define PYNET_SHARED(Type, name) __shared__ Type name
#else
#include "executor.h"
#endif

namespace pynet::cuda {}
