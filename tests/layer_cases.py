"""Layers to test all alike, and what their tests share."""

from __future__ import annotations

import numpy as np

from pynet.layers import (
    Affine,
    AveragePooling,
    BatchNormalization,
    Concat,
    Convolution,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    Pooling,
    Relu,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
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
}
