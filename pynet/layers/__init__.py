"""The layers of the book, and containers that make one layer of several.

As in the book's `common.layers`, a star import also brings the functions, `im2col`, `col2im` and
`np`.
"""

import numpy as np

from pynet.functions import (
    cross_entropy_error,
    identity_function,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_loss,
    step_function,
    sum_squared_error,
)
from pynet.layers.activation import (
    ActivationLayer,
    Celu,
    Elu,
    Gaussian,
    Gelu,
    GeluTanh,
    HardShrink,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Identity,
    LeakyRelu,
    LogSigmoid,
    Mish,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Sinusoid,
    Softplus,
    SoftShrink,
    Softsign,
    Step,
    Swish,
    Tanh,
    TanhShrink,
)
from pynet.layers.adaptive import AdaptiveAveragePooling, AdaptiveMaxPooling
from pynet.layers.affine import Affine
from pynet.layers.arithmetic import AddLayer, MulLayer
from pynet.layers.base import Description, Layer, Row, Slot
from pynet.layers.container import Concat, Container, Residual, Sequential
from pynet.layers.convolution import Convolution, Convolution1D, DepthwiseConvolution
from pynet.layers.dropout import ChannelDropout, Dropout
from pynet.layers.group_normalization import GroupNormalization, LayerNormalization
from pynet.layers.local_response import LocalResponseNormalization
from pynet.layers.loss import IdentityWithLoss, SigmoidWithLoss, SoftmaxWithLoss
from pynet.layers.loss_layer import LossLayer
from pynet.layers.maxout import Maxout
from pynet.layers.normalization import BatchNormalization
from pynet.layers.pooling import (
    AveragePooling,
    AveragePooling1D,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Pooling,
    Pooling1D,
)
from pynet.layers.randomized import RandomizedLayer
from pynet.layers.rectifier import PRelu, RRelu
from pynet.layers.resampling import Padding, Upsampling, ZeroPadding
from pynet.layers.reshape import Flatten, Reshape
from pynet.layers.softmax import LogSoftmax, Softmax, Softmin
from pynet.layers.transposed import TransposedConvolution
from pynet.util import col2im, im2col

__all__ = [
    "ActivationLayer",
    "AdaptiveAveragePooling",
    "AdaptiveMaxPooling",
    "AddLayer",
    "Affine",
    "AveragePooling",
    "AveragePooling1D",
    "BatchNormalization",
    "Celu",
    "ChannelDropout",
    "Concat",
    "Container",
    "Convolution",
    "Convolution1D",
    "DepthwiseConvolution",
    "Description",
    "Dropout",
    "Elu",
    "Flatten",
    "Gaussian",
    "Gelu",
    "GeluTanh",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "GroupNormalization",
    "HardShrink",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "IdentityWithLoss",
    "Layer",
    "LayerNormalization",
    "LeakyRelu",
    "LocalResponseNormalization",
    "LogSigmoid",
    "LogSoftmax",
    "LossLayer",
    "Maxout",
    "Mish",
    "MulLayer",
    "PRelu",
    "Padding",
    "Pooling",
    "Pooling1D",
    "RRelu",
    "RandomizedLayer",
    "Relu",
    "Relu6",
    "Reshape",
    "Residual",
    "Row",
    "Selu",
    "Sequential",
    "Sigmoid",
    "SigmoidWithLoss",
    "Silu",
    "Sinusoid",
    "Slot",
    "SoftShrink",
    "Softmax",
    "SoftmaxWithLoss",
    "Softmin",
    "Softplus",
    "Softsign",
    "Step",
    "Swish",
    "Tanh",
    "TanhShrink",
    "TransposedConvolution",
    "Upsampling",
    "ZeroPadding",
    "col2im",
    "cross_entropy_error",
    "identity_function",
    "im2col",
    "np",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]
