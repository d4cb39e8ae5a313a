"""Softmax and its kin as layers of their own; with a loss behind it see SoftmaxWithLoss."""

from __future__ import annotations

from pynet import ops
from pynet._types import Array, ArrayLike
from pynet.layers.base import Layer


class Softmax(Layer):
    """y = exp(x) / sum(exp(x)) over the last axis; dx = y * (dout - sum(dout * y))."""

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.softmax(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.softmax_backward(dout, self._saved(self.out))


class Softmin(Softmax):
    """y = exp(-x) / sum(exp(-x)) over the last axis; dx = -y * (dout - sum(dout * y))."""

    def forward(self, x: ArrayLike) -> Array:
        return super().forward(ops.scale(x, -1.0))

    def backward(self, dout: ArrayLike) -> Array:
        return ops.scale(super().backward(dout), -1.0)


class LogSoftmax(Layer):
    """y = x - log(sum(exp(x))) over the last axis; dx = dout - exp(y) * sum(dout)."""

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.log_softmax(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.log_softmax_backward(dout, self._saved(self.out))
