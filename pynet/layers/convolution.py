"""Convolutions: over images, over sequences, and channel by channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike, DTypeLike, Pair, Shape
from pynet.checks import whole_number
from pynet.initializers import Init
from pynet.layers.filters import Filters
from pynet.layers.inputs import gradient_array, real_array, sequence_array
from pynet.layers.shapes import out_size


class Convolution(Filters):
    """FN filters move over the image: y[n,f,i,j] = b[f] + sum of W[f] * the window at (i, j).

    Shapes: x (N, C, H, W), W (FN, C/groups, FH, FW), b (FN,), a scalar or None, y (N, FN, OH, OW)
    with OH = (H + 2*pad - dilation*(FH-1) - 1) // stride + 1. With groups, filter f sees the
    f*groups//FN-th part of the channels. Backward returns dx and leaves dW and db. W and b are held
    by reference; a scalar b is a constant and not trained.

    `Convolution.sized(30, 5, pad=2)` takes C from its first input. `col` and `col_W`, the book's
    two matrices, are computed when they are asked for: the convolution itself needs neither.

    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """

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
        init: Init = "he",
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> Convolution:
        """Return a layer of FN filters that makes W and b = 0 at its first input.

        `init` is a name of `pynet.initializers`, a standard deviation, or a function of the shape.
        """
        layer = cls(None, None, stride, pad, dilation, groups)
        layer._size(FN, filter_size, init, bias, dtype)
        return layer

    def forward(self, x: ArrayLike) -> Array:
        x = real_array(f"[{type(self).__name__}.forward] x", x)
        self.build(x.shape)
        y = ops.conv2d(self._up(x), self._up(self.W), self.b, **self._options)
        self.x, self._dtype = x, y.dtype
        y = self._down(y)
        self._y_shape = y.shape
        return y

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        x: Array = self._saved(self.x)
        where = f"[{type(self).__name__}.backward] dout"
        dout = self._up(gradient_array(where, dout, self._y_shape, self._dtype))
        views = self._take_grad_views(self._dtype)
        x, W, options = self._up(x), self._up(self.W), self._options
        out = views.get("W")
        dW = ops.conv2d_dW(dout, x, W.shape, **options, out=None if out is None else self._up(out))
        self.dW = self._down(dW) if out is None else out
        if self.b is not None:
            self.db = ops.sum_channels(dout, out=views.get("b"))
        return self._down(ops.conv2d_dx(dout, W, x.shape, **options)) if need_dx else None

    def _up(self, a: Array) -> Array:
        """x, W or dout as the op wants it."""
        return a

    def _down(self, a: Array) -> Array:
        """And back again."""
        return a

    @property
    def col(self) -> Array | None:
        """The windows of x as rows, (N*OH*OW, C*FH*FW)."""
        if self.x is None:
            return None
        x, options = self._up(self.x), self._options
        del options["groups"]
        FH, FW = self._up(self.W).shape[2:]
        return ops.im2col(x, FH, FW, **options)

    @property
    def col_W(self) -> Array | None:
        """The filters as columns, (C*FH*FW, FN)."""
        return None if self.x is None else self.W.reshape(self.W.shape[0], -1).T


class DepthwiseConvolution(Convolution):
    """Each channel is convolved by itself, with `multiplier` filters of its own.

    Shapes: x (N, C, H, W), W (C*multiplier, 1, FH, FW), y (N, C*multiplier, OH, OW): `Convolution`
    with as many groups as channels. A 1x1 convolution behind it mixes the channels: together they
    need FH*FW + FN multiplications for each value of x where a full convolution needs FH*FW*FN.

    `DepthwiseConvolution.sized(3, pad=1)` takes C from its first input.

    Source: Sifre, "Rigid-Motion Scattering for Image Classification", 2014; Chollet, "Xception",
    2017.
    """

    def __init__(
        self,
        W: ArrayLike | None,
        b: ArrayLike | None,
        stride: Pair = 1,
        pad: Pair = 0,
        dilation: Pair = 1,
        multiplier: int = 1,
    ) -> None:
        super().__init__(W, b, stride, pad, dilation)
        self.multiplier = whole_number("[DepthwiseConvolution] multiplier", multiplier)
        FN = multiplier if W is None or self.W.ndim == 0 else len(self.W)
        if FN % multiplier:
            raise ValueError(
                f"[DepthwiseConvolution] multiplier: expected a divisor of {FN} filters, "
                f"got {multiplier}"
            )
        self.groups = FN // multiplier

    # No FN: that is C * multiplier. The rest of a Convolution it is, hence the subclass.
    @classmethod
    def sized(  # type: ignore[override]
        cls,
        filter_size: Pair,
        *,
        stride: Pair = 1,
        pad: Pair = 0,
        dilation: Pair = 1,
        multiplier: int = 1,
        init: Init = "he",
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> DepthwiseConvolution:
        """Return a layer that makes W and b = 0 at its first input.

        `init` is a name of `pynet.initializers`, a standard deviation, or a function of the shape.
        """
        layer = cls(None, None, stride, pad, dilation, multiplier)
        layer._size(multiplier, filter_size, init, bias, dtype)
        return layer

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if not self.built:
            super().build(x_shape, dtype)
            self.groups = x_shape[1]

    def _new_W(self, C: int) -> Shape:
        _, _, FH, FW = super()._new_W(C)
        return (C * self.multiplier, 1, FH, FW)


class Convolution1D(Convolution):
    """FN filters move along a sequence: y[n,f,i] = b[f] + sum of W[f] * the window at i.

    Shapes: x (N, C, L), W (FN, C/groups, F), b (FN,) or None, y (N, FN, OL) with
    OL = (L + 2*pad - dilation*(F-1) - 1) // stride + 1. It is `Convolution` of an image that is one
    pixel high.

    `Convolution1D.sized(30, 5, pad=2)` takes C from its first input.

    Source: Waibel et al., "Phoneme Recognition Using Time-Delay Neural Networks", 1989.
    """

    _x_form = "(N, C, L)"
    stride: int
    pad: int
    dilation: int

    def __init__(
        self,
        W: ArrayLike | None,
        b: ArrayLike | None,
        stride: int = 1,
        pad: int = 0,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(W, b, stride, pad, dilation, groups)

    def _size(self, FN: int, filter_size: Pair, init: Init, bias: bool, dtype: DTypeLike) -> None:
        if not isinstance(filter_size, int | np.integer):
            raise TypeError(
                f"[Convolution1D.sized] filter_size: expected an integer, got {filter_size!r}"
            )
        super()._size(FN, filter_size, init, bias, dtype)

    def forward(self, x: ArrayLike) -> Array:
        return super().forward(sequence_array("[Convolution1D.forward] x", x))

    def _up(self, a: Array) -> Array:
        return a.reshape(self._image(a.shape))

    def _down(self, a: Array) -> Array:
        return a.reshape(*a.shape[:2], *a.shape[3:])

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "stride": (1, self.stride),
            "pad": (0, self.pad),
            "dilation": (1, self.dilation),
            "groups": self.groups,
        }

    def _image(self, shape: Shape) -> Shape:
        return (*shape[:2], 1, *shape[2:])

    def _new_W(self, C: int) -> Shape:
        FN, CG, F, _ = super()._new_W(C)
        return (FN, CG, F)

    def _out_size(self, x_shape: Shape, W_shape: Shape) -> Shape:
        options, x_shape = self._options, self._image(x_shape)
        del options["groups"]
        return out_size("Convolution1D", x_shape, (1, W_shape[2]), **options)[1:]
