"""The transposed convolution."""

from __future__ import annotations

import numpy as np

from pynet import devices, initializers, ops
from pynet._types import Array, ArrayLike, DTypeLike, Pair, Shape
from pynet.initializers import Init
from pynet.layers.filters import Filters
from pynet.layers.inputs import gradient_array, real_array
from pynet.layers.places import factors, spread
from pynet.layers.shapes import check_windows, checked_pair, pair


class TransposedConvolution(Filters):
    """Each pixel of x stamps its filters into the image: what `Convolution` does to dout.

    Shapes: x (N, C, H, W), W (C, FN/groups, FH, FW), b (FN,) or None, y (N, FN, OH, OW) with
    OH = (H-1)*stride - 2*pad + dilation*(FH-1) + 1 + output_pad. `output_pad` < stride says which
    of the sizes that a convolution makes H pixels of is meant.

    `TransposedConvolution.sized(30, 4, stride=2, pad=1)` takes C from its first input, and doubles
    the sides of the image.

    Source: Zeiler et al., "Deconvolutional Networks", 2010; Dumoulin and Visin, "A guide to
    convolution arithmetic for deep learning", 2016.
    """

    def __init__(
        self,
        W: ArrayLike | None,
        b: ArrayLike | None,
        stride: Pair = 1,
        pad: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        output_pad: Pair = 0,
    ) -> None:
        super().__init__(W, b, stride, pad, dilation, groups)
        checked_pair("[TransposedConvolution] output_pad", output_pad, 0)
        self.output_pad = output_pad

    @classmethod
    def sized(
        cls,
        FN: int,
        filter_size: Pair,
        *,
        stride: Pair = 1,
        pad: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        output_pad: Pair = 0,
        init: Init = "he",
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> TransposedConvolution:
        """Return a layer with FN channels coming out that makes W and b = 0 at its first input.

        `init` is a name of `pynet.initializers`, a standard deviation, or a function of the shape
        (FN, C/groups, FH, FW).
        """
        layer = cls(None, None, stride, pad, dilation, groups, output_pad)
        layer._size(FN, filter_size, init, bias, dtype)
        return layer

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[TransposedConvolution.forward] x", x)
        self.build(x.shape)
        if self.W.ndim != 4 or x.ndim != 4 or x.shape[1] != self.W.shape[0]:
            raise ValueError(
                f"[TransposedConvolution.forward] x: expected shape (N, {self.W.shape[0]}, H, W) "
                f"like W {self.W.shape}, got {x.shape}"
            )
        y_shape, *_ = self.describe(x.shape)
        b = np.zeros(1, np.float32) if self.b is None else devices.array(self.b)
        wide = any(a.dtype == np.float64 for a in (x, self.W, b))
        dtype = np.dtype(np.float64 if wide else np.float32)
        x = x.astype(dtype, copy=False)
        if b.shape not in ((), (1,), y_shape[1:2]):
            raise ValueError(
                f"[TransposedConvolution.forward] b: expected shape {y_shape[1:2]}, got {b.shape}"
            )
        b = devices.beside(b.astype(dtype, copy=False), x)
        self._factors = factors(b, y_shape)
        y = spread(b, y_shape, self._factors)
        W = self.W.astype(dtype, copy=False)
        ops.conv2d_dx(x, W, y_shape, **self._options, out=y, add=True)
        self.x, self._y_shape = x, y_shape
        return y

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        x: Array = self._saved(self.x)
        where = "[TransposedConvolution.backward] dout"
        dout = gradient_array(where, dout, self._y_shape, x.dtype)
        views, options = self._take_grad_views(x.dtype), self._options
        self.dW = ops.conv2d_dW(x, dout, self.W.shape, **options, out=views.get("W"))
        if self.b is not None:
            self.db = ops.sum_channels(dout, out=views.get("b"))
        return ops.conv2d(dout, self.W, **options) if need_dx else None

    def _new_W(self, C: int) -> Shape:
        FN, _, FH, FW = super()._new_W(C)
        return (C, FN // self.groups, FH, FW)

    def _draw(self, W_shape: Shape, init: Init, dtype: DTypeLike) -> Array:
        """Drawn as a convolution's (FN, C/groups, FH, FW), whose fan-in is the right one."""
        C, FNG, FH, FW = W_shape
        G = self.groups
        W = initializers.draw(init, (FNG * G, C // G, FH, FW), dtype)
        W = W.reshape(G, FNG, C // G, FH, FW).swapaxes(1, 2)
        return np.ascontiguousarray(W).reshape(W_shape)

    def _in_channels(self, W_shape: Shape) -> int:
        return W_shape[0]

    def _out_channels(self, W_shape: Shape) -> int:
        return W_shape[1] * self.groups

    def _out_size(self, x_shape: Shape, W_shape: Shape) -> Shape:
        name, window = "TransposedConvolution", (W_shape[2], W_shape[3])
        check_windows(name, x_shape, window, self.stride, self.pad, self.dilation)
        if not all(0 <= p < s for p, s in zip(pair(self.output_pad), pair(self.stride))):
            raise ValueError(
                f"[{name}] output_pad: expected 0 .. stride - 1, stride {self.stride}, "
                f"got {self.output_pad}"
            )
        OH, OW = (
            (size - 1) * s - 2 * p + d * (f - 1) + 1 + extra
            for size, f, s, p, d, extra in zip(
                x_shape[2:],
                window,
                *map(pair, (self.stride, self.pad, self.dilation, self.output_pad)),
            )
        )
        if OH < 1 or OW < 1:
            raise ValueError(
                f"[{name}] pad: expected less, so that an image of {x_shape[2:]} comes out as one, "
                f"got {self.pad}"
            )
        return OH, OW

    def _moves(self, x_shape: Shape, image: Shape) -> Shape:
        return x_shape[2:]

    def __repr__(self) -> str:
        text = super().__repr__()
        return f"{text[:-1]}, output_pad={self.output_pad})" if self.output_pad != 0 else text
