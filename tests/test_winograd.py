"""Winograd's convolution: how exact it is, at all edges, inside its arrays, and turned off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from guarded import assert_survives, guarded

import pynet
from pynet import _core

THREADS = (1, 2, 3, 4, 7, 16)


@pytest.fixture(autouse=True, params=_core.isas())
def settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each instruction set of this machine; what was set before is set again."""
    isa, threads, winograd = _core.isa(), _core.num_threads(), _core.winograd()
    _core.set_isa(request.param)
    _core.set_winograd(True)
    yield
    _core.set_isa(isa)
    _core.set_num_threads(threads)
    _core.set_winograd(winograd)


def far(a: np.ndarray, exact: np.ndarray) -> float:
    """The largest error as a part of the largest exact value."""
    return float(np.abs(a - exact).max() / np.abs(exact).max())


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def both(on: bool, op: str, *args: Any, **kw: Any) -> np.ndarray:
    _core.set_winograd(on)
    result: np.ndarray = getattr(_core, op)(*args, **kw)
    _core.set_winograd(True)
    return result


def double(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args)


# ---- exactness ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("side", [12, 6])  # tiles of 4 outputs, and of 2
@pytest.mark.parametrize("channels", [32, 64, 128, 256, 512])
def test_error_as_documented(channels: int, side: int, dilation: int) -> None:
    """What 300 random inputs showed is 3.7e-6 at most, and 10 times the direct way's error."""
    exact_tiles, side = side == 6, side * dilation
    kw: dict[str, Any] = {"pad": dilation, "dilation": dilation}
    rng = np.random.default_rng(channels)
    W, x = normal(rng, 32, channels, 3, 3), normal(rng, 3, channels, side, side)
    dout, V = normal(rng, 3, channels, side, side), normal(rng, channels, 32, 3, 3)
    calls: list[tuple[str, tuple[Any, ...]]] = [("conv2d", (x, W))]
    calls += [("conv2d", (np.maximum(x, 0), W)), ("conv2d_dx", (dout, V, (3, 32, side, side)))]
    calls += [] if exact_tiles else [("conv2d_dW", (dout[:, :32].copy(), x, W.shape))]
    for op, args in calls:
        exact = getattr(_core, op)(*double(args), **kw)
        on, off = both(True, op, *args, **kw), both(False, op, *args, **kw)
        assert not np.array_equal(on, off), "not Winograd's way"
        assert far(on, exact) < (1.5e-6 if exact_tiles else 6e-6)
        assert far(on, exact) < (4 if exact_tiles else 15) * far(off, exact)


@pytest.mark.parametrize("dilated", [False, True])
def test_all_edges(dilated: bool) -> None:
    """Sizes around the tiles and vectors, every padding, bias and ReLU, writing and adding."""
    rng = np.random.default_rng(0)
    taken = dw_taken = 0
    for _ in range(150):
        N, C, FN, H, W = (int(n) for n in rng.integers((1, 12, 12, 3, 3), (5, 50, 50, 40, 40)))
        pad = tuple(int(p) for p in rng.integers(0, 5, 2))
        apart: tuple[int, ...] = (1, 1)
        if dilated:
            apart = tuple(int(d) for d in rng.integers(1, 6, 2))
            H, W = H + 2 * apart[0] - 2, W + 2 * apart[1] - 2
        kw: dict[str, Any] = {"pad": pad, "dilation": apart}
        relu = bool(rng.integers(2))
        x, filters, b = normal(rng, N, C, H, W), normal(rng, FN, C, 3, 3), normal(rng, FN)
        args = (x, filters, b) if rng.integers(2) else (x, filters)
        y = _core.conv2d(*args, relu=relu, **kw)
        name = f"{x.shape} {filters.shape} {kw} relu {relu}"
        assert far(y, _core.conv2d(*double(args), relu=relu, **kw)) < 5e-6, name
        taken += not np.array_equal(y, both(False, "conv2d", *args, relu=relu, **kw))

        back = (normal(rng, *y.shape), filters, x.shape)
        dx, exact = _core.conv2d_dx(*back, **kw), _core.conv2d_dx(*double(back), **kw)
        assert far(dx, exact) < 5e-6, name
        total = x.copy()
        _core.conv2d_dx(*back, out=total, add=True, **kw)
        assert far(total - x, exact) < 1e-5, name

        back = (back[0], x, filters.shape)
        dW = _core.conv2d_dW(*back, **kw)
        assert far(dW, _core.conv2d_dW(*double(back), **kw)) < 5e-6, name
        dw_taken += not np.array_equal(dW, both(False, "conv2d_dW", *back, **kw))
    assert min(taken, dw_taken) > (60 if dilated else 100)


def test_relu_is_relu_of_the_result() -> None:
    rng = np.random.default_rng(1)
    x, W, b = normal(rng, 2, 20, 15, 18), normal(rng, 20, 20, 3, 3), normal(rng, 20)
    y = _core.conv2d(x, W, b, pad=1)
    assert np.array_equal(_core.conv2d(x, W, b, pad=1, relu=True), _core.relu(y))


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_stays_near(bad: float, d: int) -> None:
    """It spoils all outputs that see it, no tile beyond, and nothing between dilated taps."""
    rng = np.random.default_rng(2)
    x, W = normal(rng, 2, 16, 24, 30), normal(rng, 16, 16, 3, 3)
    for row, column in [(0, 0), (11, 17), (23, 29)]:
        spoiled = x.copy()
        spoiled[1, 5, row, column] = bad
        finite = np.isfinite(_core.conv2d(spoiled, W, pad=d, dilation=d))
        assert finite[0].all()
        top, left = row - d if row >= d else row, column - d if column >= d else column
        assert not finite[1, :, top : row + d + 1 : d, left : column + d + 1 : d].any()
        rows, columns = np.nonzero(~finite[1].all(axis=0))
        for away in (rows - row, columns - column):
            assert np.abs(away).max() <= 4 * d
            assert (away % d == 0).all()


# ---- the contract ------------------------------------------------------------------------------

SHAPES = [  # many images to a block, several blocks of rows and columns, parts of filters, chunks
    (7, 24, 8, 10, 40),
    (2, 24, 40, 18, 32),
    (1, 16, 9, 150, 16),
    (1, 64, 8, 8, 300),
    (40, 16, 12, 12, 70),
]


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...], dilation: int) -> None:
    N, C, H, W, FN = shape
    H, W = H * dilation, W * dilation
    kw: dict[str, Any] = {"pad": dilation, "dilation": dilation}
    rng = np.random.default_rng(3)
    x, filters, dout = normal(rng, N, C, H, W), normal(rng, FN, C, 3, 3), normal(rng, N, FN, H, W)
    results = set()
    for threads in THREADS:
        _core.set_num_threads(threads)
        y, dx = _core.conv2d(x, filters, **kw), _core.conv2d_dx(dout, filters, x.shape, **kw)
        dW = _core.conv2d_dW(dout, x, filters.shape, **kw)
        results.add((y.tobytes(), dx.tobytes(), dW.tobytes()))
    assert len(results) == 1
    assert not np.array_equal(y, both(False, "conv2d", x, filters, **kw))


def stay_inside(isa: str) -> None:
    """Ends the process if a kernel touches what lies beside its arrays."""
    _core.set_isa(isa)
    rng = np.random.default_rng(4)
    sizes = [(1, 16, 3, 3, 16), (2, 17, 7, 5, 19), (1, 20, 14, 14, 33), (1, 33, 9, 70, 16)]
    for (N, C, H, W, FN), d in product(sizes, (1, 2, 3)):
        for pad, at_end in product((0, 1, 2), (False, True)):
            x, filters = normal(rng, N, C, H + 2 * d - 2, W + 2 * d - 2), normal(rng, FN, C, 3, 3)
            y = np.empty((N, FN, H + 2 * pad - 2, W + 2 * pad - 2), np.float32)
            x, filters, b, y, dx = (guarded(a, at_end) for a in (x, filters, normal(rng, FN), y, x))
            kw: dict[str, Any] = {"pad": pad, "dilation": d}
            _core.conv2d(x, filters, b, out=y, **kw)
            _core.conv2d_dW(y, x, filters.shape, out=guarded(filters, at_end), **kw)
            for add in (False, True):
                _core.conv2d_dx(y, filters, x.shape, out=dx, add=add, **kw)


def test_nothing_beside_the_arrays() -> None:
    assert_survives(f"import test_winograd; test_winograd.stay_inside({_core.isa()!r})")


# ---- the switch --------------------------------------------------------------------------------


def test_turned_off() -> None:
    rng = np.random.default_rng(5)
    x, W = normal(rng, 2, 32, 12, 12), normal(rng, 32, 32, 3, 3)
    on = _core.conv2d(x, W, pad=1)
    pynet.set_winograd(False)
    assert not _core.winograd()
    off = _core.conv2d(x, W, pad=1)
    assert not np.array_equal(on, off)
    code = "from pynet import _core; print(_core.winograd())"
    for value, told in [("0", "False\n"), ("1", "True\n"), ("", "True\n")]:
        environment = {**os.environ, "PYNET_WINOGRAD": value}
        assert (
            subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
            == told
        )


def test_where_it_is_never_taken() -> None:
    """float64, other filters, strides, far dilations, groups, and few channels."""
    rng = np.random.default_rng(6)
    x, W = normal(rng, 2, 32, 12, 12), normal(rng, 32, 32, 3, 3)
    cases: list[tuple[Any, Any, dict[str, Any]]] = [
        (x.astype(np.float64), W.astype(np.float64), {}),
        (x, W[:, :, :2].copy(), {}),
        (x, W, {"stride": (1, 2)}),
        (x, W, {"dilation": (1, 17), "pad": (0, 17)}),
        (x, W[:, :16].copy(), {"groups": 2}),
        (x[:, :3].copy(), W[:, :3].copy(), {}),
    ]
    for image, filters, kw in cases:
        on, off = (both(w, "conv2d", image, filters, **kw) for w in (True, False))
        assert np.array_equal(on, off)
