"""Every op of pynet again in short plain NumPy: the text to learn from and to check against.

The names and arguments are those of `pynet.ops`, the formulas and the way they are computed are
the textbook's. Nothing is checked and nothing is tuned. `pynet.backend.use("reference")` puts
this module in the place of the C++ core.
"""

from pynet.reference._arrays import empty
from pynet.reference.activation import (
    activation,
    activation_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from pynet.reference.conv import col2im, conv2d, conv2d_dW, conv2d_dx, conv2d_naive, im2col
from pynet.reference.dropout import dropout, dropout_backward
from pynet.reference.elementwise import add, clip, scale
from pynet.reference.linear import gemm
from pynet.reference.loss import (
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
from pynet.reference.norm import (
    batch_norm,
    batch_norm_backward,
    group_norm,
    group_norm_backward,
    local_response_norm,
    local_response_norm_backward,
)
from pynet.reference.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    conv2d_max_pool2d,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from pynet.reference.reduce import norm, sum, sum_channels
from pynet.reference.resample import resample2d, resample2d_backward
from pynet.reference.update import (
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
    "conv2d_naive",
    "dropout",
    "dropout_backward",
    "empty",
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
