"""Initial weights, drawn from `np.random` as the book draws them and then rounded to `dtype`.

A weight has the shape (in, out) or (FN, C, FH, FW); its fan-in, the number of inputs that one
output sums over, is `in` or C*FH*FW.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from pynet._types import Array, DTypeLike, Shape

Init: TypeAlias = str | float | Callable[[Shape], Array]


def fan_in(shape: Shape) -> int:
    """Return how many inputs one output of a weight of this shape sums over."""
    return shape[0] if len(shape) == 2 else math.prod(shape[1:])


def std(init: str | float, n: int) -> float:
    """Return the standard deviation that the book's `weight_init_std` means for fan-in n.

    'relu' or 'he': sqrt(2/n); 'sigmoid' or 'xavier': sqrt(1/n), case ignored; a number: itself.

    Raises ValueError for another name or a number that is not finite and >= 0.
    """
    if n < 1:
        raise ValueError(f"[initializers] n: expected a fan-in of at least 1, got {n}")
    if isinstance(init, str):
        if init.lower() in ("relu", "he"):
            return float(np.sqrt(2.0 / n))
        if init.lower() in ("sigmoid", "xavier"):
            return float(np.sqrt(1.0 / n))
        raise ValueError(
            f"[initializers] init: expected 'he' ('relu'), 'xavier' ('sigmoid') or a number, "
            f"got {init!r}"
        )
    if not (math.isfinite(init) and init >= 0):
        raise ValueError(f"[initializers] init: expected a finite number >= 0, got {init}")
    return float(init)


def normal(shape: Shape, std: float = 0.01, dtype: DTypeLike = np.float32) -> Array:
    """Return std * randn(shape).

    Raises ValueError for sizes below 1 or beyond any memory.
    """
    if min(shape) < 1 or math.prod(shape) >= 2**43:
        raise ValueError(
            f"[initializers] shape: expected sizes of at least 1 that fit in memory, got {shape}"
        )
    return (std * np.random.randn(*shape)).astype(dtype)


def he(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return normal weights of standard deviation sqrt(2 / fan_in), for ReLU.

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """
    return normal(shape, std("he", fan_in(shape)), dtype)


def xavier(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return normal weights of standard deviation sqrt(1 / fan_in), for sigmoid and tanh.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010, in the book's form, which leaves out the fan-out.
    """
    return normal(shape, std("xavier", fan_in(shape)), dtype)


def zeros(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return zeros, for biases."""
    return np.zeros(shape, dtype)


def ones(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return ones, for gamma."""
    return np.ones(shape, dtype)


def draw(init: Init, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return weights by name ('he', 'xavier'), by standard deviation, or by a function of shape.

    Raises ValueError when the function returns another shape.
    """
    if not callable(init):
        return normal(shape, std(init, fan_in(shape)), dtype)
    weights = np.asarray(init(shape), dtype)
    if weights.shape != tuple(shape):
        raise ValueError(
            f"[initializers] init: expected it to return shape {shape}, got {weights.shape}"
        )
    return weights
