"""Batch normalisation."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


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
    """Return y = gamma * (x - mean) / std + beta, and mean and std = sqrt(var + eps).

    Shapes: x (N, D) with statistics per column, or (N, C, H, W) with statistics per channel;
    gamma, beta, mean, std (D,) or (C,).

    In training mean and var (biased) are the batch's, and the running arrays, where given, are
    updated in place: r = momentum * r + (1 - momentum) * value, with the unbiased variance if
    asked. In test mode mean and var are the running ones.

    Raises ValueError when shapes do not fit, or in test mode without running arrays.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift", 2015.
    """
    return of(x).batch_norm(
        x,
        gamma,
        beta,
        running_mean,
        running_var,
        momentum=momentum,
        eps=eps,
        train=train,
        unbiased=unbiased,
        out=out,
    )


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
    """Return dx, dgamma = sum(dout * xn) and dbeta = sum(dout), with xn = (x - mean) / std.

    In training dx = gamma * (dout - mean(dout) - xn * mean(dout * xn)) / std, in test mode
    dx = gamma * dout / std. Means and sums run over all axes but the channel's.

    Shapes: dout and dx as x, the others (D,) or (C,). `out`, `dgamma`, `dbeta` receive the results.

    Raises ValueError when shapes do not fit.
    """
    return of(x).batch_norm_backward(
        dout, x, gamma, mean, std, train=train, out=out, dgamma=dgamma, dbeta=dbeta
    )
