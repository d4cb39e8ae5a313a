"""Batch normalisation with the ReLU behind it: the bits of the two ops, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pynet import ops

# Whole channels in a tile, of images and of columns; tiles of some samples; results that are
# streamed past the caches, whole vectors to a row and not.
SHAPES = [
    (7, 3),
    (100, 100),
    (5000, 40),
    (9000, 17),
    (3, 5, 7, 7),
    (8, 20, 24, 24),
    (40, 3, 64, 64),
    (30, 17, 56, 56),
    (80, 17, 56, 56),
    (30, 3, 129, 129),
    (26, 3, 240, 240),
]


def arrays(shape: tuple[int, ...], dtype: Any) -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    x, dout = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    gamma, beta = (rng.standard_normal(shape[1]).astype(dtype) for _ in range(2))
    return x, dout, gamma, beta


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_relu_behind_batch_norm(shape: tuple[int, ...], dtype: Any, train: bool) -> None:
    x, dout, gamma, beta = arrays(shape, dtype)
    x[0, 0] = np.nan if shape == (7, 3) else x[0, 0]
    dout[-1] = np.inf if shape == (3, 5, 7, 7) else dout[-1]
    running = (beta.copy(), np.abs(gamma) + 1)
    plain, mean, std = ops.batch_norm(x, gamma, beta, *running, train=train)
    y, *statistics = ops.batch_norm(x, gamma, beta, *running, train=train, relu=True)
    assert y.tobytes() == ops.relu(plain).tobytes()
    if train:
        assert [s.tobytes() for s in statistics] == [mean.tobytes(), std.tobytes()]
    fused = ops.batch_norm_backward(dout, x, gamma, mean, std, train=train, y=y)
    passed = ops.relu_backward(dout, y)
    one_by_one = ops.batch_norm_backward(passed, x, gamma, mean, std, train=train)
    assert [a.tobytes() for a in fused] == [a.tobytes() for a in one_by_one]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_tiling_gives_the_statistics(shape: tuple[int, ...]) -> None:
    x, dout, gamma, beta = arrays(shape, np.float32)
    axes = (0, *range(2, x.ndim))
    wide = x.astype(np.float64)
    y, mean, std = ops.batch_norm(x, gamma, beta, None, None)
    assert np.allclose(mean, wide.mean(axis=axes), rtol=1e-6, atol=1e-7)
    assert np.allclose(std, np.sqrt(wide.var(axis=axes) + 1e-6), rtol=1e-6)
    per = (1, -1) + (1,) * (x.ndim - 2)
    xn = (wide - wide.mean(axis=axes).reshape(per)) / std.reshape(per)
    assert np.allclose(y, gamma.reshape(per) * xn + beta.reshape(per), atol=1e-5)
    dx, dgamma, dbeta = ops.batch_norm_backward(dout, x, gamma, mean, std)
    assert np.allclose(dbeta, dout.sum(axis=axes, dtype=np.float64), rtol=1e-5, atol=1e-5)
    assert np.allclose(dgamma, (dout * xn).sum(axis=axes), rtol=1e-4, atol=1e-3)
    m = x.size // x.shape[1]
    means = (dbeta.reshape(per) + xn * dgamma.reshape(per)) / m
    assert np.allclose(dx, (gamma / std).reshape(per) * (dout - means), atol=1e-4)
