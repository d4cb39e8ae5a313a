"""Networks to test all alike."""

from __future__ import annotations

import numpy as np
import pytest

import pynet
from pynet.layers import (
    Affine,
    BatchNormalization,
    Concat,
    Convolution,
    GlobalAveragePooling,
    Residual,
    Sequential,
    Tanh,
)
from pynet.networks import (
    DeepConvNet,
    MultiLayerNet,
    MultiLayerNetExtend,
    Network,
    SimpleConvNet,
    TwoLayerNet,
    TwoLayerNetSigmoid,
)

F64 = np.float64
CONV = {"filter_num": 4, "filter_size": 3, "pad": 0, "stride": 1}
SMALL = {"pad": 1, "stride": 1, "filter_size": 3, "filter_num": 2}


def small_deep(**kwargs):
    convs = {f"conv_param_{i}": SMALL for i in range(1, 7)}
    return DeepConvNet((1, 8, 8), **convs, hidden_size=6, output_size=3, **kwargs)


def composed(**kwargs):
    body = Sequential(Convolution.sized(3, 3, pad=1), BatchNormalization.sized(), Tanh())
    branches = (Convolution.sized(2, 1), Convolution.sized(2, 3, pad=1))
    return Network(
        Sequential(Residual(body), Concat(*branches), GlobalAveragePooling(), Affine.sized(3)),
        input_dim=(3, 6, 6),
        **kwargs,
    )


# name: (how to make it, the shape of a sample), each with 3 classes
NETS = {
    "TwoLayerNet": (lambda **k: TwoLayerNet(6, 5, 3, 0.5, **k), (6,)),
    "TwoLayerNetSigmoid": (lambda **k: TwoLayerNetSigmoid(6, 5, 3, 0.5, **k), (6,)),
    "MultiLayerNet": (
        lambda **k: MultiLayerNet(6, [5, 4], 3, weight_decay_lambda=0.1, **k),
        (6,),
    ),
    "MultiLayerNet sigmoid": (
        lambda **k: MultiLayerNet(6, [5], 3, "sigmoid", "xavier", **k),
        (6,),
    ),
    "MultiLayerNetExtend": (
        lambda **k: MultiLayerNetExtend(
            6, [5, 4], 3, weight_decay_lambda=0.1, use_dropout=True, use_batchnorm=True, **k
        ),
        (6,),
    ),
    "SimpleConvNet": (lambda **k: SimpleConvNet((2, 8, 8), CONV, 5, 3, 0.3, **k), (2, 8, 8)),
    "DeepConvNet": (small_deep, (1, 8, 8)),
    "composed": (composed, (3, 6, 6)),
}


def batch(sample, N=8, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, *sample)), rng.integers(0, classes, N)


def make(name, dtype=F64):
    np.random.seed(1)
    pynet.seed(1)
    build, sample = NETS[name]
    return build(dtype=dtype), *batch(sample)


every_net = pytest.mark.parametrize("name", NETS)
