"""Winograd's convolution on a device: taken where the shape says so, as exact as on the core.

tests/cuda_host/winograd.cu goes through tiles and edges, small shapes, which by themselves would
not take this way. An infinity tells which way was taken: the direct one spoils what meets it,
Winograd's the whole tile of 4 x 4; tests/cuda_host/coverage.py tells whether tiles of 2 x 2 were.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from device_ops import DeviceOps, device_module, on_device_module
from test_winograd import double, far, normal

import pynet
from pynet import _core, backend

device = on_device_module


class Shape(NamedTuple):
    x: tuple[int, int, int, int]
    filters: int
    way: dict[str, Any]
    tile: int = 4


SHAPES = [  # outputs in stores of 4 pixels, of 2, of 1, dilated; fused, also with odd rows
    Shape((4, 128, 32, 32), 96, {"pad": 1}),
    Shape((3, 128, 30, 30), 128, {"pad": 1}),
    Shape((8, 128, 21, 21), 96, {"pad": 0}),
    Shape((2, 161, 30, 27), 160, {"pad": 2, "dilation": 2}),
    Shape((5, 64, 56, 56), 64, {"pad": 1}, tile=2),
    Shape((5, 64, 56, 55), 64, {"pad": 1}, tile=2),
]


@pytest.fixture(scope="module")
def ops() -> DeviceOps:
    module = device_module()
    module.set_winograd(True)
    return DeviceOps(module)


def assert_near(found: np.ndarray, direct: np.ndarray, exact: np.ndarray, tile: int) -> None:
    """The bounds of test_winograd.py, where the infinity has not come."""
    known = np.isfinite(found)
    found, direct, exact = found[known], direct[known], exact[known]
    assert far(found, exact) < (6e-6 if tile == 4 else 1.5e-6)
    assert far(found, exact) < (15 if tile == 4 else 4) * far(direct, exact)


def on_the_core(op: str, *args: Any, **kw: Any) -> tuple[np.ndarray, np.ndarray]:
    """The direct way in float32, and the exact result."""
    before = _core.winograd()
    _core.set_winograd(False)
    results = getattr(_core, op)(*args, **kw), getattr(_core, op)(*double(args), **kw)
    _core.set_winograd(before)
    return results


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward(ops: DeviceOps, shape: Shape) -> None:
    rng = np.random.default_rng(0)
    x, W = normal(rng, *shape.x), normal(rng, shape.filters, shape.x[1], 3, 3)
    b = normal(rng, shape.filters)
    y, (direct, exact) = (
        ops.conv2d(x, W, b, **shape.way),
        on_the_core("conv2d", x, W, b, **shape.way),
    )
    assert_near(y, direct, exact, shape.tile)


@pytest.mark.parametrize("shape", SHAPES[:1], ids=str)
def test_which_way(ops: DeviceOps, shape: Shape) -> None:
    rng = np.random.default_rng(1)
    x, W = normal(rng, *shape.x), normal(rng, shape.filters, shape.x[1], 3, 3)
    x[1, 5, 5, 5] = np.inf  # in the middle of a tile

    def spoiled() -> int:
        finite: np.ndarray = np.isfinite(ops.conv2d(x, W, relu=False, **shape.way)[:, 0])
        return finite.size - int(finite.sum())

    assert spoiled() == 16
    ops.module.set_winograd(False)
    assert spoiled() == 9
    ops.module.set_winograd(True)


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[3]], ids=str)
def test_relu_and_max_pool(ops: DeviceOps, shape: Shape) -> None:
    rng = np.random.default_rng(2)
    x, W = normal(rng, *shape.x), normal(rng, shape.filters, shape.x[1], 3, 3)
    b = normal(rng, shape.filters)
    y = ops.conv2d(x, W, b, **shape.way)
    assert np.array_equal(ops.conv2d(x, W, b, relu=True, **shape.way), np.maximum(y, 0))
    best, where = ops.conv2d_max_pool2d(x, W, b, 2, relu=True, **shape.way)
    expected, there = _core.max_pool2d(np.maximum(y, 0), 2, stride=2)
    assert np.array_equal(best, expected)
    assert np.array_equal(where, there)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[3], SHAPES[4]], ids=str)
def test_gradients(ops: DeviceOps, shape: Shape) -> None:
    """An infinity in a corner meets four of a filter's taps the direct way."""
    rng = np.random.default_rng(3)
    x, W = normal(rng, *shape.x), normal(rng, shape.filters, shape.x[1], 3, 3)
    dout = normal(rng, *_core.conv2d(x, W, **shape.way).shape)

    dx = ops.conv2d_dx(dout, W, x.shape, **shape.way)
    assert_near(dx, *on_the_core("conv2d_dx", dout, W, x.shape, **shape.way), shape.tile)
    total = x.copy()
    ops.conv2d_dx(dout, W, x.shape, out=total, add=True, **shape.way)
    assert np.array_equal(total, x + dx)

    spoiled = x.copy()
    spoiled[0, 0, 0, 0] = np.inf
    dW = ops.conv2d_dW(dout, spoiled, W.shape, **shape.way)
    assert not np.isfinite(dW[:, 0]).any()
    assert_near(dW, *on_the_core("conv2d_dW", dout, x, W.shape, **shape.way), 4)
    again = ops.conv2d_dW(dout, spoiled, W.shape, **shape.way)
    assert np.array_equal(dW, again, equal_nan=True)


def test_the_switch_is_for_all_devices(device: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        pynet.set_winograd(False)
        assert not _core.winograd()
        assert not device.winograd()
        device.set_winograd(True)
        monkeypatch.setattr(backend, "_device", None)
        monkeypatch.setitem(sys.modules, "pynet._cuda", device)
        assert backend.device() is device  # the first use of a GPU
        assert not device.winograd()
    finally:
        pynet.set_winograd(True)
    assert device.winograd()
