"""Direct convolution on a device: first layers, with and without pooling.

tests/cuda_host/direct.cu goes through tiles and places; here are shapes that choose tiles of all
kinds by themselves: several images, parts of an image, some channels at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from device_ops import DeviceOps, device_module
from test_ops import bits

from pynet import reference


class Shape(NamedTuple):
    x: tuple[int, int, int, int]
    filters: tuple[int, int, int, int]
    way: dict[str, Any]


SHAPES = [
    Shape((2, 1, 28, 28), (30, 1, 5, 5), {}),  # SimpleConvNet
    Shape((2, 1, 28, 28), (16, 1, 3, 3), {"pad": 1}),  # DeepConvNet
    Shape((5, 1, 8, 9), (3, 1, 3, 3), {"pad": 1}),
    Shape((1, 3, 41, 62), (9, 3, 7, 7), {"stride": 2, "pad": 3}),
    Shape((1, 3, 44, 43), (9, 3, 11, 11), {"stride": 4, "pad": 2}),
    Shape((1, 3, 13, 30), (10, 3, 2, 11), {"stride": (1, 2)}),
    Shape((1, 3, 9, 33), (9, 3, 2, 13), {"pad": 1}),  # rows of more taps than are added at a time
    Shape((1, 16, 15, 22), (12, 16, 3, 3), {"pad": 1}),
]
DTYPES = [np.float32, np.float64]


@pytest.fixture(scope="module")
def ops() -> DeviceOps:
    return DeviceOps(device_module())


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_and_without_pooling(ops: DeviceOps, shape: Shape, dtype: Any) -> None:
    """The same bits in one call as in two, and wherever the maps lie."""
    rng = np.random.default_rng(0)
    x, W = numbers(rng, shape.x, dtype), numbers(rng, shape.filters, dtype)
    b = numbers(rng, shape.filters[:1], dtype)
    for relu in (False, True):
        y = ops.conv2d(x, W, b, relu=relu, **shape.way)
        pooled = ops.conv2d_max_pool2d(x, W, b, 2, relu=relu, **shape.way)
        assert bits(pooled) == bits(ops.max_pool2d(y, 2))
        shifted = DeviceOps(ops.module, shift=1)
        assert bits([y]) == bits([shifted.conv2d(x, W, b, relu=relu, **shape.way)])
        assert bits(pooled) == bits(shifted.conv2d_max_pool2d(x, W, b, 2, relu=relu, **shape.way))
    taps = W[0].size
    exact = reference.conv2d(*(a.astype(np.float64) for a in (x, W, b)), relu=True, **shape.way)
    np.testing.assert_allclose(y, exact, rtol=0, atol=10 * taps * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_of_the_filters(ops: DeviceOps, shape: Shape, dtype: Any) -> None:
    """Beside float64; the same bits wherever x and dout lie."""
    rng = np.random.default_rng(3)
    x, W = numbers(rng, shape.x, dtype), numbers(rng, shape.filters, dtype)
    dout = numbers(rng, reference.conv2d(x, W, **shape.way).shape, dtype)
    shifted = DeviceOps(ops.module, shift=1)
    first, second = (o.conv2d_dW(dout, x, W.shape, **shape.way) for o in (ops, shifted))
    assert bits([first]) == bits([second])
    wide = (dout.astype(np.float64), x.astype(np.float64))
    exact = reference.conv2d_dW(*wide, W.shape, **shape.way)
    terms = dout[:, 0].size
    np.testing.assert_allclose(first, exact, rtol=0, atol=2 * terms * np.finfo(dtype).eps)


def test_an_image_that_is_not_finite(ops: DeviceOps) -> None:
    """It spoils its windows and no other; NaN wins where maxima are taken."""
    rng = np.random.default_rng(1)
    x, W = numbers(rng, (3, 1, 9, 11), np.float32), numbers(rng, (9, 1, 3, 3), np.float32)
    x[1, 0, 0, 0], x[1, 0, 5, 6], x[2, 0, 8, 10] = np.inf, np.nan, -np.inf
    for op, extra in (("conv2d", ()), ("conv2d_max_pool2d", (None, 2))):
        found, exact = (getattr(o, op)(x, W, *extra, pad=1) for o in (ops, reference))
        for a, b in zip(
            *(r if isinstance(r, tuple) else (r,) for r in (found, exact)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_precision_does_not_matter(ops: DeviceOps) -> None:
    """The shape says which way is taken: no tensor core rounds what a first layer reads."""
    rng = np.random.default_rng(2)
    x, W = numbers(rng, (2, 1, 14, 14), np.float32), numbers(rng, (8, 1, 5, 5), np.float32)
    y = ops.conv2d(x, W)
    dW = ops.conv2d_dW(y, x, W.shape)
    ops.module.set_precision("bfloat16")
    again = [ops.conv2d(x, W), ops.conv2d_dW(y, x, W.shape)]
    ops.module.set_precision("float32")
    assert bits([y, dW]) == bits(again)
