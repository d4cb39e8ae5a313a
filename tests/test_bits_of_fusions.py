"""Ops that do the work of several in one pass give the bits of those, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cases import DTYPES, OP_CASES

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
