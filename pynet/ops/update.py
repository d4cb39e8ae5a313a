"""One optimizer step over arrays of any shape, in place.

Here p are parameters, g their gradients, and all other arrays the optimizer's state, of one shape
and one dtype, C-contiguous. All raise ValueError when shapes differ or an array cannot be written
to.
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


def adamw_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    iter: int,
) -> None:
    """AdamW: p <- p * (1 - lr * weight_decay), then Adam's step, which does not see the decay.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
    """
    of(p).adamw_update(p, g, m, v, lr, beta1, beta2, weight_decay, iter)


def nadam_update(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, iter: int
) -> None:
    """NAdam: p <- p - lr * sqrt(1 - beta2^k) * m_next / (sqrt(v) + 1e-7), k = iter, from 1.

    m_next = beta1 * m / (1 - beta1^(k+1)) + (1 - beta1) * g / (1 - beta1^k) looks one step ahead;
    m and v move as in Adam before.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016, with a constant beta1.
    """
    of(p).nadam_update(p, g, m, v, lr, beta1, beta2, iter)


def amsgrad_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    v_max: Array,
    lr: float,
    beta1: float,
    beta2: float,
    iter: int,
) -> None:
    """AMSGrad: Adam with v_max <- max(v_max, v) in place of v under the root.

    Source: Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", 2018.
    """
    of(p).amsgrad_update(p, g, m, v, v_max, lr, beta1, beta2, iter)


def adadelta_update(
    p: Array, g: Array, h: Array, u: Array, lr: float, decay_rate: float, eps: float
) -> None:
    """AdaDelta: p <- p - lr * d with d = sqrt(u + eps) / sqrt(h + eps) * g.

    Before it h <- decay_rate * h + (1 - decay_rate) * g^2, after it u likewise with d^2.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
    """
    of(p).adadelta_update(p, g, h, u, lr, decay_rate, eps)


def rprop_update(
    p: Array,
    g: Array,
    sign: Array,
    step: Array,
    least: float,
    most: float,
    shrink: float,
    grow: float,
) -> None:
    """RProp: p <- p - sign(g) * step; only the sign of g counts, each element has its own step.

    step <- min(step * grow, most) where the sign is that of the update before, and
    max(step * shrink, least) where it has turned; there p stays for once and sign becomes 0.

    Source: Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning",
    1993, in the form without weight-backtracking (Igel and Huesken, 2000: iRprop-).
    """
    of(p).rprop_update(p, g, sign, step, least, most, shrink, grow)


def lars_update(
    p: Array,
    g: Array,
    v: Array,
    lr: float,
    momentum: float,
    weight_decay: float,
    trust: float,
) -> None:
    """LARS for one parameter: v <- momentum * v - lr * r * (g + weight_decay * p); p <- p + v.

    r = trust * |p| / (|g| + weight_decay * |p|); where a norm is 0, trust without weight decay.

    Source: You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017.
    """
    of(p).lars_update(p, g, v, lr, momentum, weight_decay, trust)


def average_update(p: Array, g: Array, rate: float) -> None:
    """Move p towards g: p <- p + rate * (g - p), a running mean of what g has been."""
    of(p).average_update(p, g, rate)
