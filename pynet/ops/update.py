"""One optimizer step over arrays of any shape, in place.

Here p are parameters, g their gradients and m, v, h the optimizer's state: C-contiguous arrays of
one shape and one dtype. All raise ValueError when shapes differ or an array cannot be written to.
"""

from __future__ import annotations

from pynet._types import Array
from pynet.backend import of


def sgd_update(p: Array, g: Array, lr: float) -> None:
    """SGD: p <- p - lr * g.

    Source: Robbins and Monro, "A Stochastic Approximation Method", 1951.
    """
    of(p).sgd_update(p, g, lr)


def momentum_update(p: Array, g: Array, v: Array, lr: float, momentum: float) -> None:
    """Momentum: v <- momentum * v - lr * g; p <- p + v.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """
    of(p).momentum_update(p, g, v, lr, momentum)


def nesterov_update(p: Array, g: Array, v: Array, lr: float, momentum: float) -> None:
    """Nesterov: p <- p + momentum^2 * v - (1 + momentum) * lr * g; then v as in Momentum.

    Source: Bengio, Boulanger-Lewandowski and Pascanu, "Advances in Optimizing Recurrent
    Networks", 2013 (Nesterov's accelerated gradient, 1983, in terms of the current gradient).
    """
    of(p).nesterov_update(p, g, v, lr, momentum)


def adagrad_update(p: Array, g: Array, h: Array, lr: float) -> None:
    """AdaGrad: h <- h + g^2; p <- p - lr * g / (sqrt(h) + 1e-7).

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods", 2011.
    """
    of(p).adagrad_update(p, g, h, lr)


def rmsprop_update(p: Array, g: Array, h: Array, lr: float, decay_rate: float) -> None:
    """RMSprop: h <- decay_rate * h + (1 - decay_rate) * g^2; p as in AdaGrad.

    Source: Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.
    """
    of(p).rmsprop_update(p, g, h, lr, decay_rate)


def adam_update(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, iter: int
) -> None:
    """Adam: p <- p - a * m / (sqrt(v) + 1e-7), with running means m of g and v of g^2.

    First m <- m + (1 - beta1) * (g - m) and v <- v + (1 - beta2) * (g^2 - v). The rate is
    a = lr * sqrt(1 - beta2^iter) / (1 - beta1^iter); iter counts from 1.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015.
    """
    of(p).adam_update(p, g, m, v, lr, beta1, beta2, iter)
