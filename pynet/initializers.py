"""Initial weights, drawn from `np.random` as the book draws them and then rounded to `dtype`.

A weight has the shape (in, out) or (FN, C, FH, FW). Its fan-in, the number of inputs that one
output sums over, is `in` or C*FH*FW; its fan-out, the number of outputs that one input goes into,
is `out` or FN*FH*FW. With n for the fan-in and m for the fan-out:

    name (and its other name)      weights                                      for
    'he' ('relu', 'he_normal')     normal, standard deviation sqrt(2/n)         ReLU
    'he_uniform'                   uniform in +-sqrt(6/n)                       ReLU
    'xavier' ('sigmoid')           normal, sqrt(1/n): Xavier in the book's form sigmoid, tanh
    'xavier_normal' ('glorot')     normal, sqrt(2/(n+m))                        sigmoid, tanh
    'xavier_uniform'               uniform in +-sqrt(6/(n+m))                   sigmoid, tanh
    'lecun' ('lecun_normal')       normal, sqrt(1/n): the book's Xavier         SELU, tanh
    'lecun_uniform'                uniform in +-sqrt(3/n)                       SELU, tanh
    'orthogonal'                   orthonormal rows or columns                  deep nets
    'zeros', 'ones'                0, 1                                         biases, gamma

He and LeCun look at the forward pass alone, as the sums of n terms should keep their variance;
Xavier is a compromise with the backward pass, where sums have m terms. Sources: LeCun et al.,
"Efficient BackProp", 1998; Glorot and Bengio, "Understanding the difficulty of training deep
feedforward neural networks", 2010; He et al., "Delving Deep into Rectifiers", 2015.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from pynet._types import Array, DTypeLike, Shape
from pynet.checks import real_number, whole_number

Init: TypeAlias = str | float | Callable[[Shape], Array]


def fan_in(shape: Shape) -> int:
    """Return how many inputs one output of a weight of this shape sums over."""
    return shape[0] if len(shape) == 2 else math.prod(shape[1:])


def fan_out(shape: Shape) -> int:
    """Return how many outputs one input of a weight of this shape goes into."""
    return shape[1] if len(shape) == 2 else shape[0] * math.prod(shape[2:])


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
    return real_number("[initializers] init", init, 0, expected="a finite number >= 0")


def normal(shape: Shape, std: float = 0.01, dtype: DTypeLike = np.float32) -> Array:
    """Return std * randn(shape).

    Raises ValueError for sizes below 1 or beyond any memory.
    """
    std = real_number("[initializers] std", std)
    return (std * np.random.randn(*_checked(shape))).astype(dtype)


def uniform(shape: Shape, limit: float = 0.01, dtype: DTypeLike = np.float32) -> Array:
    """Return numbers drawn evenly from -limit to limit, of standard deviation limit / sqrt(3).

    Raises ValueError as `normal` does.
    """
    expected = "a finite number >= 0"
    limit = real_number("[initializers] limit", limit, 0, 1e300, expected)
    return np.random.uniform(-limit, limit, _checked(shape)).astype(dtype)


def constant(shape: Shape, value: float = 0.0, dtype: DTypeLike = np.float32) -> Array:
    """Return the same value everywhere. Neurons that begin equal stay equal: not for weights."""
    return np.full(_checked(shape), real_number("[initializers] value", value), dtype)


def zeros(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return zeros, for biases."""
    return np.zeros(_checked(shape), dtype)


def ones(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return ones, for gamma."""
    return np.ones(_checked(shape), dtype)


def he(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return normal weights of standard deviation sqrt(2 / fan_in), for ReLU.

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """
    return normal(shape, math.sqrt(2 / fan_in(shape)), dtype)


def he_uniform(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return weights between -+sqrt(6 / fan_in): the standard deviation of `he`."""
    return uniform(shape, math.sqrt(6 / fan_in(shape)), dtype)


def xavier(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return normal weights of standard deviation sqrt(1 / fan_in), for sigmoid and tanh.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010, in the book's form, which leaves out the fan-out.
    """
    return normal(shape, math.sqrt(1 / fan_in(shape)), dtype)


def xavier_normal(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return normal weights of standard deviation sqrt(2 / (fan_in + fan_out)).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """
    return normal(shape, math.sqrt(2 / (fan_in(shape) + fan_out(shape))), dtype)


def xavier_uniform(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return weights between -+sqrt(6 / (fan_in + fan_out)), the paper's own form."""
    return uniform(shape, math.sqrt(6 / (fan_in(shape) + fan_out(shape))), dtype)


def lecun(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return normal weights of standard deviation sqrt(1 / fan_in), which is the book's Xavier.

    Source: LeCun, Bottou, Orr and Mueller, "Efficient BackProp", 1998.
    """
    return normal(shape, math.sqrt(1 / fan_in(shape)), dtype)


def lecun_uniform(shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return weights between -+sqrt(3 / fan_in): the standard deviation of `lecun`."""
    return uniform(shape, math.sqrt(3 / fan_in(shape)), dtype)


def orthogonal(shape: Shape, dtype: DTypeLike = np.float32, gain: float = 1.0) -> Array:
    """Return gain times a random matrix of orthonormal columns, or rows where there are fewer.

    A filter is one row, of C*FH*FW numbers. Such a matrix keeps the length of what it is given (of
    what lies in its rows, where they are fewer), so signals neither grow nor vanish through many.

    Source: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", 2014.
    """
    rows, columns = shape[0], math.prod(shape[1:])
    drawn = normal((max(rows, columns), min(rows, columns)), 1.0, np.float64)
    Q, R = np.linalg.qr(drawn)
    Q *= np.where(np.diag(R) < 0, -1.0, 1.0)  # or some rotations would be more likely than others
    return (gain * (Q if rows >= columns else Q.T)).reshape(shape).astype(dtype)


INITIALIZERS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        **dict.fromkeys(["he", "relu", "he_normal"], he),
        "he_uniform": he_uniform,
        **dict.fromkeys(["xavier", "sigmoid"], xavier),
        **dict.fromkeys(["xavier_normal", "glorot"], xavier_normal),
        "xavier_uniform": xavier_uniform,
        **dict.fromkeys(["lecun", "lecun_normal"], lecun),
        "lecun_uniform": lecun_uniform,
        "orthogonal": orthogonal,
        "zeros": zeros,
        "ones": ones,
    }
)


def draw(init: Init, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return weights by name, case ignored, by standard deviation, or by a function of the shape.

    Raises ValueError for an unknown name, a deviation that is not finite and >= 0, or a function
    that returns another shape.
    """
    if isinstance(init, str):
        if init.lower() not in INITIALIZERS:
            raise ValueError(
                f"[initializers] init: expected one of {', '.join(INITIALIZERS)} or a number, "
                f"got {init!r}"
            )
        _checked(shape)
        return INITIALIZERS[init.lower()](shape, dtype)
    if not callable(init):
        return normal(shape, std(init, fan_in(shape)), dtype)
    weights = np.asarray(init(shape), dtype)
    if weights.shape != tuple(shape):
        raise ValueError(
            f"[initializers] init: expected it to return shape {shape}, got {weights.shape}"
        )
    return weights


def _checked(shape: Shape) -> Shape:
    if not isinstance(shape, tuple | list) or not shape:
        raise TypeError(f"[initializers] shape: expected a tuple of integers, got {shape!r}")
    sizes = [whole_number("[initializers] shape", size, -sys.maxsize) for size in shape]
    if min(sizes) < 1 or math.prod(sizes) >= 2**43:
        raise ValueError(
            f"[initializers] shape: expected sizes of at least 1 that fit in memory, got {shape}"
        )
    return shape
