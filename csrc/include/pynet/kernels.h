// The one list of all kernels. A line here gives a kernel its place in every table.
#pragma once

#include "pynet/activation.h"
#include "pynet/conv.h"
#include "pynet/elementwise.h"
#include "pynet/gemm.h"
#include "pynet/loss.h"
#include "pynet/norm.h"
#include "pynet/optimizer.h"
#include "pynet/pool.h"
#include "pynet/random.h"
#include "pynet/reduce.h"
#include "pynet/resample.h"
#include "pynet/types.h"

// KERNEL(name, argument struct)
#define PYNET_KERNELS(KERNEL)                                             \
  KERNEL(gemm, GemmArgs)                                                  \
  KERNEL(conv2d, Conv2dArgs)                                              \
  KERNEL(conv2d_max_pool2d, Conv2dMaxPool2dArgs)                          \
  KERNEL(conv2d_dx, Conv2dDxArgs)                                         \
  KERNEL(conv2d_dW, Conv2dDwArgs)                                         \
  KERNEL(im2col, Im2colArgs)                                              \
  KERNEL(col2im, Col2imArgs)                                              \
  KERNEL(max_pool2d, MaxPool2dArgs)                                       \
  KERNEL(max_pool2d_backward, MaxPool2dBackwardArgs)                      \
  KERNEL(avg_pool2d, AvgPool2dArgs)                                       \
  KERNEL(avg_pool2d_backward, AvgPool2dBackwardArgs)                      \
  KERNEL(resample2d, Resample2dArgs)                                      \
  KERNEL(resample2d_backward, Resample2dBackwardArgs)                     \
  KERNEL(batch_norm, BatchNormArgs)                                       \
  KERNEL(batch_norm_backward, BatchNormBackwardArgs)                      \
  KERNEL(group_norm, GroupNormArgs)                                       \
  KERNEL(group_norm_backward, GroupNormBackwardArgs)                      \
  KERNEL(local_response_norm, LocalResponseNormArgs)                      \
  KERNEL(local_response_norm_backward, LocalResponseNormBackwardArgs)     \
  KERNEL(dropout, DropoutArgs)                                            \
  KERNEL(dropout_backward, DropoutBackwardArgs)                           \
  KERNEL(sum, SumArgs)                                                    \
  KERNEL(sum_squares, SumArgs)                                            \
  KERNEL(sum_channels, SumChannelsArgs)                                   \
  KERNEL(add, AddArgs)                                                    \
  KERNEL(scale, ScaleArgs)                                                \
  KERNEL(clip, ClipArgs)                                                  \
  KERNEL(relu, ActivationArgs)                                            \
  KERNEL(relu_backward, ActivationBackwardArgs)                           \
  KERNEL(sigmoid, ActivationArgs)                                         \
  KERNEL(sigmoid_backward, ActivationBackwardArgs)                        \
  KERNEL(tanh, ActivationArgs)                                            \
  KERNEL(tanh_backward, ActivationBackwardArgs)                           \
  KERNEL(activation, RuleArgs)                                            \
  KERNEL(activation_backward, RuleBackwardArgs)                           \
  KERNEL(softmax, SoftmaxArgs)                                            \
  KERNEL(softmax_backward, SoftmaxBackwardArgs)                           \
  KERNEL(log_softmax, SoftmaxArgs)                                        \
  KERNEL(log_softmax_backward, SoftmaxBackwardArgs)                       \
  KERNEL(softmax_cross_entropy, SoftmaxCrossEntropyArgs)                  \
  KERNEL(softmax_cross_entropy_backward, SoftmaxCrossEntropyBackwardArgs) \
  KERNEL(sigmoid_cross_entropy, PairLossArgs)                             \
  KERNEL(squared_error, PairLossArgs)                                     \
  KERNEL(pair_loss_backward, PairLossBackwardArgs)                        \
  KERNEL(sgd_update, UpdateArgs)                                          \
  KERNEL(momentum_update, UpdateArgs)                                     \
  KERNEL(nesterov_update, UpdateArgs)                                     \
  KERNEL(adagrad_update, UpdateArgs)                                      \
  KERNEL(rmsprop_update, UpdateArgs)                                      \
  KERNEL(adam_update, UpdateArgs)                                         \
  KERNEL(adamw_update, UpdateArgs)                                        \
  KERNEL(nadam_update, UpdateArgs)                                        \
  KERNEL(amsgrad_update, UpdateArgs)                                      \
  KERNEL(adadelta_update, UpdateArgs)                                     \
  KERNEL(rprop_update, UpdateArgs)                                        \
  KERNEL(lars_update, UpdateArgs)                                         \
  KERNEL(average_update, UpdateArgs)

namespace pynet {

// All kernels of one instruction set.
struct KernelTable {
#define PYNET_MEMBER(name, Args) KernelPair<Args> name;
  PYNET_KERNELS(PYNET_MEMBER)
#undef PYNET_MEMBER
};

}  // namespace pynet
