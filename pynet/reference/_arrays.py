"""What every op of the reference shares: its dtype, its pairs, its output."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import Array, Pair, Shape


def floats(*arrays: Any) -> list[Array]:
    """The arguments in the op's dtype: float64 if one of the arrays is, else float32.

    Plain numbers (a scalar bias) follow the arrays and do not decide.
    """
    values = [np.asarray(a) for a in arrays]
    wide = any(v.dtype == np.float64 for v in values if v.ndim > 0)
    return [np.asarray(v, np.float64 if wide else np.float32) for v in values]


def as_float(x: Any) -> Array:
    """One array in its op's dtype."""
    return np.asarray(x, np.float64 if np.asarray(x).dtype == np.float64 else np.float32)


def pair(value: Pair) -> tuple[int, int]:
    """(h, w) from one number for both axes or from a pair."""
    if isinstance(value, (int, np.integer)):
        return int(value), int(value)
    h, w = value
    return int(h), int(w)


def store(value: Any, out: Array | None = None, add: bool = False) -> Array:
    """Hand a result over: as a C-contiguous array, written to `out`, or added into it."""
    if out is None:
        return np.asarray(value, order="C")
    if add:
        out += value
    else:
        out[...] = value
    return out


def empty(shape: int | Shape, dtype: Any) -> Array:
    """An array that nothing has been written to yet."""
    return np.empty(shape, dtype)
