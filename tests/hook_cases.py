"""Parameters, gradients and short runs to try hooks on."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.params import GradStore, ParamStore

SHAPES = {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}
F64 = np.float64
both = pytest.mark.parametrize("flat", [True, False], ids=["flat", "dict"])


def draw(seed, flat, kind=ParamStore, dtype=F64):
    rng = np.random.default_rng(seed)
    arrays = {key: rng.standard_normal(shape).astype(dtype) for key, shape in SHAPES.items()}
    return kind.of(arrays) if flat else arrays


def start(flat, **kwargs):
    return draw(0, flat, **kwargs)


def grads_of(step, flat, **kwargs):
    return draw(100 + step, flat, GradStore, **kwargs)


def run(optimizer, flat, steps=3, params=None, change=lambda p, g: g):
    """The parameters after some updates, each gradient changed by hand first."""
    params = start(flat) if params is None else params
    for step in range(steps):
        grads = grads_of(step, flat)
        by_hand = {key: change(np.array(params[key]), grads[key]) for key in params}
        optimizer.update(params, GradStore.of(by_hand) if flat else by_hand)
    return params


def same(a, b, exact=False):
    assert list(a) == list(b)
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=0 if exact else 1e-13)
