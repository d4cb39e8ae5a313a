"""The book's functions: activations and losses on plain arrays.

Where the book computes everything in float64, here float32 stays float32. A star import also
brings `np`, as in the book.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike

__all__ = [
    "cross_entropy_error",
    "identity_function",
    "np",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]


def identity_function(x: Any) -> Any:
    """Return x, the same object."""
    return x


def step_function(x: ArrayLike) -> Array:
    """Return 1 where x > 0, else 0, as integers of the shape of x."""
    return np.array(np.asarray(x) > 0, dtype=np.int64)


def sigmoid(x: ArrayLike) -> Any:
    """Return 1 / (1 + exp(-x)), without overflow; x is a number or an array of any shape."""
    if np.ndim(x) == 0:
        return np.float64(0.5) * (1 + np.tanh(np.float64(0.5) * np.float64(x)))  # type: ignore[arg-type]
    return ops.sigmoid(x)


def sigmoid_grad(x: ArrayLike) -> Any:
    """Return (1 - s) * s with s = sigmoid(x): x is the value before the sigmoid."""
    s = sigmoid(x)
    return (1.0 - s) * s


def relu(x: ArrayLike) -> Any:
    """Return max(0, x), in the dtype of x."""
    return np.maximum(0, x)


def relu_grad(x: ArrayLike) -> Array:
    """Return 1 where x >= 0, else 0, in the dtype of x. At 0 the layer `Relu` has 0."""
    x = np.asarray(x)
    return np.asarray(x >= 0, dtype=x.dtype)


def softmax(x: ArrayLike) -> Array:
    """Return exp(x - m) / sum(exp(x - m)), m = max(x), over the last axis; x of rank >= 1.

    Raises ValueError for a single number.
    """
    return ops.softmax(x)


def sum_squared_error(y: ArrayLike, t: ArrayLike) -> Any:
    """Return 0.5 * sum((y - t)^2), a sum over the whole batch as in the book."""
    return np.sum(0.5 * (np.asarray(y) - np.asarray(t)) ** 2)


def cross_entropy_error(y: ArrayLike, t: ArrayLike) -> Any:
    """Return -(1/N) * sum of log(y[n, t_n] + 1e-7).

    Shapes: y (N, D) or (D,), probabilities; t class numbers (N,), or as many elements as y and
    then rows, of which the largest element is the class: soft labels are hardened, as in the book
    (the layer SoftmaxWithLoss takes them as they are).

    Raises IndexError for a label out of range, ValueError when y and t do not belong together,
    TypeError for class numbers that are no integers.
    """
    probabilities: Array = np.asarray(y)
    labels: Array = np.asarray(t)
    if probabilities.ndim == 1:
        probabilities, labels = probabilities.reshape(1, -1), labels.reshape(1, -1)
    if probabilities.ndim != 2 or probabilities.size == 0:
        raise ValueError(
            f"[cross_entropy_error] y: expected shape (N, D) or (D,), got {probabilities.shape}"
        )
    N, D = probabilities.shape
    if labels.shape == (N, D):
        labels = labels.argmax(axis=1)
    if labels.size != N or (labels.ndim != 1 and N > 1):
        raise ValueError(
            f"[cross_entropy_error] t: expected {N} class numbers or shape {(N, D)}, "
            f"got {labels.shape}"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"[cross_entropy_error] t: expected integers, got {labels.dtype}")
    labels = labels.reshape(N)
    if labels.min() < 0 or labels.max() >= D:
        raise IndexError(
            f"[cross_entropy_error] t: expected labels 0 to {D - 1}, "
            f"got {labels.min()} to {labels.max()}"
        )
    return -np.mean(np.log(probabilities[np.arange(N), labels] + 1e-7))


def softmax_loss(X: ArrayLike, t: ArrayLike) -> Any:
    """Return cross_entropy_error(softmax(X), t)."""
    return cross_entropy_error(softmax(X), t)
