"""Maxout: the largest of several linear pieces."""

from __future__ import annotations

from pynet import ops
from pynet._types import Array, ArrayLike, Shape
from pynet.activations import maxout_shapes
from pynet.checks import whole_number
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import gradient_array, real_array


class Maxout(Layer):
    """y[:, c] = the largest of x[:, c*pieces] ... x[:, (c+1)*pieces - 1].

    Shapes: x (N, C*pieces, ...), y (N, C, ...). Behind an `Affine` or `Convolution` it learns any
    convex piecewise linear function. Backward passes dout to the piece that was the largest, the
    first of equals.

    Raises ValueError when the groups of channels do not come out even.

    Source: Goodfellow et al., "Maxout Networks", 2013.
    """

    def __init__(self, pieces: int = 2) -> None:
        self.pieces = whole_number("[Maxout] pieces", pieces)
        self._arg: Array | None = None
        self._x: Shape = ()
        self._y: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[Maxout.forward] x", x)
        pictures, y_shape = maxout_shapes("Maxout.forward", x.shape, self.pieces)
        y, self._arg = ops.max_pool2d(x.reshape(pictures), (self.pieces, 1))
        self._x, self._y = x.shape, y.reshape(y_shape)
        return self._y

    def backward(self, dout: ArrayLike) -> Array:
        y: Array = self._saved(self._y)
        assert self._arg is not None
        dout = gradient_array("[Maxout.backward] dout", dout, y.shape, y.dtype)
        pictures, _ = maxout_shapes("Maxout.backward", self._x, self.pieces)
        dx = ops.max_pool2d_backward(
            dout.reshape(self._arg.shape), self._arg, pictures, (self.pieces, 1)
        )
        return dx.reshape(self._x)

    def describe(self, x_shape: Shape) -> Description:
        return Description(maxout_shapes("Maxout", x_shape, self.pieces)[1])

    def __repr__(self) -> str:
        return f"Maxout({self.pieces})"
