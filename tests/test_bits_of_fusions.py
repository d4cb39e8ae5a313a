"""Ops that do the work of several in one pass give the bits of those, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from case_shapes import pair
from cases import DTYPES, OP_CASES
from guarded import assert_survives, guarded

from pynet import _core, backend, ops


@pytest.fixture(autouse=True, params=_core.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this machine can run; the setting stays as it was."""
    before = _core.isa()
    _core.set_isa(request.param)
    with backend.use("core"):
        yield request.param
    _core.set_isa(before)


def with_specials(x: np.ndarray) -> np.ndarray:
    """The same with a NaN, infinities and a zero of either sign in it, where there is room."""
    x = x.copy()
    specials = [np.nan, -0.0, np.inf, 0.0, -np.inf]
    where = np.random.default_rng(0).permutation(x.size)[: min(5, x.size // 20)]
    x.flat[where] = specials[: len(where)]
    return x


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_conv2d_and_relu(dtype: Any, special: bool) -> None:
    for case in OP_CASES["conv2d"]:
        (x, *args), kw = case.inputs(case.rng(), dtype)
        if special:
            x = with_specials(x)
        kw.pop("relu", None)
        y = ops.relu(ops.conv2d(x, *args, **kw))
        fused = ops.conv2d(x, *args, relu=True, **kw)
        assert fused.tobytes() == y.tobytes(), str(case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool2d_backward_and_relu_backward(dtype: Any) -> None:
    """By the pooled y alone: a winner's value is its window's maximum."""
    for case in OP_CASES["max_pool2d"]:
        (x, kernel), kw = case.inputs(case.rng(), dtype)
        z = ops.relu(x)
        y, arg = ops.max_pool2d(z, kernel, **kw)
        dout = case.rng().standard_normal(y.shape).astype(dtype)
        dx = ops.relu_backward(ops.max_pool2d_backward(dout, arg, x.shape, kernel, **kw), z)
        fused = ops.max_pool2d_backward(dout, arg, x.shape, kernel, y=y, **kw)
        assert fused.tobytes() == dx.tobytes(), str(case)


KERNELS = (2, 1, 3, (1, 2), (2, 1), 4, (3, 2))


def assert_pools_like_the_ops(
    label: str, x: Any, W: Any, b: Any, kernel: Any, relu: bool = True, **kw: Any
) -> None:
    z = ops.conv2d(x, W, b, **kw)
    y, arg = ops.max_pool2d(ops.relu(z) if relu else z, kernel)
    fused, where = ops.conv2d_max_pool2d(x, W, b, kernel, relu=relu, **kw)
    assert fused.tobytes() == y.tobytes(), f"{label} {kernel}"
    assert where.tobytes() == arg.tobytes(), f"{label} {kernel}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_conv2d_relu_and_max_pool2d(dtype: Any, relu: bool) -> None:
    """The maxima and their places; NaN, infinities and zeros of either sign among the images."""
    for case in OP_CASES["conv2d"]:
        (x, W, *b), kw = case.inputs(case.rng(), dtype)
        x, bias = with_specials(x), b[0] if b else None
        kw.pop("relu", None)
        _, _, OH, OW = ops.conv2d(x, W, **kw).shape
        for kernel in KERNELS:
            if pair(kernel)[0] <= OH and pair(kernel)[1] <= OW:
                assert_pools_like_the_ops(str(case), x, W, bias, kernel, relu, **kw)


def test_winograd_relu_and_max_pool2d() -> None:
    """Filters of 3x3 and many channels, in all sizes around the tiles and the vectors."""
    assert _core.winograd()
    rng = np.random.default_rng(0)
    for _ in range(60):
        N, C, FN, H, W = (int(n) for n in rng.integers((1, 12, 12, 4, 4), (5, 80, 80, 40, 40)))
        x, filters, b = (
            rng.standard_normal(s).astype("f4") for s in ((N, C, H, W), (FN, C, 3, 3), FN)
        )
        pad = int(rng.integers(3))
        for kernel in (2, (2, 1)):
            assert_pools_like_the_ops(f"{x.shape} {FN}", x, filters, b, kernel, pad=pad)
        if min(H, W) + 2 * pad > 5:  # a tile holds no neighbours then
            assert_pools_like_the_ops(
                f"{x.shape} {FN} dilated", x, filters, b, 2, pad=pad, dilation=(2, 1)
            )


def stay_inside() -> None:
    """Ends the process if a kernel reads what lies beside its arrays."""
    rng = np.random.default_rng(4)
    sizes = [(1, 1, 28, 28, 30, 5), (2, 3, 9, 11, 7, 3), (1, 16, 14, 14, 33, 3), (1, 8, 6, 7, 5, 1)]
    for N, C, H, W, FN, F in sizes:
        for pad, at_end in product((0, 1, 2), (False, True)):
            shapes = (N, C, H, W), (FN, C, F, F), (FN,)
            x, filters, b = (guarded(rng.standard_normal(s).astype("f4"), at_end) for s in shapes)
            y, arg = _core.conv2d_max_pool2d(x, filters, b, 2, pad=pad, relu=True)
            y, arg, dx = (
                guarded(a, at_end) for a in (y, arg, np.zeros((*y.shape[:2], H, W), "f4"))
            )
            if H // 2 == y.shape[2] and W // 2 == y.shape[3]:
                _core.max_pool2d_backward(y, arg, dx.shape, 2, y=y, out=dx)


def test_nothing_beside_the_arrays(isa: str) -> None:
    assert_survives(f"import test_bits_of_fusions as t; t._core.set_isa({isa!r}); t.stay_inside()")
