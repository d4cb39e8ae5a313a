"""Softmax and the loss functions, each with its gradient."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


def softmax(x: ArrayLike) -> Array:
    """Return exp(x - m) / sum(exp(x - m)) with m = max(x), over the last axis; x of rank >= 1.

    Raises ValueError for a scalar or an empty last axis.
    """
    return of(x).softmax(x)


def softmax_backward(dout: ArrayLike, y: ArrayLike) -> Array:
    """Return dx = y * (dout - sum(dout * y)), the sum over the last axis; y = softmax(x).

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).softmax_backward(dout, y)


def log_softmax(x: ArrayLike) -> Array:
    """Return x - m - log(sum(exp(x - m))) with m = max(x), over the last axis; x of rank >= 1.

    Raises ValueError for a scalar or an empty last axis.
    """
    return of(x).log_softmax(x)


def log_softmax_backward(dout: ArrayLike, y: ArrayLike) -> Array:
    """Return dx = dout - exp(y) * sum(dout), the sum over the last axis; y = log_softmax(x).

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).log_softmax_backward(dout, y)


def softmax_cross_entropy(x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
    """Return the loss -(1/N) * sum of t * log(softmax(x)), and y = softmax(x).

    Shapes: x (N, D) or (D,); t (N,) class numbers of any integer type, or (N, D) one-hot or soft
    rows of any type. t counts as rows exactly when it has as many elements as x, except that a
    (1, 1) t is a class number.

    Exact for any logits: the maximum is subtracted first. Minus infinity at the label gives
    infinity, a row of minus infinities NaN, and 0 * -inf of a soft row counts 0.

    Raises IndexError for a label outside 0..D-1, ValueError when shapes do not fit, (N, 1) labels
    with N > 1 among them.
    """
    return of(x).softmax_cross_entropy(x, t)


def softmax_cross_entropy_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array:
    """Return dx = scale * (y * sum(t) - t) / N, with t one-hot where it holds class numbers.

    Shapes: y (N, D) as `softmax_cross_entropy` returned it, t as there. sum(t) is 1 for one-hot
    and normalised soft rows.

    Raises IndexError and ValueError as `softmax_cross_entropy` does.
    """
    return of(y).softmax_cross_entropy_backward(y, t, scale=scale)


def sigmoid_cross_entropy(x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
    """Return the loss (1/N) * sum(max(x, 0) - x*t + log(1 + exp(-|x|))), and y = sigmoid(x).

    Shapes: x and t of one shape, N in front; the sum runs over everything.

    Raises ValueError when x and t differ in shape.
    """
    return of(x).sigmoid_cross_entropy(x, t)


def sigmoid_cross_entropy_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array:
    """Return dx = scale * (y - t) / N, y as `sigmoid_cross_entropy` returned it.

    Raises ValueError when y and t differ in shape.
    """
    return of(y).sigmoid_cross_entropy_backward(y, t, scale=scale)


def squared_error(y: ArrayLike, t: ArrayLike) -> float:
    """Return the loss sum((y - t)^2) / (2*N), N the first axis.

    Raises ValueError when y and t differ in shape.
    """
    return of(y).squared_error(y, t)


def squared_error_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array:
    """Return dy = scale * (y - t) / N.

    Raises ValueError when y and t differ in shape.
    """
    return of(y).squared_error_backward(y, t, scale=scale)
