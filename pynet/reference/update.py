"""The optimizers' rules, in place: p moves against its gradient g; v, h and m are their memory.

Factors like 1 - beta1 are computed in float64 and rounded once: in float32, 1 - 0.999 would be
wrong in the fifth digit.
"""

from __future__ import annotations

import math

import numpy as np

from pynet._types import Array, ArrayLike


def sgd_update(p: Array, g: ArrayLike, lr: float) -> None:
    """SGD: p -= lr g."""
    g = np.asarray(g, p.dtype)
    p -= float(lr) * g


def momentum_update(p: Array, g: ArrayLike, v: Array, lr: float, momentum: float) -> None:
    """Momentum (Polyak, 1964): v = momentum v - lr g; p += v."""
    g = np.asarray(g, p.dtype)
    v *= float(momentum)
    v -= float(lr) * g
    p += v


def nesterov_update(p: Array, g: ArrayLike, v: Array, lr: float, momentum: float) -> None:
    """Nesterov (1983): p += momentum^2 v - (1 + momentum) lr g; v = momentum v - lr g."""
    g = np.asarray(g, p.dtype)
    p += float(momentum * momentum) * v
    p -= float((1 + momentum) * lr) * g
    v *= float(momentum)
    v -= float(lr) * g


def adagrad_update(p: Array, g: ArrayLike, h: Array, lr: float) -> None:
    """AdaGrad (Duchi et al., 2011): h += g^2; p -= lr g / (sqrt(h) + 1e-7)."""
    g = np.asarray(g, p.dtype)
    h += g * g
    p -= float(lr) * g / (np.sqrt(h) + 1e-7)


def rmsprop_update(p: Array, g: ArrayLike, h: Array, lr: float, decay_rate: float) -> None:
    """RMSprop (Hinton, 2012): h += (1 - decay_rate) (g^2 - h); p -= lr g / (sqrt(h) + 1e-7)."""
    g = np.asarray(g, p.dtype)
    h *= float(decay_rate)
    h += float(1 - decay_rate) * g * g
    p -= float(lr) * g / (np.sqrt(h) + 1e-7)


def adam_update(
    p: Array,
    g: ArrayLike,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    iter: int,
) -> None:
    """Adam (Kingma and Ba, 2015): p -= lr' m / (sqrt(v) + 1e-7).

    m += (1 - beta1) (g - m), v += (1 - beta2) (g^2 - v),
    lr' = lr sqrt(1 - beta2^iter) / (1 - beta1^iter); iter counts the updates from 1.
    """
    g = np.asarray(g, p.dtype)
    m += float(1 - beta1) * (g - m)
    v += float(1 - beta2) * (g * g - v)
    lr_t = lr * math.sqrt(1 - beta2**iter) / (1 - beta1**iter)
    p -= float(lr_t) * m / (np.sqrt(v) + 1e-7)
