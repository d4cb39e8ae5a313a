"""The operations: one function each, computed by the active backend.

What holds for all of them. Floating inputs and parameters decide the dtype: float64 if any of
them is float64, else float32; integers, bool and float16 count as float32, and labels and `dout`
do not decide. Any memory layout is accepted. Results are fresh C-contiguous arrays unless `out` is
given: an array of the right dtype and shape, C-contiguous, writable, and overlapping no input.
`stride`, `pad`, `dilation` and `kernel` are a number or a (height, width) pair. Errors are
ValueError, TypeError, IndexError or MemoryError and read `[op] argument: expected ..., got ...`.
"""

from pynet.ops.activation import (
    activation,
    activation_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from pynet.ops.conv import col2im, conv2d, conv2d_dW, conv2d_dx, conv2d_max_pool2d, im2col
from pynet.ops.dropout import dropout, dropout_backward
from pynet.ops.elementwise import add, clip, scale
from pynet.ops.linear import gemm
from pynet.ops.loss import (
    log_softmax,
    log_softmax_backward,
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_backward,
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    squared_error,
    squared_error_backward,
)
from pynet.ops.norm import (
    batch_norm,
    batch_norm_backward,
    group_norm,
    group_norm_backward,
    local_response_norm,
    local_response_norm_backward,
)
from pynet.ops.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from pynet.ops.reduce import norm, sum, sum_channels
from pynet.ops.resample import resample2d, resample2d_backward
from pynet.ops.update import (
    adadelta_update,
    adagrad_update,
    adam_update,
    adamw_update,
    amsgrad_update,
    average_update,
    lars_update,
    momentum_update,
    nadam_update,
    nesterov_update,
    rmsprop_update,
    rprop_update,
    sgd_update,
)

__all__ = [
    "activation",
    "activation_backward",
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "adamw_update",
    "add",
    "amsgrad_update",
    "average_update",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "clip",
    "col2im",
    "conv2d",
    "conv2d_dW",
    "conv2d_dx",
    "conv2d_max_pool2d",
    "dropout",
    "dropout_backward",
    "gemm",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "group_norm",
    "group_norm_backward",
    "im2col",
    "lars_update",
    "local_response_norm",
    "local_response_norm_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "momentum_update",
    "nadam_update",
    "nesterov_update",
    "norm",
    "relu",
    "relu_backward",
    "resample2d",
    "resample2d_backward",
    "rmsprop_update",
    "rprop_update",
    "scale",
    "sgd_update",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "squared_error",
    "squared_error_backward",
    "sum",
    "sum_channels",
    "tanh",
    "tanh_backward",
]
