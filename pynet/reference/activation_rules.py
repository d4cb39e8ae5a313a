"""The activations of the op `activation`: name, formula and derivative of each.

x is an array, a and b are the op's alpha and beta.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pynet._types import Array, ArrayLike

Rule = Callable[[Array, float, float], Array]


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)), which cannot overflow so."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _mass(x: Array) -> Array:
    """The normal distribution's mass up to x: (1 + erf(x / sqrt(2))) / 2, exact in its tail too."""
    return np.asarray(np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2, x.dtype)


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _expm1(x: Array) -> Array:
    return np.expm1(np.minimum(x, 0))


def _times(x: Array, share: Array) -> Array:
    """Return x * share, where a share of 0 is nothing even of an infinite x."""
    return np.where(share == 0, share, x) * share


def _between(x: Array, low: float, high: float, slope: float = 1) -> Array:
    """`slope` where low < x < high, else 0."""
    return np.where(np.isnan(x), x, np.where((x > low) & (x < high), slope, 0))


def _where(x: Array, above: ArrayLike, below: ArrayLike, limit: float = 0) -> Array:
    """`above` where x > limit, `below` where not; NaN stays NaN."""
    return np.where(np.isnan(x), x, np.where(x > limit, above, below))


def _gelu_tanh(x: Array) -> tuple[Array, Array]:
    """The argument of the sigmoid, 2 sqrt(2/pi) (x + 0.044715 x^3), and its derivative."""
    c = 2 * math.sqrt(2 / math.pi)
    return c * (x + 0.044715 * x**3), c * (1 + 3 * 0.044715 * x**2)


def _chain(x: Array, u: Array, du: Array) -> Array:
    """The derivative of x sigmoid(u) by x."""
    s = _sigmoid(u)
    return s + _times(x * du, s * _sigmoid(-u))


def _mish(x: Array) -> Array:
    t = np.tanh(_softplus(x))
    return t + _times(x, (1 - t) * (1 + t) * _sigmoid(x))


# name: (y, dy)
RULES: dict[str, tuple[Rule, Rule]] = {
    "celu": (
        lambda x, a, b: np.where(x > 0, x, a * _expm1(x / a)),
        lambda x, a, b: np.exp(np.minimum(x / a, 0)),
    ),
    "elu": (
        lambda x, a, b: b * np.where(x > 0, x, a * _expm1(x)),
        lambda x, a, b: b * np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
    ),
    "gaussian": (
        lambda x, a, b: np.exp(-x * x),
        lambda x, a, b: _times(-2 * x, np.exp(-x * x)),
    ),
    "gelu": (
        lambda x, a, b: _times(x, _mass(x)),
        lambda x, a, b: _mass(x) + _times(x, _density(x)),
    ),
    "gelu_tanh": (
        lambda x, a, b: _times(x, _sigmoid(_gelu_tanh(x)[0])),
        lambda x, a, b: _chain(x, *_gelu_tanh(x)),
    ),
    "hard_shrink": (
        lambda x, a, b: _where(np.abs(x), x, 0, a),
        lambda x, a, b: _where(np.abs(x), 1, 0, a),
    ),
    "hard_sigmoid": (
        lambda x, a, b: np.clip(a * x + b, 0, 1),
        lambda x, a, b: _between(a * x + b, 0, 1, a),
    ),
    "hard_swish": (
        lambda x, a, b: _times(x, np.clip(x + 3, 0, 6) / 6),
        lambda x, a, b: _where(x, _where(x, 1, (2 * x + 3) / 6, np.nextafter(3, 0)), 0, -3),
    ),
    "hard_tanh": (
        lambda x, a, b: np.clip(x, a, b),
        lambda x, a, b: _between(x, a, b),
    ),
    "identity": (lambda x, a, b: x, lambda x, a, b: _where(x, 1, 1)),
    "leaky_relu": (
        lambda x, a, b: np.where(x > 0, x, a * x),
        lambda x, a, b: _where(x, 1, a),
    ),
    "log_sigmoid": (lambda x, a, b: -_softplus(-x), lambda x, a, b: _sigmoid(-x)),
    "mish": (lambda x, a, b: _times(x, np.tanh(_softplus(x))), lambda x, a, b: _mish(x)),
    "sinusoid": (lambda x, a, b: np.sin(x), lambda x, a, b: np.cos(x)),
    "soft_shrink": (
        lambda x, a, b: _where(np.abs(x), x - np.copysign(a, x), 0, a),
        lambda x, a, b: _where(np.abs(x), 1, 0, a),
    ),
    "softplus": (lambda x, a, b: _softplus(a * x) / a, lambda x, a, b: _sigmoid(a * x)),
    "softsign": (
        lambda x, a, b: np.where(np.isinf(x), np.sign(x), x) / np.where(np.isinf(x), 1, 1 + abs(x)),
        lambda x, a, b: (1 / (1 + np.abs(x))) ** 2,
    ),
    "step": (lambda x, a, b: _where(x, 1, 0), lambda x, a, b: _where(x, 0, 0)),
    "swish": (
        lambda x, a, b: _times(x, _sigmoid(a * x)),
        lambda x, a, b: _chain(x, a * x, np.full_like(x, a)),
    ),
    "tanh_shrink": (lambda x, a, b: x - np.tanh(x), lambda x, a, b: np.tanh(x) ** 2),
}
