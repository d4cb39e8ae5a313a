"""Results that are written past the caches are those of the same kernels on smaller arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pynet import ops

SIZE = (17 << 20) // 4  # floats of an array that is streamed: more than 16 MiB
PARTS = 5
FLAT: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda x, d: ops.relu(x),
    "relu_backward": lambda x, d: ops.relu_backward(d, x),
    "sigmoid": lambda x, d: ops.sigmoid(x),
    "tanh_backward": lambda x, d: ops.tanh_backward(d, x),
    "add": ops.add,
    "scale": lambda x, d: ops.scale(x, 1.5),
    "clip": lambda x, d: ops.clip(x, -0.5, 0.5),
}


@pytest.mark.parametrize("op", FLAT)
@pytest.mark.parametrize("rest", [0, 3])
def test_element_by_element(op: str, rest: int) -> None:
    rng = np.random.default_rng(1)
    x, d = (rng.standard_normal(SIZE + rest, dtype=np.float32) for _ in range(2))
    parts = [FLAT[op](a, b) for a, b in zip(np.array_split(x, PARTS), np.array_split(d, PARTS))]
    assert FLAT[op](x, d).tobytes() == np.concatenate(parts).tobytes()
    if op == "add":  # where nothing is aligned to vectors
        out = np.empty(x.size + 1, np.float32)[1:]
        assert ops.add(x, d, out=out).tobytes() == np.concatenate(parts).tobytes()


@pytest.mark.parametrize("W", [64, 72, 75])
@pytest.mark.parametrize("kernel", [2, 3])
def test_pooling_backward(W: int, kernel: int) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((-(-SIZE // (W * W * 16)), 16, W, W), dtype=np.float32)
    y, arg = ops.max_pool2d(x, kernel, stride=2)
    dout = rng.standard_normal(y.shape, dtype=np.float32)

    def backward(n: slice) -> list[Any]:
        d, shape = dout[n], x[n].shape
        dx = ops.max_pool2d_backward(d, arg[n], shape, kernel, stride=2)
        return [dx, ops.avg_pool2d_backward(d, shape, kernel, stride=2)]

    whole = backward(slice(None))
    parts = [backward(slice(i, i + 10)) for i in range(0, len(x), 10)]
    for i, dx in enumerate(whole):
        assert dx.tobytes() == np.concatenate([part[i] for part in parts]).tobytes()
