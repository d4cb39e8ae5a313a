"""Activations."""

from __future__ import annotations

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike
from pynet.layers.base import Layer


class Relu(Layer):
    """y = max(0, x); backward passes dout where x > 0.

    `mask` is True where x <= 0. Unlike the book's, backward leaves dout as it was: where a value
    goes two ways, the same dout is used twice.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
    """

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.relu(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.relu_backward(dout, self._saved(self.out))

    @property
    def mask(self) -> Array | None:
        """Where x <= 0."""
        return None if self.out is None else np.less_equal(self.out, 0)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)); dx = dout * (1 - y) * y. `out` is y."""

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.sigmoid(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.sigmoid_backward(dout, self._saved(self.out))


class Tanh(Layer):
    """y = tanh(x); dx = dout * (1 - y^2). `out` is y."""

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.tanh(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.tanh_backward(dout, self._saved(self.out))
