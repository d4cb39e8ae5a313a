"""Sums."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import as_float, store


def sum(x: ArrayLike) -> float:
    """The sum of all elements."""
    return float(as_float(x).sum())


def norm(x: ArrayLike) -> float:
    """The square root of the sum of squares of all elements."""
    x = as_float(x)
    return float(np.sqrt((x * x).sum()))


def sum_channels(x: ArrayLike, *, out: Array | None = None) -> Array:
    """The sum over all axes but the second, as the gradient of a bias needs it: (C,)."""
    x = as_float(x)
    return store(x.sum(axis=(0, *range(2, x.ndim))), out)
