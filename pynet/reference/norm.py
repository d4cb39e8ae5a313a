"""Batch (Ioffe and Szegedy, 2015), group (Wu and He, 2018) and local response normalisation."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike, Shape
from pynet.reference._arrays import as_float, floats, store


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
    relu: bool = False,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise per column of (N, D) or channel of (N, C, H, W): y = gamma (x-mean)/std + beta.

    Training takes mean and std = sqrt(var + eps) from the batch and moves the running values
    towards them; test takes the running values. With relu y is max(0, that). Returns y, mean, std.
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
    y = gamma.reshape(shape) * xn + beta.reshape(shape)
    return store(np.where(y <= 0, y.dtype.type(0), y) if relu else y, out), mean, std


def batch_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: Array,
    std: Array,
    *,
    train: bool = True,
    y: ArrayLike | None = None,
    out: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of batch_norm: dx, dgamma = sum(dout xn), dbeta = sum(dout), xn = (x - mean)/std.

    Test: dx = gamma/std dout. In training mean and std depend on x as well:
    dx = gamma/std (dout - mean(dout) - xn mean(dout xn)). With y, the output behind a ReLU, dout
    passes where y > 0.
    """
    x, gamma = floats(x, gamma)
    dout, mean, std = (np.asarray(v, x.dtype) for v in (dout, mean, std))
    axes, shape = _all_but_channel(x)
    if y is not None:
        dout = np.where(np.asarray(y) <= 0, x.dtype.type(0), dout)
    xn = (x - mean.reshape(shape)) / std.reshape(shape)
    sum_dout, sum_dout_xn = dout.sum(axis=axes), (dout * xn).sum(axis=axes)
    dx = dout
    if train:
        m = x.size // mean.size
        dx = dout - sum_dout.reshape(shape) / m - xn * sum_dout_xn.reshape(shape) / m
    dx = dx * (gamma / std.reshape(gamma.shape)).reshape(shape)
    return store(dx, out), store(sum_dout_xn, dgamma), store(sum_dout, dbeta)


def group_norm(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    groups: int = 1,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise each sample's groups of channels: y = gamma (x - mean)/std + beta.

    mean and std = sqrt(var + eps), (N, groups), are those of C/groups channels and all their
    pixels. With one group, rows (N, C) are normalised one by one: layer normalisation.
    """
    x, gamma, beta = floats(x, gamma, beta)
    rows = x.reshape(x.shape[0], groups, -1)
    mean, var = rows.mean(axis=2), rows.var(axis=2)
    std = np.sqrt(var + x.dtype.type(eps))
    xn = ((rows - mean[:, :, None]) / std[:, :, None]).reshape(x.shape)
    _, shape = _all_but_channel(x)
    return store(gamma.reshape(shape) * xn + beta.reshape(shape), out), mean, std


def group_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: Array,
    std: Array,
    groups: int = 1,
    *,
    out: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of group_norm: dx, dgamma = sum(dout xn), dbeta = sum(dout), xn = (x - mean)/std.

    With d = gamma dout and means over a sample's group: dx = (d - mean(d) - xn mean(d xn)) / std.
    """
    x, gamma = floats(x, gamma)
    dout, mean, std = (np.asarray(v, x.dtype) for v in (dout, mean, std))
    axes, shape = _all_but_channel(x)
    rows = (x.shape[0], groups, -1)
    xn = (x.reshape(rows) - mean[:, :, None]) / std[:, :, None]
    d = (dout * gamma.reshape(shape)).reshape(rows)
    mean_d, mean_d_xn = d.mean(axis=2), (d * xn).mean(axis=2)
    dx = (d - mean_d[:, :, None] - xn * mean_d_xn[:, :, None]) / std[:, :, None]
    sum_dout_xn = (dout * xn.reshape(x.shape)).sum(axis=axes)
    return (
        store(dx.reshape(x.shape), out),
        store(sum_dout_xn, dgamma),
        store(dout.sum(axis=axes), dbeta),
    )


def local_response_norm(
    x: ArrayLike,
    *,
    n: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
    out: Array | None = None,
) -> tuple[Array, Array]:
    """Divide by what the neighbours hold: y = x scale^-beta, scale = k + alpha sum(x^2).

    The sum runs over the channels c - n//2 .. c + (n-1)//2.
    """
    x = as_float(x)
    k, alpha, beta = (x.dtype.type(v) for v in (k, alpha, beta))
    scale = k + alpha * _channel_sums(x * x, n // 2, (n - 1) // 2)
    return store(x * scale**-beta, out), scale


def local_response_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    y: Array,
    scale: Array,
    *,
    n: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Gradient: dx = dout scale^-beta - 2 alpha beta x sum(dout y / scale).

    The sum runs over the channels c - (n-1)//2 .. c + n//2.
    """
    x = as_float(x)
    dout, y, scale = (np.asarray(v, x.dtype) for v in (dout, y, scale))
    alpha, beta = x.dtype.type(alpha), x.dtype.type(beta)
    sums = _channel_sums(dout * y / scale, (n - 1) // 2, n // 2)
    return store(dout * scale**-beta - 2 * alpha * beta * x * sums, out, add)


def _channel_sums(values: Array, below: int, above: int) -> Array:
    """For each channel the sum over the channels c - below .. c + above that there are."""
    C = values.shape[1]
    return np.stack(
        [values[:, max(c - below, 0) : c + above + 1].sum(axis=1) for c in range(C)], axis=1
    )


def _all_but_channel(x: Array) -> tuple[Shape, Shape]:
    """The axes that the statistics sum over, and the shape that lines C values up with x."""
    axes = (0, *range(2, x.ndim))
    return axes, (1, -1) + (1,) * (x.ndim - 2)


def _move(running: Array | None, value: Array, momentum: float) -> None:
    """In place: running = momentum running + (1 - momentum) value."""
    if running is not None:
        running *= running.dtype.type(momentum)
        running += value.reshape(running.shape) * running.dtype.type(1 - momentum)
