// What every .cu file begins with: the words in which kernels and their launches are written.
//
// The files are compiled twice: by nvcc for GPUs, and by a C++ compiler for the executor in
// tests/cuda_host, which runs the same kernels on the CPU, thread by thread, under sanitizers. What
// nvcc spells in its own way (the launch, shared memory) is here and nowhere else.
#pragma once

#include "cuda/runtime/stream.h"
#include "pynet/kernels.h"

#if defined(__CUDACC__)
// Memory of the block, of one type: `name` is a reference to it.
#define PYNET_SHARED(Type, name) __shared__ Type name
// The same for a kernel that is started by launch_with_shared: more than 48 KiB, or what is known
// when it is launched.
#define PYNET_LARGE_SHARED(Type, name)                            \
  extern __shared__ __align__(1024) unsigned char name##_bytes[]; \
  Type& name = *reinterpret_cast<Type*>(name##_bytes)
#define PYNET_INLINE __device__ __forceinline__
#define PYNET_UNROLL _Pragma("unroll")
#define PYNET_PRAGMA(text) _Pragma(#text)
#define PYNET_UNROLL_BY(times) PYNET_PRAGMA(unroll times)
#else
#include "executor.h"
#define PYNET_LARGE_SHARED PYNET_SHARED
#define PYNET_INLINE inline __attribute__((always_inline))
#define PYNET_UNROLL
#define PYNET_UNROLL_BY(times)
#endif

// A kernel of the table: after NAME_plan and NAME_run, which are templates over the data type.
#define PYNET_EXPORT(name, Args)                                                                  \
  void export_##name(KernelPair<Args>* pair) {                                                    \
    *pair = {{name##_plan<float>, name##_run<float>}, {name##_plan<double>, name##_run<double>}}; \
  }

namespace pynet::cuda {

// One launch, on this thread's stream.
template <class... Parameter, class... Argument>
void launch(const char* op, void (*kernel)(Parameter...), dim3 grid, dim3 block,
            Argument... argument) {
#if defined(__CUDACC__)
  kernel<<<grid, block, 0, stream()>>>(argument...);
#else
  executor::launch(op, grid, block, stream(), [=] { kernel(argument...); });
#endif
  after_launch(op);
}

// The same with so many bytes of shared memory; more than every GPU gives have to be asked for.
template <class... Parameter, class... Argument>
void launch_with_shared(const char* op, void (*kernel)(Parameter...), dim3 grid, dim3 block,
                        std::size_t shared, Argument... argument) {
#if defined(__CUDACC__)
  if (shared > 48 << 10) {
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(shared));
  }
  kernel<<<grid, block, shared, stream()>>>(argument...);
#else
  static_cast<void>(shared);
  executor::launch(op, grid, block, stream(), [=] { kernel(argument...); });
#endif
  after_launch(op);
}

// The plan of an op on the GPU: one launch or several, with so many bytes of scratch memory there.
inline Work plan_launch(std::size_t scratch = 0) { return Work{1, {1}, scratch, 0, 0}; }

__host__ __device__ constexpr index_t ceil_div(index_t a, index_t b) { return (a + b - 1) / b; }

}  // namespace pynet::cuda
