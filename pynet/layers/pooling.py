"""Pooling layers."""

from __future__ import annotations

from pynet import devices, ops
from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import gradient_array, image_shape, real_array, sequence_array
from pynet.layers.shapes import out_size, pair, suffix


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
        if self._arg is None:
            return None
        return devices.to_numpy(self._arg).transpose(0, 2, 3, 1).ravel()


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


class GlobalMaxPooling(Layer):
    """y is the maximum of each channel: x (N, C, H, W), y (N, C).

    Of equal values the first in row order counts.

    Source: Oquab et al., "Is Object Localization for Free?", 2015.
    """

    def __init__(self) -> None:
        self.x: Array | None = None
        self._arg: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[GlobalMaxPooling.forward] x", x)
        _, _, H, W = image_shape("[GlobalMaxPooling.forward] x", x.shape)
        y, arg = ops.max_pool2d(x, (H, W))
        self.x, self._arg = x, arg
        return y.reshape(x.shape[:2])

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self.x)
        assert self._arg is not None
        where = "[GlobalMaxPooling.backward] dout"
        dout = gradient_array(where, dout, x.shape[:2], None).reshape(self._arg.shape)
        return ops.max_pool2d_backward(dout, self._arg, x.shape, (x.shape[2], x.shape[3]))

    def describe(self, x_shape: Shape) -> Description:
        return Description(x_shape[:2])


class _Sequences(_Windows):
    """Pooling of (N, C, L): of images that are one pixel high."""

    def forward(self, x: ArrayLike) -> Array:
        x = sequence_array(f"[{type(self).__name__}.forward] x", x)
        N, C, L = x.shape
        y = super().forward(x.reshape(N, C, 1, L))
        return y.reshape(N, C, y.shape[3])

    def backward(self, dout: ArrayLike) -> Array:
        self._saved(self.x)
        dout = sequence_array(f"[{type(self).__name__}.backward] dout", dout)
        N, C, L = dout.shape
        dx = super().backward(dout.reshape(N, C, 1, L))
        return dx.reshape(N, C, dx.shape[3])

    def describe(self, x_shape: Shape) -> Description:
        (N, C, _, L), *rest = super().describe((*x_shape[:2], 1, *x_shape[2:]))
        return Description((N, C, L), *rest)

    def __repr__(self) -> str:
        (_, stride), (_, pad) = pair(self.stride), pair(self.pad)
        sizes = f"{self.pool_w}, stride={stride}{suffix(pad=pad)}"
        return f"{type(self).__name__}({sizes})"


class Pooling1D(_Sequences, Pooling):
    """Max pooling along a sequence: x (N, C, L), y (N, C, OL).

    OL = (L + 2*pad - pool) // stride + 1. All else is as in `Pooling`.
    """

    def __init__(self, pool: int, stride: int = 2, pad: int = 0) -> None:
        super().__init__(1, pool, (1, stride), (0, pad))


class AveragePooling1D(_Sequences, AveragePooling):
    """Average pooling along a sequence: x (N, C, L), y (N, C, OL).

    OL = (L + 2*pad - pool) // stride + 1. All else is as in `AveragePooling`.
    """

    def __init__(self, pool: int, stride: int = 2, pad: int = 0, count_pad: bool = True) -> None:
        super().__init__(1, pool, (1, stride), (0, pad), count_pad)
