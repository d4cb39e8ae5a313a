"""Activations. The derivatives of relu, sigmoid and tanh follow from the forward's output y, those
of the family, whose formulas are in activation_rules.py, from x.
"""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import as_float, store
from pynet.reference.activation_rules import RULES, Rule


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


def activation(
    x: ArrayLike, name: str, alpha: float = 1.0, beta: float = 1.0, *, out: Array | None = None
) -> Array:
    """One of the family: y = f(x)."""
    x = as_float(x)
    return store(_evaluate(RULES[name][0], x, alpha, beta), out)


def activation_backward(
    dout: ArrayLike,
    x: ArrayLike,
    name: str,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Gradient of activation: dx = dout f'(x)."""
    x = as_float(x)
    return store(np.asarray(dout, x.dtype) * _evaluate(RULES[name][1], x, alpha, beta), out, add)


def _evaluate(rule: Rule, x: Array, alpha: float, beta: float) -> Array:
    """The rule in the dtype of x. The branch that `np.where` drops may overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(rule(x, float(alpha), float(beta)), x.dtype)
