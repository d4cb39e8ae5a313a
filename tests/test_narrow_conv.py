"""Convolutions of groups of few channels: inside their arrays, the same bits whoever computes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from guarded import assert_survives, guarded

from pynet import _core

THREADS = (1, 2, 3, 7, 16)


@pytest.fixture(autouse=True, params=_core.isas())
def settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each instruction set of this machine; what was set before is set again."""
    isa, threads = _core.isa(), _core.num_threads()
    _core.set_isa(request.param)
    yield
    _core.set_isa(isa)
    _core.set_num_threads(threads)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 8, 40, 56), (1, 4, 151, 47)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...], stride: Any) -> None:
    rng = np.random.default_rng(0)
    C = shape[1]
    x, W = normal(rng, *shape), normal(rng, 2 * C, 1, 3, 3)
    kw: dict[str, Any] = {"stride": stride, "pad": 1, "groups": C}
    dout = normal(rng, *_core.conv2d(x, W, **kw).shape)
    results = set()
    for threads in THREADS:
        _core.set_num_threads(threads)
        y, dx = _core.conv2d(x, W, **kw), _core.conv2d_dx(dout, W, x.shape, **kw)
        dW = _core.conv2d_dW(dout, x, W.shape, **kw)
        results.add((y.tobytes(), dx.tobytes(), dW.tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize("size", [(256, 256), (257, 264)], ids=str)
def test_large_gradients_have_the_same_bits(size: tuple[int, int]) -> None:
    """16 MiB go past the caches: no other values than those of each half."""
    H, W = size
    rng = np.random.default_rng(1)
    filters, dout = normal(rng, 64, 1, 3, 3), normal(rng, 1, 64, (H + 1) // 2, W // 2)
    kw: dict[str, Any] = {"stride": 2, "pad": 1}
    dx = _core.conv2d_dx(dout, filters, (1, 64, H, W), groups=64, **kw)
    assert dx.nbytes >= 16 << 20
    for half in (slice(32), slice(32, 64)):
        part = dout[:, half].copy(), filters[half].copy(), (1, 32, H, W)
        assert np.array_equal(dx[:, half], _core.conv2d_dx(*part, groups=32, **kw))


def stay_inside(isa: str) -> None:
    """Ends the process if a kernel touches what lies beside its arrays."""
    _core.set_isa(isa)
    rng = np.random.default_rng(2)
    sizes = [(1, 5, 2, 1), (2, 7, 17, 1), (2, 9, 33, 2), (1, 12, 56, 1), (1, 67, 70, 2)]
    strides: list[Any] = [1, 2, (3, 2), (1, 3)]
    for (groups, H, W, M), stride, F, pad in product(sizes, strides, (1, 3, 5), (0, 1, 2)):
        if min(H, W) + 2 * pad < F:
            continue
        for at_end in (False, True):
            kw: dict[str, Any] = {"stride": stride, "pad": pad, "groups": groups + 1}
            x, filters = normal(rng, 2, groups + 1, H, W), normal(rng, M * (groups + 1), 1, F, F)
            y = _core.conv2d(x, filters, **kw)
            x, filters, y, dx = (guarded(a, at_end) for a in (x, filters, y, x))
            _core.conv2d(x, filters, out=y, **kw)
            _core.conv2d_dW(y, x, filters.shape, out=guarded(filters, at_end), **kw)
            for add in (False, True):
                _core.conv2d_dx(y, filters, x.shape, out=dx, add=add, **kw)


def test_nothing_beside_the_arrays() -> None:
    assert_survives(f"import test_narrow_conv; test_narrow_conv.stay_inside({_core.isa()!r})")
