// Convolution without a product of matrices, for conv.cu: where few taps meet each other, as in the
// first layer of a network, whose images have one channel or three.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

// False where the shape asks for another way, whatever the precision of products.
template <class T>
bool run_direct(const char* op, const Conv2dArgs<T>& args);

// The same with pooling in 2 x 2 windows: the maps stay in registers. is_direct: whether it will.
template <class T>
bool run_direct(const char* op, const Conv2dMaxPool2dArgs<T>& args);
template <class T>
bool is_direct(const Conv2dMaxPool2dArgs<T>& args);

// The filters' gradient, with so much scratch memory in bytes; none for another way.
template <class T>
bool run_direct(const char* op, const Conv2dDwArgs<T>& args, void* scratch);
template <class T>
std::size_t direct_scratch(const Conv2dDwArgs<T>& args);

}  // namespace pynet::cuda
