"""Element by element."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


def add(a: ArrayLike, b: ArrayLike, *, out: Array | None = None) -> Array:
    """Return a + b, of one shape.

    Raises ValueError when a and b differ in shape.
    """
    return of(a).add(a, b, out=out)


def scale(x: ArrayLike, alpha: float, *, out: Array | None = None) -> Array:
    """Return alpha * x."""
    return of(x).scale(x, alpha, out=out)


def clip(x: ArrayLike, low: float, high: float, *, out: Array | None = None) -> Array:
    """Return x held between low and high: min(max(x, low), high). NaN passes.

    Raises ValueError when low > high.
    """
    return of(x).clip(x, low, high, out=out)
