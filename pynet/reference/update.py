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
    _move_means(g, m, v, beta1, beta2)
    p -= _adam_rate(lr, beta1, beta2, iter) * m / (np.sqrt(v) + 1e-7)


def adamw_update(
    p: Array,
    g: ArrayLike,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    iter: int,
) -> None:
    """AdamW (Loshchilov and Hutter, 2019): p *= 1 - lr weight_decay, then Adam's step."""
    p *= float(1 - lr * weight_decay)
    adam_update(p, g, m, v, lr, beta1, beta2, iter)


def nadam_update(
    p: Array,
    g: ArrayLike,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    iter: int,
) -> None:
    """NAdam (Dozat, 2016): Adam with the m of the next step, as far as it is known.

    p -= lr sqrt(1 - beta2^k) (beta1 m / (1 - beta1^(k+1)) + (1 - beta1) g / (1 - beta1^k))
    / (sqrt(v) + 1e-7) with k = iter.
    """
    g = np.asarray(g, p.dtype)
    _move_means(g, m, v, beta1, beta2)
    rate = lr * math.sqrt(1 - beta2**iter)
    of_m = rate * beta1 / (1 - beta1 ** (iter + 1))
    of_g = rate * (1 - beta1) / (1 - beta1**iter)
    p -= (float(of_m) * m + float(of_g) * g) / (np.sqrt(v) + 1e-7)


def amsgrad_update(
    p: Array,
    g: ArrayLike,
    m: Array,
    v: Array,
    v_max: Array,
    lr: float,
    beta1: float,
    beta2: float,
    iter: int,
) -> None:
    """AMSGrad (Reddi et al., 2018): Adam with v_max = max(v_max, v) under the root."""
    g = np.asarray(g, p.dtype)
    _move_means(g, m, v, beta1, beta2)
    v_max[...] = np.where(v_max > v, v_max, v)
    p -= _adam_rate(lr, beta1, beta2, iter) * m / (np.sqrt(v_max) + 1e-7)


def adadelta_update(
    p: Array, g: ArrayLike, h: Array, u: Array, lr: float, decay_rate: float, eps: float
) -> None:
    """AdaDelta (Zeiler, 2012): p -= lr d with d = sqrt(u + eps) / sqrt(h + eps) g.

    h and u are running means of g^2 and d^2.
    """
    g = np.asarray(g, p.dtype)
    h *= float(decay_rate)
    h += float(1 - decay_rate) * g * g
    d = np.sqrt(u + float(eps)) / np.sqrt(h + float(eps)) * g
    u *= float(decay_rate)
    u += float(1 - decay_rate) * d * d
    p -= float(lr) * d


def rprop_update(
    p: Array,
    g: ArrayLike,
    sign: Array,
    step: Array,
    least: float,
    most: float,
    shrink: float,
    grow: float,
) -> None:
    """RProp (Riedmiller and Braun, 1993): p -= sign(g) step.

    step grows where the sign is as before, up to `most`; where it has turned, step shrinks, down
    to `least`, and p stays for once.
    """
    now = np.sign(np.asarray(g, p.dtype))
    same, turned = now * sign > 0, now * sign < 0
    step[same] = np.minimum(step[same] * float(grow), float(most))
    step[turned] = np.maximum(step[turned] * float(shrink), float(least))
    sign[...] = np.where(turned, 0, now)
    p -= sign * step


def lars_update(
    p: Array,
    g: ArrayLike,
    v: Array,
    lr: float,
    momentum: float,
    weight_decay: float,
    trust: float,
) -> None:
    """LARS (You et al., 2017): v = momentum v - lr r (g + weight_decay p); p += v.

    r = trust |p| / (|g| + weight_decay |p|); where a norm is 0, trust without weight decay.
    """
    g = np.asarray(g, p.dtype)
    size, slope = (math.sqrt(np.square(a, dtype=np.float64).sum()) for a in (p, g))
    if size > 0 and slope > 0:
        ratio = trust * size / (slope + weight_decay * size)
    else:
        ratio, weight_decay = trust, 0.0
    v *= float(momentum)
    v -= float(lr * ratio) * (g + float(weight_decay) * p)
    p += v


def average_update(p: Array, g: ArrayLike, rate: float) -> None:
    """A running mean: p += rate (g - p)."""
    g = np.asarray(g, p.dtype)
    p += float(rate) * (g - p)


def _move_means(g: Array, m: Array, v: Array, beta1: float, beta2: float) -> None:
    """Adam's running means: m of g, v of g^2."""
    m += float(1 - beta1) * (g - m)
    v += float(1 - beta2) * (g * g - v)


def _adam_rate(lr: float, beta1: float, beta2: float, iter: int) -> float:
    """Adam's rate, corrected for m and v having begun at 0."""
    return float(lr * math.sqrt(1 - beta2**iter) / (1 - beta1**iter))
