// Max pooling, for pool.cu and for the maps of a convolution.
#pragma once

#include "cuda/device.h"

namespace pynet::cuda {

template <class T>
void run_max_pool2d(const char* op, const MaxPool2dArgs<T>& args);

}  // namespace pynet::cuda
