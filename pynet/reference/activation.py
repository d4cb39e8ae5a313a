"""Activations. Backward takes the forward's output y: all three derivatives follow from it."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import as_float, store


def relu(x: ArrayLike, *, out: Array | None = None) -> Array:
    """ReLU: y = max(0, x); NaN stays NaN."""
    x = as_float(x)
    return store(np.where(x <= 0, x.dtype.type(0), x), out)


def relu_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Gradient of relu: dx = dout where y > 0, else 0."""
    y = as_float(y)
    dout = np.asarray(dout, y.dtype)
    return store(np.where(y <= 0, y.dtype.type(0), dout), out, add)


def sigmoid(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Sigmoid: y = 1 / (1 + exp(-x)), with no exponential that could overflow."""
    x = as_float(x)
    e = np.exp(-np.abs(x))
    return store(np.where(x >= 0, 1 / (1 + e), e / (1 + e)), out)


def sigmoid_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Gradient of sigmoid: dx = dout (1 - y) y."""
    y = as_float(y)
    return store(np.asarray(dout, y.dtype) * (1 - y) * y, out, add)


def tanh(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Hyperbolic tangent: y = (e^x - e^-x) / (e^x + e^-x)."""
    return store(np.tanh(as_float(x)), out)


def tanh_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Gradient of tanh: dx = dout (1 - y^2)."""
    y = as_float(y)
    return store(np.asarray(dout, y.dtype) * (1 - y * y), out, add)
