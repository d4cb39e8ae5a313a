"""Layers to test all alike, and what their tests share."""

from __future__ import annotations

import numpy as np

from pynet.layers import (
    ActivationLayer,
    AdaptiveAveragePooling,
    AdaptiveMaxPooling,
    Affine,
    AveragePooling,
    AveragePooling1D,
    BatchNormalization,
    ChannelDropout,
    Concat,
    Convolution,
    Convolution1D,
    DepthwiseConvolution,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    GroupNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    LogSoftmax,
    Maxout,
    Padding,
    Pooling,
    Pooling1D,
    PRelu,
    Relu,
    Reshape,
    Residual,
    RRelu,
    Sequential,
    Sigmoid,
    Softmax,
    Softmin,
    Tanh,
    TransposedConvolution,
    Upsampling,
    ZeroPadding,
)

F32, F64 = np.float32, np.float64


def draw(*shape, dtype=F64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def close(a, b, dtype=F64):
    rtol = 1e-12 if dtype == F64 else 1e-5
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def nested():
    """A net of every container, whose layers take their sizes from the first batch."""
    return Sequential(
        Convolution.sized(4, 3, pad=1, bias=False),
        BatchNormalization.sized(),
        Relu(),
        Residual(Sequential(Convolution.sized(4, 3, pad=1), BatchNormalization.sized(), Relu())),
        Residual(Convolution.sized(6, 1), Convolution.sized(6, 1)),
        Concat(Convolution.sized(2, 1), Sequential(Convolution.sized(3, 1), Dropout(0.1))),
        Sequential(Convolution.sized(5, 1), Convolution.sized(5, 1)),
        Sequential(Relu()),
        Sequential(Convolution.sized(5, 1)),
        Dropout(0.2),
        Affine.sized(10),
        BatchNormalization.sized(),
        Dropout(0.3),
    )


FAMILY = {cls.__name__: cls for cls in ActivationLayer.__subclasses__()}
THRESHOLDS = dict.fromkeys(("HardShrink", "SoftShrink"), (0.4,))  # which no number here is

# name: (how to make it in a dtype, the shape of an input)
LAYERS = {
    "Affine": (lambda d: Affine(draw(6, 4, dtype=d), draw(4, dtype=d)), (5, 6)),
    "Affine of 4-D": (lambda d: Affine(draw(24, 4, dtype=d), draw(4, dtype=d)), (5, 2, 3, 4)),
    "Convolution": (
        lambda d: Convolution(draw(4, 2, 3, 3, dtype=d), draw(4, dtype=d), 1, 1),
        (3, 2, 5, 6),
    ),
    "Pooling": (lambda d: Pooling(2, 2), (3, 2, 6, 6)),
    "AveragePooling": (lambda d: AveragePooling(2, 2), (3, 2, 6, 6)),
    "GlobalAveragePooling": (lambda d: GlobalAveragePooling(), (3, 2, 6, 6)),
    "Relu": (lambda d: Relu(), (3, 4)),
    "Sigmoid": (lambda d: Sigmoid(), (3, 4)),
    "Tanh": (lambda d: Tanh(), (3, 4)),
    **{
        name: (lambda d, cls=cls: cls(*THRESHOLDS.get(cls.__name__, ())), (3, 4))
        for name, cls in FAMILY.items()
    },
    "PRelu": (lambda d: PRelu(np.full(1, 0.25, d)), (3, 4)),
    "PRelu of 4-D": (lambda d: PRelu(draw(4, dtype=d)), (2, 4, 3, 2)),
    "RRelu": (lambda d: RRelu(), (3, 4)),
    "Softmax": (lambda d: Softmax(), (3, 4)),
    "LogSoftmax": (lambda d: LogSoftmax(), (3, 4)),
    "Softmin": (lambda d: Softmin(), (3, 4)),
    "Maxout": (lambda d: Maxout(2), (3, 4)),
    "Maxout of 4-D": (lambda d: Maxout(3), (2, 6, 3, 2)),
    "Flatten": (lambda d: Flatten(), (3, 2, 2, 4)),
    "Dropout": (lambda d: Dropout(0.3), (3, 4)),
    "BatchNormalization": (
        lambda d: BatchNormalization(draw(4, dtype=d), draw(4, dtype=d)),
        (5, 4),
    ),
    "BatchNormalization of 4-D": (
        lambda d: BatchNormalization(draw(2, dtype=d), draw(2, dtype=d)),
        (5, 2, 3, 3),
    ),
    "LayerNormalization": (
        lambda d: LayerNormalization(draw(4, dtype=d), draw(4, dtype=d, seed=1)),
        (5, 4),
    ),
    "LayerNormalization of 4-D": (
        lambda d: LayerNormalization(draw(2, 3, 3, dtype=d), draw(2, 3, 3, dtype=d, seed=1)),
        (4, 2, 3, 3),
    ),
    "GroupNormalization": (
        lambda d: GroupNormalization(draw(6, dtype=d), draw(6, dtype=d, seed=1), 3),
        (3, 6, 2, 3),
    ),
    "LocalResponseNormalization": (
        lambda d: LocalResponseNormalization(3, alpha=0.1),
        (3, 5, 2, 3),
    ),
    "ChannelDropout": (lambda d: ChannelDropout(0.4), (3, 5, 2, 3)),
    "Convolution in groups": (
        lambda d: Convolution(draw(6, 2, 3, 2, dtype=d), draw(6, dtype=d), (2, 1), 1, groups=3),
        (3, 6, 5, 4),
    ),
    "Convolution1D": (
        lambda d: Convolution1D(draw(4, 2, 3, dtype=d), draw(4, dtype=d), 2, 1),
        (3, 2, 8),
    ),
    "DepthwiseConvolution": (
        lambda d: DepthwiseConvolution(
            draw(6, 1, 3, 2, dtype=d), draw(6, dtype=d), 2, 1, multiplier=2
        ),
        (3, 3, 5, 6),
    ),
    "TransposedConvolution": (
        lambda d: TransposedConvolution(
            draw(4, 3, 3, 2, dtype=d), draw(6, dtype=d), 2, 1, groups=2, output_pad=(1, 0)
        ),
        (3, 4, 3, 4),
    ),
    "GlobalMaxPooling": (lambda d: GlobalMaxPooling(), (3, 2, 3, 4)),
    "Pooling1D": (lambda d: Pooling1D(3, 2, 1), (3, 2, 9)),
    "AveragePooling1D": (lambda d: AveragePooling1D(3, 2, 1, count_pad=False), (3, 2, 9)),
    "AdaptiveAveragePooling": (lambda d: AdaptiveAveragePooling((3, 2)), (3, 2, 7, 5)),
    "AdaptiveMaxPooling": (lambda d: AdaptiveMaxPooling((3, 2)), (3, 2, 7, 5)),
    "Reshape": (lambda d: Reshape(2, -1, 3), (4, 6, 2)),
    "Padding": (lambda d: Padding((1, 2, 0, 3), value=0.5), (2, 2, 3, 4)),
    "Padding, reflected": (lambda d: Padding((2, 1), "reflect"), (2, 2, 3, 4)),
    "Padding, edge": (lambda d: Padding(2, "edge"), (2, 2, 3, 4)),
    "ZeroPadding": (lambda d: ZeroPadding(1), (2, 2, 3, 4)),
    "Upsampling": (lambda d: Upsampling((2, 3)), (2, 2, 3, 4)),
    "Upsampling, bilinear": (lambda d: Upsampling(2, "bilinear"), (2, 2, 3, 4)),
}
