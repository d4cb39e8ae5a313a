// What the formulas of this folder are written with: vec<T> and a dozen functions of it. On a
// processor that is a vector register (cpu/simd.h); on a GPU, where each thread computes an
// element, it is one number (cuda/lane.h). So each formula stands in one place, for both.
#pragma once

#if defined(PYNET_CUDA_MODULE)
#include "cuda/lane.h"
#else
#include "cpu/simd.h"
#endif
