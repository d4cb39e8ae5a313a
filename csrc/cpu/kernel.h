// How a file of this folder hands its kernels to the table of its instruction set.
#pragma once

#include "cpu/simd.h"
#include "pynet/kernels.h"

// Place it in namespace pynet::PYNET_ISA, after NAME_plan and NAME_run, which are templates over
// the data type in an anonymous namespace:
//
//   template <class T> Work NAME_plan(const Args<T>& args);
//   template <class T> void NAME_run(const Args<T>& args, const Tile& tile);
#define PYNET_EXPORT(name, Args)                                                                  \
  void export_##name(KernelPair<Args>* pair) {                                                    \
    *pair = {{name##_plan<float>, name##_run<float>}, {name##_plan<double>, name##_run<double>}}; \
  }

namespace pynet::PYNET_ISA {
namespace {

// Element-by-element kernels are cut into tiles of this many elements.
constexpr index_t kChunk = 16384;

// The plan of a kernel that goes once over n elements, moving `bytes` bytes for each.
PYNET_INLINE Work plan_elements(index_t n, double bytes) {
  return Work{1, {ceil_div(n, kChunk)}, 0, 0, static_cast<double>(n) * bytes * 0.06};
}

}  // namespace
}  // namespace pynet::PYNET_ISA
