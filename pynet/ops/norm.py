"""Batch, group and local response normalisation."""

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
    relu: bool = False,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return y = gamma * (x - mean) / std + beta, and mean and std = sqrt(var + eps).

    Shapes: x (N, D) with statistics per column, or (N, C, H, W) with statistics per channel;
    gamma, beta, mean, std (D,) or (C,).

    In training mean and var (biased) are the batch's, and the running arrays, where given, are
    updated in place: r = momentum * r + (1 - momentum) * value, with the unbiased variance if
    asked. In test mode mean and var are the running ones. With `relu` y is max(0, that): the same
    bits as relu of it, in one pass.

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
        relu=relu,
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
    y: ArrayLike | None = None,
    out: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return dx, dgamma = sum(dout * xn) and dbeta = sum(dout), with xn = (x - mean) / std.

    In training dx = gamma * (dout - mean(dout) - xn * mean(dout * xn)) / std, in test mode
    dx = gamma * dout / std. Means and sums run over all axes but the channel's. With `y`, what
    batch_norm(..., relu=True) returned, dout counts as 0 where y <= 0.

    Shapes: dout, y and dx as x, the others (D,) or (C,). `out`, `dgamma`, `dbeta` receive the
    results.

    Raises ValueError when shapes do not fit.
    """
    return of(x).batch_norm_backward(
        dout, x, gamma, mean, std, train=train, y=y, out=out, dgamma=dgamma, dbeta=dbeta
    )


def group_norm(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    groups: int = 1,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return y = gamma * (x - mean) / std + beta, and mean and std = sqrt(var + eps).

    mean and var (biased) are taken over C/groups channels and all their pixels, for each sample by
    itself: the same in training and in test. With one group, (N, C) is normalised row by row,
    which is layer normalisation; with C groups an image is normalised channel by channel.

    Shapes: x (N, C, ...), gamma and beta (C,), mean and std (N, groups).

    Raises ValueError when shapes do not fit or groups does not divide C.

    Source: Wu and He, "Group Normalization", 2018; Ba, Kiros and Hinton, "Layer Normalization",
    2016.
    """
    return of(x).group_norm(x, gamma, beta, groups, eps=eps, out=out)


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
    """Return dx, dgamma = sum(dout * xn) and dbeta = sum(dout), with xn = (x - mean) / std.

    dx = (d - mean(d) - xn * mean(d * xn)) / std with d = gamma * dout and means over a sample's
    group. The sums of dgamma and dbeta run over all axes but the channel's.

    Shapes: dout and dx as x, gamma, dgamma, dbeta (C,), mean and std (N, groups). `out`, `dgamma`,
    `dbeta` receive the results.

    Raises ValueError when shapes do not fit.
    """
    return of(x).group_norm_backward(
        dout, x, gamma, mean, std, groups, out=out, dgamma=dgamma, dbeta=dbeta
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
    """Return y = x * scale^-beta, and scale = k + alpha * (sum of x^2 over n channels around).

    Shapes: x, y and scale (N, C, ...). The sum runs over the channels c - n//2 .. c + (n-1)//2, as
    far as there are any.

    Raises ValueError when x has fewer than 2 dimensions, for n < 1, k <= 0 or alpha < 0.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
    Neural Networks", 2012.
    """
    return of(x).local_response_norm(x, n=n, k=k, alpha=alpha, beta=beta, out=out)


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
    """Return dx = dout * scale^-beta - 2 * alpha * beta * x * (sum of dout * y / scale).

    The sum runs over the channels whose scale holds x: c - (n-1)//2 .. c + n//2. `add` adds into
    `out`.

    Shapes: all alike.

    Raises ValueError when shapes do not fit.
    """
    return of(x).local_response_norm_backward(
        dout, x, y, scale, n=n, alpha=alpha, beta=beta, out=out, add=add
    )
