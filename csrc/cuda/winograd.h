// Convolution with 3 x 3 filters and stride 1, and its gradients, by Winograd's algorithm
// (rules/winograd.h), for conv.cu: where the shape says that it pays.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

// Scratch memory in bytes, 0 for the direct way.
std::size_t winograd_scratch(const Conv2dArgs<float>& args);
std::size_t winograd_scratch(const Conv2dDxArgs<float>& args);
std::size_t winograd_scratch(const Conv2dDwArgs<float>& args);

// False for the direct way. Also where products are left to tensor cores: the transforms would
// multiply what these round, and they need no help with the multiplications.
bool run_winograd(const char* op, const Conv2dArgs<float>& args, void* scratch);
bool run_winograd(const char* op, const Conv2dDxArgs<float>& args, void* scratch);
bool run_winograd(const char* op, const Conv2dDwArgs<float>& args, void* scratch);

// float64 never goes this way.
template <template <class> class Args>
std::size_t winograd_scratch(const Args<double>&) {
  return 0;
}
template <template <class> class Args>
bool run_winograd(const char*, const Args<double>&, void*) {
  return false;
}

}  // namespace pynet::cuda
