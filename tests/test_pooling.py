"""Pooling: inside its arrays, and gradients that are added are those that are stored."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from guarded import assert_survives, guarded

from pynet import _core

KERNELS = [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 2, 2), (3, 1, 1), (2, 1, 0)]  # size, stride, pad


def stay_inside(isa: str) -> None:
    """Ends the process if a kernel touches what lies beside its arrays."""
    _core.set_isa(isa)
    rng = np.random.default_rng(3)
    widths = (3, 4, 6, 9, 12, 17, 31, 33, 38, 66)
    for W, (kernel, stride, pad), at_end, dtype in product(
        widths, KERNELS, (False, True), ("f4", "f8")
    ):
        kw: dict[str, Any] = {"stride": stride, "pad": pad}
        plain = rng.standard_normal((2, 2, 7, W)).astype(dtype)
        mean = _core.avg_pool2d(plain, kernel, **kw)
        where = _core.max_pool2d(plain, kernel, **kw)[1]
        x, y, arg = (guarded(a, at_end) for a in (plain, mean, where))
        assert np.array_equal(_core.avg_pool2d(x, kernel, **kw), mean)
        _core.max_pool2d(x, kernel, **kw)
        for add in (False, True):
            _core.avg_pool2d_backward(y, x.shape, kernel, out=guarded(plain, at_end), add=add, **kw)
            dx = guarded(plain, at_end)
            _core.max_pool2d_backward(y, arg, x.shape, kernel, y=y, out=dx, add=add, **kw)


@pytest.mark.parametrize("isa", _core.isas())
def test_nothing_beside_the_arrays(isa: str) -> None:
    assert_survives(f"import test_pooling; test_pooling.stay_inside({isa!r})")


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("kernel, stride, pad", KERNELS)
def test_added_gradients(isa: str, kernel: int, stride: int, pad: int) -> None:
    """Adding to what is there already rounds once more, and does nothing else."""
    before = _core.isa()
    _core.set_isa(isa)
    rng = np.random.default_rng(4)
    kw: dict[str, Any] = {"stride": stride, "pad": pad}
    for W in (4, 5, 9, 12, 24, 37, 64):
        x = rng.standard_normal((2, 3, 9, W)).astype("f4")
        y, arg = _core.max_pool2d(x, kernel, **kw)
        dx = _core.max_pool2d_backward(y, arg, x.shape, kernel, **kw)
        out = _core.max_pool2d_backward(y, arg, x.shape, kernel, out=x.copy(), add=True, **kw)
        if kernel <= stride:  # windows that do not overlap
            assert np.array_equal(out, x + dx)
        dx = _core.avg_pool2d_backward(y, x.shape, kernel, **kw)
        out = _core.avg_pool2d_backward(y, x.shape, kernel, out=x.copy(), add=True, **kw)
        np.testing.assert_allclose(out, x + dx, rtol=1e-6, atol=1e-6)
    _core.set_isa(before)
