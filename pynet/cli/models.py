"""The networks that can be named on the command line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynet.networks import Network

# Name: whether it takes images (N, C, H, W) as they are, or rows (N, D).
MODELS = {
    "two-layer": False,
    "mlp": False,
    "mlp-bn": False,
    "simple-conv": True,
    "deep-conv": True,
    "conv-bn": True,
}


def takes_images(model: str) -> bool:
    """Whether a network takes images, and not rows."""
    return MODELS[model]


def build(model: str, sample_shape: tuple[int, ...], classes: int, dtype: str) -> Network:
    """Make the network for samples of a shape.

    Raises ValueError when it cannot take them.
    """
    from pynet import networks

    if takes_images(model) and len(sample_shape) != 3:
        raise ValueError(
            f"[{model}] data: expected images (C, H, W), got samples of shape {sample_shape}"
        )
    size: Any = {"output_size": classes, "dtype": dtype}
    rows = math.prod(sample_shape)
    if model == "two-layer":
        return networks.TwoLayerNet(rows, 50, **size)
    if model == "mlp":
        return networks.MultiLayerNet(rows, [100, 100], **size)
    if model == "mlp-bn":
        return networks.MultiLayerNetExtend(
            rows, [100, 100], use_batchnorm=True, use_dropout=True, dropout_ration=0.2, **size
        )
    if model == "simple-conv":
        conv = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}
        return networks.SimpleConvNet(sample_shape, conv, **size)
    if model == "deep-conv":
        return networks.DeepConvNet(sample_shape, **size)
    return _conv_bn(sample_shape, classes, dtype)


def _conv_bn(sample_shape: tuple[int, ...], classes: int, dtype: str) -> Network:
    """Three convolutions with batch normalisation, two pools, dropout, one Affine."""
    from pynet.layers import (
        Affine,
        BatchNormalization,
        Convolution,
        Dropout,
        Pooling,
        Relu,
        Sequential,
    )
    from pynet.networks import Network

    if min(sample_shape[1:]) < 4:
        raise ValueError(f"[conv-bn] data: expected images of 4x4 or more, got {sample_shape}")
    return Network(
        Sequential(
            Convolution.sized(16, 3, pad=1),
            BatchNormalization.sized(),
            Relu(),
            Convolution.sized(32, 3, pad=1),
            BatchNormalization.sized(),
            Relu(),
            Pooling(2, 2),
            Convolution.sized(64, 3, pad=1),
            BatchNormalization.sized(),
            Relu(),
            Pooling(2, 2),
            Dropout(0.3),
            Affine.sized(classes),
        ),
        input_dim=sample_shape,
        dtype=dtype,
    )
