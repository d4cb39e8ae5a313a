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
from pynet.layers.activation import Relu, Sigmoid, Tanh
from pynet.layers.affine import Affine, Flatten
from pynet.layers.arithmetic import AddLayer, MulLayer
from pynet.layers.base import Description, Layer, Row, Slot
from pynet.layers.container import Concat, Container, Residual, Sequential
from pynet.layers.convolution import Convolution
from pynet.layers.dropout import Dropout
from pynet.layers.loss import IdentityWithLoss, LossLayer, SigmoidWithLoss, SoftmaxWithLoss
from pynet.layers.normalization import BatchNormalization
from pynet.layers.pooling import AveragePooling, GlobalAveragePooling, Pooling
from pynet.util import col2im, im2col

__all__ = [
    "AddLayer",
    "Affine",
    "AveragePooling",
    "BatchNormalization",
    "Concat",
    "Container",
    "Convolution",
    "Description",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling",
    "IdentityWithLoss",
    "Layer",
    "LossLayer",
    "MulLayer",
    "Pooling",
    "Relu",
    "Residual",
    "Row",
    "Sequential",
    "Sigmoid",
    "SigmoidWithLoss",
    "Slot",
    "SoftmaxWithLoss",
    "Tanh",
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
