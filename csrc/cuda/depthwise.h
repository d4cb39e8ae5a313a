// Convolution where each channel has filters of its own, and its gradients, for conv.cu. As a
// product each channel would be one row of a tile, so here no tile is filled: threads walk over the
// images, which come from memory once and stay in the caches for the next taps.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

// Scratch memory in bytes, 0 where the shape is another.
template <class T>
std::size_t depthwise_scratch(const Conv2dDwArgs<T>& args);

// False where the shape is another.
template <class T>
bool run_depthwise(const char* op, const Conv2dArgs<T>& args);
template <class T>
bool run_depthwise(const char* op, const Conv2dDxArgs<T>& args);
template <class T>
bool run_depthwise(const char* op, const Conv2dDwArgs<T>& args, void* scratch);

}  // namespace pynet::cuda
