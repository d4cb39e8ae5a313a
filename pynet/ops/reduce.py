"""Sums and norms. They add in a fixed order, so the bits do not depend on the threads."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


def sum(x: ArrayLike) -> float:
    """Return the sum of all elements, 0 for an empty array."""
    return of(x).sum(x)


def norm(x: ArrayLike) -> float:
    """Return sqrt(sum(x^2)) over all elements."""
    return of(x).norm(x)


def sum_channels(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return the sums over all axes but the second: x (N, C) or (N, C, H, W), result (C,).

    Raises ValueError for an x of another rank.
    """
    return of(x).sum_channels(x, out=out)
