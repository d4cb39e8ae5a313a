"""The book's numerical gradient. A star import also brings `np`, as in the book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pynet._types import Array

__all__ = ["np", "numerical_gradient", "numerical_gradient_2d"]

_H = 1e-4


def numerical_gradient(f: Callable[[Array], Any], x: Array) -> Array:
    """Return (f(x + h) - f(x - h)) / 2h for every element of x, h = 1e-4.

    x, of any shape, is changed in place, f is called with x itself (2 * x.size times), and each
    element is put back, also when f raises. The result has the dtype of x. In float32 rounding
    drowns the difference: for a gradient check use float64.

    Raises TypeError when x is not an array of floating-point numbers: integers cannot hold x + h.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"[numerical_gradient] x: expected an array of floats, got {got}")
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        try:
            x[index] = float(value) + _H
            above = f(x)
            x[index] = float(value) - _H
            below = f(x)
        finally:
            x[index] = value
        grad[index] = (above - below) / (2 * _H)
    return grad


def numerical_gradient_2d(f: Callable[[Array], Any], X: Array) -> Array:
    """Return the numerical gradient of a vector, or row by row: then f sees one row at a time.

    Raises TypeError as `numerical_gradient` does.
    """
    if np.ndim(X) == 1:
        return numerical_gradient(f, X)
    grad = np.zeros_like(X)
    for i, row in enumerate(X):
        grad[i] = numerical_gradient(f, row)
    return grad
