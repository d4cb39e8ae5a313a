"""Optimizers that move by the gradient itself, its running sum, or its sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pynet import ops
from pynet._types import Array
from pynet.optimizers.base import Optimizer
from pynet.optimizers.settings import Hyperparameter


class SGD(Optimizer):
    """Stochastic gradient descent: p <- p - lr * g.

    Source: Robbins and Monro, "A Stochastic Approximation Method", 1951.
    """

    lr = Hyperparameter()

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def _step(self, p: Array, g: Array) -> None:
        ops.sgd_update(p, g, self.lr)


class GradientDescent(SGD):
    """Plain gradient descent: p <- p - lr * g with the gradient of the whole training set.

    The rule is that of SGD; what differs is the batch.

    Source: Cauchy, "Methode generale pour la resolution des systemes d'equations simultanees",
    1847.
    """


class Momentum(Optimizer):
    """v <- momentum * v - lr * g; p <- p + v.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    state_names = ("v",)
    lr = Hyperparameter()
    momentum = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum

    def _step(self, p: Array, g: Array, v: Array) -> None:
        ops.momentum_update(p, g, v, self.lr, self.momentum)


class Nesterov(Optimizer):
    """p <- p + momentum^2 * v - (1 + momentum) * lr * g; then v <- momentum * v - lr * g.

    Source: Bengio, Boulanger-Lewandowski and Pascanu, "Advances in Optimizing Recurrent
    Networks", 2013 (Nesterov's accelerated gradient, 1983, in terms of the current gradient).
    """

    state_names = ("v",)
    lr = Hyperparameter()
    momentum = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum

    def _step(self, p: Array, g: Array, v: Array) -> None:
        ops.nesterov_update(p, g, v, self.lr, self.momentum)


class LARS(Optimizer):
    """Momentum with a rate for each parameter that follows its size, for large batches.

    v <- momentum * v - lr * r * (g + weight_decay * p); p <- p + v, where
    r = trust * |p| / (|g| + weight_decay * |p|) with the norms of the whole parameter. For
    parameters of one axis (b, gamma, beta), and where a norm is 0, r = trust without weight decay:
    they begin at 0 or stay near 1, and their size says nothing about the step that suits them.

    Source: You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017.
    """

    elementwise = False
    state_names = ("v",)
    lr = Hyperparameter()
    momentum = Hyperparameter(high=1)
    weight_decay = Hyperparameter()
    trust = Hyperparameter()

    def __init__(
        self,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        trust: float = 0.02,
    ) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.trust = trust

    def _step(self, p: Array, g: Array, v: Array) -> None:
        if p.ndim > 1:
            ops.lars_update(p, g, v, self.lr, self.momentum, self.weight_decay, self.trust)
        else:
            ops.momentum_update(p, g, v, self.lr * self.trust, self.momentum)


class RProp(Optimizer):
    """p <- p - sign(g) * step: only the sign of the gradient counts, each weight has its own step.

    step begins at lr; it is multiplied by `grow`, up to `most`, where the sign stays, and by
    `shrink`, down to `least`, where it turns (there p waits for the next update). Meant for full
    batches: the signs of mini-batches contradict each other. A schedule has no effect on it, as lr
    is the first step only.

    Source: Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning",
    1993, in the form without weight-backtracking (Igel and Huesken, 2000: iRprop-).
    """

    state_names = ("sign", "step")
    lr = Hyperparameter()
    shrink = Hyperparameter(high=1)
    grow = Hyperparameter(low=1)
    least = Hyperparameter()
    most = Hyperparameter()
    step: Any

    def __init__(
        self,
        lr: float = 0.01,
        shrink: float = 0.5,
        grow: float = 1.2,
        least: float = 1e-6,
        most: float = 50.0,
    ) -> None:
        super().__init__()
        self.lr = lr
        self.shrink = shrink
        self.grow = grow
        self.least = least
        self.most = most

    def prepare(self, params: Mapping[str, Any]) -> None:
        super().prepare(params)
        for step in self.step.values():
            step[...] = self.lr

    def _step(self, p: Array, g: Array, sign: Array, step: Array) -> None:
        ops.rprop_update(p, g, sign, step, self.least, self.most, self.shrink, self.grow)
