"""Sums and multiples, element by element."""

from __future__ import annotations

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
