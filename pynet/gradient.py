"""Chapter 4: derivatives by differences, and descent along the gradient.

A star import also brings `np`, as in the book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.checks import real_number, whole_number

__all__ = [
    "gradient_descent",
    "gradient_descent_path",
    "np",
    "numerical_diff",
    "numerical_gradient",
    "numerical_gradient_2d",
    "tangent_line",
]

_H = 1e-4


def numerical_diff(f: Callable[[Any], Any], x: Any) -> Any:
    """Return (f(x + h) - f(x - h)) / 2h, h = 1e-4: the derivative of f at x.

    x is a number, or an array if f takes each element by itself.
    """
    return (f(x + _H) - f(x - _H)) / (2 * _H)


def tangent_line(f: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """Return the function t -> f(x) + f'(x) (t - x), with f' from `numerical_diff`."""
    slope, height = numerical_diff(f, x), f(x)
    return lambda t: height + slope * (t - x)


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


def gradient_descent(
    f: Callable[[Array], Any], init_x: ArrayLike, lr: float = 0.01, step_num: int = 100
) -> Array:
    """Go step_num times x <- x - lr * gradient of f at x from init_x, and return the last x.

    The gradient is numerical. The book's function also writes the result into init_x; here init_x
    stays as it is. Integers become float64. A rate that is too large lets x run away, one that is
    too small leaves it where it was: neither is an error.

    Raises ValueError for a rate that is no finite number or step_num < 0, TypeError when init_x
    does not hold real numbers.
    """
    x = _start(init_x, lr, step_num)
    for _ in _descend(f, x, lr, step_num):
        pass
    return x


def gradient_descent_path(
    f: Callable[[Array], Any], init_x: ArrayLike, lr: float = 0.01, step_num: int = 100
) -> Array:
    """Return all positions of `gradient_descent`, (step_num + 1, ...): init_x to the last x.

    Raises as `gradient_descent` does.
    """
    x = _start(init_x, lr, step_num)
    return np.stack([x.copy(), *(position.copy() for position in _descend(f, x, lr, step_num))])


def _descend(f: Callable[[Array], Any], x: Array, lr: float, step_num: int) -> Iterator[Array]:
    """Move x in place, and yield it after every step."""
    for _ in range(step_num):
        x -= lr * numerical_gradient(f, x)
        yield x


def _start(init_x: ArrayLike, lr: float, step_num: int) -> Array:
    x = np.array(init_x)
    if x.dtype.kind not in "fiu":
        raise TypeError(f"[gradient_descent] init_x: expected real numbers, got {x.dtype}")
    real_number("[gradient_descent] lr", lr)
    whole_number("[gradient_descent] step_num", step_num, 0)
    return x if x.dtype.kind == "f" else x.astype(np.float64)
