// Kernels that have no CUDA code yet.
#include <stdexcept>
#include <string>

#include "cuda/device.h"

namespace pynet::cuda {

#define PYNET_MISSING(name, Args)                                                \
  template <class T>                                                             \
  static Work name##_plan(const Args<T>&) {                                      \
    throw std::runtime_error("[" #name "] device: there is no CUDA kernel yet"); \
  }                                                                              \
  template <class T>                                                             \
  static void name##_run(const Args<T>&, const Tile&) {}                         \
  PYNET_EXPORT(name, Args)

PYNET_MISSING(gemm, GemmArgs)
PYNET_MISSING(conv2d, Conv2dArgs)
PYNET_MISSING(conv2d_max_pool2d, Conv2dMaxPool2dArgs)
PYNET_MISSING(conv2d_dx, Conv2dDxArgs)
PYNET_MISSING(conv2d_dW, Conv2dDwArgs)
PYNET_MISSING(im2col, Im2colArgs)
PYNET_MISSING(col2im, Col2imArgs)
PYNET_MISSING(max_pool2d, MaxPool2dArgs)
PYNET_MISSING(max_pool2d_backward, MaxPool2dBackwardArgs)
PYNET_MISSING(avg_pool2d, AvgPool2dArgs)
PYNET_MISSING(avg_pool2d_backward, AvgPool2dBackwardArgs)
PYNET_MISSING(resample2d, Resample2dArgs)
PYNET_MISSING(resample2d_backward, Resample2dBackwardArgs)
PYNET_MISSING(batch_norm, BatchNormArgs)
PYNET_MISSING(batch_norm_backward, BatchNormBackwardArgs)
PYNET_MISSING(group_norm, GroupNormArgs)
PYNET_MISSING(group_norm_backward, GroupNormBackwardArgs)
PYNET_MISSING(local_response_norm, LocalResponseNormArgs)
PYNET_MISSING(local_response_norm_backward, LocalResponseNormBackwardArgs)
PYNET_MISSING(dropout, DropoutArgs)
PYNET_MISSING(dropout_backward, DropoutBackwardArgs)
PYNET_MISSING(sum, SumArgs)
PYNET_MISSING(sum_squares, SumArgs)
PYNET_MISSING(sum_channels, SumChannelsArgs)
PYNET_MISSING(softmax, SoftmaxArgs)
PYNET_MISSING(softmax_backward, SoftmaxBackwardArgs)
PYNET_MISSING(log_softmax, SoftmaxArgs)
PYNET_MISSING(log_softmax_backward, SoftmaxBackwardArgs)
PYNET_MISSING(softmax_cross_entropy, SoftmaxCrossEntropyArgs)
PYNET_MISSING(softmax_cross_entropy_backward, SoftmaxCrossEntropyBackwardArgs)
PYNET_MISSING(sigmoid_cross_entropy, PairLossArgs)
PYNET_MISSING(squared_error, PairLossArgs)
PYNET_MISSING(pair_loss_backward, PairLossBackwardArgs)
PYNET_MISSING(sgd_update, UpdateArgs)
PYNET_MISSING(momentum_update, UpdateArgs)
PYNET_MISSING(nesterov_update, UpdateArgs)
PYNET_MISSING(adagrad_update, UpdateArgs)
PYNET_MISSING(rmsprop_update, UpdateArgs)
PYNET_MISSING(adam_update, UpdateArgs)
PYNET_MISSING(adamw_update, UpdateArgs)
PYNET_MISSING(nadam_update, UpdateArgs)
PYNET_MISSING(amsgrad_update, UpdateArgs)
PYNET_MISSING(adadelta_update, UpdateArgs)
PYNET_MISSING(rprop_update, UpdateArgs)
PYNET_MISSING(lars_update, UpdateArgs)
PYNET_MISSING(average_update, UpdateArgs)

}  // namespace pynet::cuda
