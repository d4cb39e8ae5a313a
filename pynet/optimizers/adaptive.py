"""Optimizers with a rate for each weight, from the gradients that it has had."""

from __future__ import annotations

from typing import ClassVar

from pynet import ops
from pynet._types import Array
from pynet.optimizers.base import Optimizer
from pynet.optimizers.settings import Hyperparameter


class AdaGrad(Optimizer):
    """h <- h + g^2; p <- p - lr * g / (sqrt(h) + 1e-7).

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods", 2011.
    """

    state_names = ("h",)
    lr = Hyperparameter()

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def _step(self, p: Array, g: Array, h: Array) -> None:
        ops.adagrad_update(p, g, h, self.lr)


class RMSprop(Optimizer):
    """h <- decay_rate * h + (1 - decay_rate) * g^2; p <- p - lr * g / (sqrt(h) + 1e-7).

    Source: Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.
    """

    state_names = ("h",)
    lr = Hyperparameter()
    decay_rate = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__()
        self.lr = lr
        self.decay_rate = decay_rate

    def _step(self, p: Array, g: Array, h: Array) -> None:
        ops.rmsprop_update(p, g, h, self.lr, self.decay_rate)


class AdaDelta(Optimizer):
    """p <- p - lr * d with d = sqrt(u + eps) / sqrt(h + eps) * g.

    h and u are running means of g^2 (d's own included) and of d^2 (before this one): the step has
    the unit of p, so that lr can stay 1.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
    """

    state_names = ("h", "u")
    lr = Hyperparameter()
    decay_rate = Hyperparameter(high=1)
    eps = Hyperparameter(low=1e-12)

    def __init__(self, lr: float = 1.0, decay_rate: float = 0.95, eps: float = 1e-6) -> None:
        super().__init__()
        self.lr = lr
        self.decay_rate = decay_rate
        self.eps = eps

    def _step(self, p: Array, g: Array, h: Array, u: Array) -> None:
        ops.adadelta_update(p, g, h, u, self.lr, self.decay_rate, self.eps)


class _Moments(Optimizer):
    """What Adam and its relatives share: m and v, running means of g and g^2, and their settings.

    m <- m + (1 - beta1) * (g - m); v <- v + (1 - beta2) * (g^2 - v).
    """

    state_names: ClassVar[tuple[str, ...]] = ("m", "v")
    lr = Hyperparameter()
    beta1 = Hyperparameter(high=1)
    beta2 = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__()
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.iter = 0

    def _begin(self) -> None:
        self.iter += 1


class Adam(_Moments):
    """p <- p - a * m / (sqrt(v) + 1e-7), with running means m of g and v of g^2.

    m <- m + (1 - beta1) * (g - m); v <- v + (1 - beta2) * (g^2 - v);
    a = lr * sqrt(1 - beta2^iter) / (1 - beta1^iter), iter counting the updates from 1.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015.
    """

    def _step(self, p: Array, g: Array, m: Array, v: Array) -> None:
        ops.adam_update(p, g, m, v, self.lr, self.beta1, self.beta2, self.iter)


class AdamW(_Moments):
    """p <- p * (1 - lr * weight_decay), then Adam's step with m and v that do not see the decay.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
    """

    weight_decay = Hyperparameter()

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, beta1, beta2)
        self.weight_decay = weight_decay

    def _step(self, p: Array, g: Array, m: Array, v: Array) -> None:
        ops.adamw_update(p, g, m, v, self.lr, self.beta1, self.beta2, self.weight_decay, self.iter)


class NAdam(_Moments):
    """Adam that looks one step ahead, as Nesterov's method does.

    p <- p - lr * sqrt(1 - beta2^k) * m_next / (sqrt(v) + 1e-7) with k = iter and
    m_next = beta1 * m / (1 - beta1^(k+1)) + (1 - beta1) * g / (1 - beta1^k).

    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016, with a constant beta1.
    """

    def _step(self, p: Array, g: Array, m: Array, v: Array) -> None:
        ops.nadam_update(p, g, m, v, self.lr, self.beta1, self.beta2, self.iter)


class AMSGrad(_Moments):
    """Adam with v_max <- max(v_max, v) in place of v under the root: rates that never grow.

    Source: Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", 2018.
    """

    state_names = ("m", "v", "v_max")

    def _step(self, p: Array, g: Array, m: Array, v: Array, v_max: Array) -> None:
        ops.amsgrad_update(p, g, m, v, v_max, self.lr, self.beta1, self.beta2, self.iter)
