"""Local response normalisation."""

from __future__ import annotations

import math
import sys
from typing import Any

from pynet import ops
from pynet._types import Array, ArrayLike, Shape
from pynet.checks import real_number, whole_number
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import gradient_array, real_array


class LocalResponseNormalization(Layer):
    """y = x / (k + alpha * (sum of x^2 over the n channels around))^beta.

    Shapes: x and y (N, C, ...); the sum runs over the channels c - n//2 .. c + (n-1)//2, as far as
    there are any. A large value makes those at the same place in neighbouring channels smaller.
    `scale` is what stands in the brackets. The defaults are AlexNet's.

    Raises ValueError for n < 1, k <= 0 or alpha < 0.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
    Neural Networks", 2012.
    """

    def __init__(self, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75) -> None:
        op = "[LocalResponseNormalization]"
        self.n = whole_number(f"{op} n", n)
        self.k = real_number(f"{op} k", k, sys.float_info.min, expected="a number above 0")
        self.alpha = real_number(f"{op} alpha", alpha, 0, expected="a number of at least 0")
        self.beta = real_number(f"{op} beta", beta)
        self.x: Array | None = None
        self.out: Array | None = None
        self.scale: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[LocalResponseNormalization.forward] x", x)
        y, scale = ops.local_response_norm(x, k=self.k, **self._options)
        self.x, self.out, self.scale = x, y, scale
        return y

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self.x)
        assert self.out is not None and self.scale is not None
        where = "[LocalResponseNormalization.backward] dout"
        dout = gradient_array(where, dout, x.shape, self.out.dtype)
        return ops.local_response_norm_backward(dout, x, self.out, self.scale, **self._options)

    @property
    def _options(self) -> dict[str, Any]:
        return {"n": self.n, "alpha": self.alpha, "beta": self.beta}

    def describe(self, x_shape: Shape) -> Description:
        return Description(x_shape, 0, math.prod(x_shape) * self.n)

    def __repr__(self) -> str:
        return f"LocalResponseNormalization(n={self.n})"
