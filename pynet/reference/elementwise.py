"""Sums and multiples, element by element."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import as_float, floats, store


def add(a: ArrayLike, b: ArrayLike, *, out: Array | None = None) -> Array:
    """Sum: y = a + b."""
    a, b = floats(a, b)
    return store(a + b, out)


def scale(x: ArrayLike, alpha: float, *, out: Array | None = None) -> Array:
    """Multiple: y = alpha x."""
    x = as_float(x)
    return store(x * x.dtype.type(alpha), out)


def clip(x: ArrayLike, low: float, high: float, *, out: Array | None = None) -> Array:
    """Limits: y = low where x < low, high where x > high, else x."""
    x = as_float(x)
    return store(np.clip(x, x.dtype.type(low), x.dtype.type(high)), out)
