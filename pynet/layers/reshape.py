"""The same values in another shape."""

from __future__ import annotations

import math

import numpy as np

from pynet._types import Array, ArrayLike, Shape
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import real_array


class Reshape(Layer):
    """y = x as (N, *shape); backward returns dout in the shape of x.

    One of the sizes may be -1: it follows from the others.

    Raises ValueError for a shape with other numbers below 1, or more than one -1.
    """

    def __init__(self, *shape: int) -> None:
        ints = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in shape)
        if not ints or any(n < 1 and n != -1 for n in shape) or shape.count(-1) > 1:
            raise ValueError(
                f"[{type(self).__name__}] shape: expected sizes of at least 1, at most one of them "
                f"-1, got {shape}"
            )
        self.shape = shape
        self.original_x_shape: Shape | None = None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array(f"[{type(self).__name__}.forward] x", x)
        y_shape = self._y_shape("forward", x.shape)
        self.original_x_shape = x.shape
        return x.reshape(y_shape)

    def backward(self, dout: ArrayLike) -> Array:
        x_shape: Shape = self._saved(self.original_x_shape)
        where = f"[{type(self).__name__}.backward] dout"
        dout = real_array(where, dout)
        if dout.size != math.prod(x_shape):
            raise ValueError(f"{where}: expected as many values as x {x_shape}, got {dout.shape}")
        return dout.reshape(x_shape)

    def _y_shape(self, method: str, x_shape: Shape) -> Shape:
        where = f"[{type(self).__name__}.{method}] x"
        if not x_shape:
            raise ValueError(f"{where}: expected shape (N, ...), got a scalar")
        values, known = math.prod(x_shape[1:]), math.prod(n for n in self.shape if n != -1)
        if values % known or (-1 not in self.shape and values != known):
            raise ValueError(
                f"{where}: expected samples that fill the shape {self.shape}, got {x_shape}"
            )
        return (x_shape[0], *(values // known if n == -1 else n for n in self.shape))

    def describe(self, x_shape: Shape) -> Description:
        return Description(self._y_shape("describe", x_shape))

    def __repr__(self) -> str:
        return f"Reshape({', '.join(map(str, self.shape))})"


class Flatten(Reshape):
    """y = x as (N, everything else); backward returns dout in the shape of x."""

    def __init__(self) -> None:
        super().__init__(-1)

    def __repr__(self) -> str:
        return "Flatten()"
