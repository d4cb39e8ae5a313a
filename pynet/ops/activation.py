"""Activations over arrays of any shape. The backward ops take y, the forward's output."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


def relu(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return max(0, x); NaN stays NaN.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
    """
    return of(x).relu(x, out=out)


def relu_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout where y > 0, else 0. `add` adds into `out`.

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).relu_backward(dout, y, out=out, add=add)


def sigmoid(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return 1 / (1 + exp(-x)), without overflow for any x."""
    return of(x).sigmoid(x, out=out)


def sigmoid_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout * y * (1 - y). `add` adds into `out`.

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).sigmoid_backward(dout, y, out=out, add=add)


def tanh(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return (exp(x) - exp(-x)) / (exp(x) + exp(-x)), without overflow for any x."""
    return of(x).tanh(x, out=out)


def tanh_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout * (1 - y^2). `add` adds into `out`.

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).tanh_backward(dout, y, out=out, add=add)
