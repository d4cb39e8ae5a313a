"""Softmax, and the losses fused with their last activation."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import as_float
from pynet.reference.activation import sigmoid

# A row of -inf becomes NaN, because -inf - (-inf) is: that needs no warning, so errstate is quiet.


@np.errstate(invalid="ignore")
def softmax(x: ArrayLike) -> Array:
    """Softmax: y = exp(x) / sum(exp(x)) over the last axis; the largest x is subtracted first."""
    x = as_float(x)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@np.errstate(invalid="ignore")
def log_softmax(x: ArrayLike) -> Array:
    """Logarithm of softmax: y = x - log(sum(exp(x))), finite where softmax itself is 0."""
    x = as_float(x)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def softmax_backward(dout: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of softmax: dx = y (dout - sum(dout y))."""
    y = as_float(y)
    dout = np.asarray(dout, y.dtype)
    return y * (dout - (dout * y).sum(axis=-1, keepdims=True))


def log_softmax_backward(dout: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of log_softmax: dx = dout - exp(y) sum(dout)."""
    y = as_float(y)
    dout = np.asarray(dout, y.dtype)
    return dout - np.exp(y) * dout.sum(axis=-1, keepdims=True)


@np.errstate(invalid="ignore")
def softmax_cross_entropy(x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
    """Cross entropy of y = softmax(x): loss = -sum(t log(y)) / N. Returns loss and y.

    t: class numbers, or one-hot or soft rows. Where t and y are both 0 the term is 0, its limit.
    """
    x = as_float(x)
    rows = np.atleast_2d(x)
    t = label_rows(t, rows)
    log_y = log_softmax(rows)
    terms = np.where((t == 0) & (log_y == -np.inf), 0, -t * log_y)
    return float(terms.sum() / len(rows)), softmax(x)


def softmax_cross_entropy_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array:
    """Gradient of softmax_cross_entropy: dx = scale (y sum(t) - t) / N."""
    y = as_float(y)
    rows = np.atleast_2d(y)
    t = label_rows(t, rows)
    dx = (rows * t.sum(axis=1, keepdims=True) - t) * y.dtype.type(scale / len(rows))
    return dx.reshape(y.shape)


def sigmoid_cross_entropy(x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
    """Cross entropy of y = sigmoid(x): loss = -sum(t log(y) + (1-t) log(1-y)) / N.

    Written as max(x, 0) - x t + log(1 + exp(-|x|)), which cannot overflow. Returns loss and y.
    """
    x = as_float(x)
    t = np.asarray(t, x.dtype).reshape(x.shape)
    terms = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
    return float(terms.sum() / len(x)), sigmoid(x)


def sigmoid_cross_entropy_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array:
    """Gradient of sigmoid_cross_entropy: dx = scale (y - t) / N."""
    y = as_float(y)
    t = np.asarray(t, y.dtype).reshape(y.shape)
    return (y - t) * y.dtype.type(scale / len(y))


def squared_error(y: ArrayLike, t: ArrayLike) -> float:
    """Squared error: loss = sum((y - t)^2) / (2 N)."""
    y = as_float(y)
    t = np.asarray(t, y.dtype).reshape(y.shape)
    return float(((y - t) ** 2).sum() / (2 * len(y)))


def squared_error_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array:
    """Gradient of squared_error: dx = scale (y - t) / N."""
    return sigmoid_cross_entropy_backward(y, t, scale=scale)


def label_rows(t: ArrayLike, x: Array) -> Array:
    """The labels as rows of weights like x: they are already when there are as many of them."""
    t = np.asarray(t)
    if t.size == x.size and t.shape != (1, 1):
        return t.reshape(x.shape).astype(x.dtype)
    return np.eye(x.shape[1], dtype=x.dtype)[t.reshape(-1)]
