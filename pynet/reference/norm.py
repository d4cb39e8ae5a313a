"""Batch normalisation (Ioffe and Szegedy, 2015)."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike, Shape
from pynet.reference._arrays import floats, store


def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    running_mean: Array | None,
    running_var: Array | None,
    *,
    momentum: float = 0.9,
    eps: float = 1e-6,
    train: bool = True,
    unbiased: bool = False,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise per column of (N, D) or channel of (N, C, H, W): y = gamma (x-mean)/std + beta.

    Training takes mean and std = sqrt(var + eps) from the batch and moves the running values
    towards them; test takes the running values. Returns y, mean and std.
    """
    x, gamma, beta = floats(x, gamma, beta)
    axes, shape = _all_but_channel(x)
    if train:
        mean = x.mean(axis=axes)
        var = ((x - mean.reshape(shape)) ** 2).mean(axis=axes)
        _move(running_mean, mean, momentum)
        m = x.size // mean.size
        _move(running_var, var * m / max(m - 1, 1) if unbiased else var, momentum)
    else:
        mean, var = (np.array(r, x.dtype).reshape(-1) for r in (running_mean, running_var))
    std = np.sqrt(var + x.dtype.type(eps))
    xn = (x - mean.reshape(shape)) / std.reshape(shape)
    return store(gamma.reshape(shape) * xn + beta.reshape(shape), out), mean, std


def batch_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: Array,
    std: Array,
    *,
    train: bool = True,
    out: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of batch_norm: dx, dgamma = sum(dout xn), dbeta = sum(dout), xn = (x - mean)/std.

    Test: dx = gamma/std dout. In training mean and std depend on x as well:
    dx = gamma/std (dout - mean(dout) - xn mean(dout xn)).
    """
    x, gamma = floats(x, gamma)
    dout, mean, std = (np.asarray(v, x.dtype) for v in (dout, mean, std))
    axes, shape = _all_but_channel(x)
    xn = (x - mean.reshape(shape)) / std.reshape(shape)
    sum_dout, sum_dout_xn = dout.sum(axis=axes), (dout * xn).sum(axis=axes)
    dx = dout
    if train:
        m = x.size // mean.size
        dx = dout - sum_dout.reshape(shape) / m - xn * sum_dout_xn.reshape(shape) / m
    dx = dx * (gamma / std.reshape(gamma.shape)).reshape(shape)
    return store(dx, out), store(sum_dout_xn, dgamma), store(sum_dout, dbeta)


def _all_but_channel(x: Array) -> tuple[Shape, Shape]:
    """The axes that the statistics sum over, and the shape that lines C values up with x."""
    axes = (0, *range(2, x.ndim))
    return axes, (1, -1) + (1,) * (x.ndim - 2)


def _move(running: Array | None, value: Array, momentum: float) -> None:
    """In place: running = momentum running + (1 - momentum) value."""
    if running is not None:
        running *= running.dtype.type(momentum)
        running += value.reshape(running.shape) * running.dtype.type(1 - momentum)
