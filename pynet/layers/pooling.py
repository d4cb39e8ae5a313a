"""Pooling layers."""

from __future__ import annotations

from pynet import ops
from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import real_array
from pynet.layers.shapes import out_size, suffix


class _Windows(Layer):
    """What layers with pool_h x pool_w windows share."""

    def __init__(self, pool_h: int, pool_w: int, stride: Pair = 2, pad: Pair = 0) -> None:
        self.pool_h = pool_h
        self.pool_w = pool_w
        self.stride = stride
        self.pad = pad
        self.x: Array | None = None

    @property
    def _kernel(self) -> tuple[int, int]:
        return self.pool_h, self.pool_w

    def describe(self, x_shape: Shape) -> Description:
        OH, OW = out_size(type(self).__name__, x_shape, self._kernel, self.stride, self.pad)
        return Description((*x_shape[:2], OH, OW))

    def __repr__(self) -> str:
        window = f"{self.pool_h}x{self.pool_w}"
        return f"{type(self).__name__}({window}, stride={self.stride}{suffix(pad=self.pad)})"


class Pooling(_Windows):
    """Max pooling: y is the maximum of each window; backward sends dout to where it was.

    Shapes: x (N, C, H, W), y (N, C, OH, OW) with OH = (H + 2*pad - pool_h) // stride + 1. Of
    equal values the first in row order counts. Unlike the book's, the output size honours `pad`,
    and padding never wins.

    Source: Zhou and Chellappa, "Computation of Optical Flow Using a Neural Network", 1988.
    """

    _arg: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[Pooling.forward] x", x)
        y, arg = ops.max_pool2d(x, self._kernel, stride=self.stride, pad=self.pad)
        self.x, self._arg = x, arg
        return y

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self.x)
        assert self._arg is not None
        return ops.max_pool2d_backward(
            dout, self._arg, x.shape, self._kernel, stride=self.stride, pad=self.pad
        )

    @property
    def arg_max(self) -> Array | None:
        """Where in its window each maximum was (fy*FW + fx), in the order n, y, x, c."""
        return None if self._arg is None else self._arg.transpose(0, 2, 3, 1).ravel()


class AveragePooling(_Windows):
    """y is the mean of each window; backward shares dout equally among its pixels.

    Shapes as in Pooling. Without `count_pad` the mean is over the pixels inside the image only.

    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """

    def __init__(
        self, pool_h: int, pool_w: int, stride: Pair = 2, pad: Pair = 0, count_pad: bool = True
    ) -> None:
        super().__init__(pool_h, pool_w, stride, pad)
        self.count_pad = count_pad

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[AveragePooling.forward] x", x)
        y = ops.avg_pool2d(
            x, self._kernel, stride=self.stride, pad=self.pad, count_pad=self.count_pad
        )
        self.x = x
        return y

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self.x)
        return ops.avg_pool2d_backward(
            dout,
            x.shape,
            self._kernel,
            stride=self.stride,
            pad=self.pad,
            count_pad=self.count_pad,
        )


class GlobalAveragePooling(Layer):
    """y is the mean of each channel: x (N, C, H, W), y (N, C).

    Source: Lin, Chen and Yan, "Network In Network", 2014.
    """

    def __init__(self) -> None:
        self.x: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[GlobalAveragePooling.forward] x", x)
        y = ops.global_avg_pool2d(x)
        self.x = x
        return y

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self.x)
        return ops.global_avg_pool2d_backward(dout, x.shape)

    def describe(self, x_shape: Shape) -> Description:
        return Description(x_shape[:2])
