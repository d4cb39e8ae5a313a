"""The convolution layer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pynet import initializers, ops
from pynet._types import Array, ArrayLike, DTypeLike, Pair, Shape
from pynet.initializers import Init
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import batch_shape, gradient_array, real_array
from pynet.layers.shapes import out_size, pair, suffix


class _Sizes(NamedTuple):
    FN: int
    filter_size: Pair
    init: Init
    bias: bool
    dtype: DTypeLike


class Convolution(Layer):
    """FN filters move over the image: y[n,f,i,j] = b[f] + sum of W[f] * the window at (i, j).

    Shapes: x (N, C, H, W), W (FN, C/groups, FH, FW), b (FN,), a scalar or None, y (N, FN, OH, OW)
    with OH = (H + 2*pad - dilation*(FH-1) - 1) // stride + 1. Backward returns dx and leaves dW
    and db. W and b are held by reference; a scalar b is a constant and not trained.

    `Convolution.sized(30, 5, pad=2)` takes C from its first input. `col` and `col_W`, the book's
    two matrices, are computed when they are asked for: the convolution itself needs neither.

    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """

    param_names = ("W", "b")
    W: Array
    b: Array | None
    _sizes: _Sizes | None = None

    def __init__(
        self,
        W: ArrayLike | None,
        b: ArrayLike | None,
        stride: Pair = 1,
        pad: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
    ) -> None:
        self.W = W if W is None else np.asarray(W)  # type: ignore[assignment]
        self.b = b if b is None or np.ndim(b) == 0 else np.asarray(b)  # type: ignore[assignment]
        self.stride = stride
        self.pad = pad
        self.dilation = dilation
        self.groups = groups
        self.x: Array | None = None
        self.dW: Array | None = None
        self.db: Array | None = None

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

        `init` is 'he', 'xavier', a standard deviation, or a function of the shape.
        """
        if FN < 1 or min(pair(filter_size)) < 1:
            raise ValueError(
                f"[Convolution.sized] FN, filter_size: expected at least 1, got {FN}, {filter_size}"
            )
        layer = cls(None, None, stride, pad, dilation, groups)
        layer._sizes = _Sizes(FN, filter_size, init, bias, dtype)
        return layer

    @property
    def built(self) -> bool:
        return self.W is not None

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if self.built:
            return
        W_shape = self._W_shape(batch_shape("[Convolution] x", x_shape))
        self.describe(x_shape)  # or raises, before anything is made
        assert self._sizes is not None
        dtype = self._sizes.dtype if dtype is None else dtype
        self.W = initializers.draw(self._sizes.init, W_shape, dtype)
        self.b = initializers.zeros(W_shape[:1], dtype) if self._sizes.bias else None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[Convolution.forward] x", x)
        self.build(x.shape)
        y = ops.conv2d(x, self.W, self.b, **self._options)
        self.x, self._dtype, self._y_shape = x, y.dtype, y.shape
        return y

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        x: Array = self._saved(self.x)
        dout = gradient_array("[Convolution.backward] dout", dout, self._y_shape, self._dtype)
        views = self._take_grad_views(self._dtype)
        options = self._options
        self.dW = ops.conv2d_dW(dout, x, self.W.shape, **options, out=views.get("W"))
        if self.b is not None:
            self.db = ops.sum_channels(dout, out=views.get("b"))
        return ops.conv2d_dx(dout, self.W, x.shape, **options) if need_dx else None

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "pad": self.pad,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def col(self) -> Array | None:
        """The windows of x as rows, (N*OH*OW, C*FH*FW)."""
        if self.x is None:
            return None
        FH, FW = self.W.shape[2:]
        return ops.im2col(self.x, FH, FW, stride=self.stride, pad=self.pad, dilation=self.dilation)

    @property
    def col_W(self) -> Array | None:
        """The filters as columns, (C*FH*FW, FN)."""
        return None if self.x is None else self.W.reshape(self.W.shape[0], -1).T

    def _W_shape(self, x_shape: Shape) -> Shape:
        if self.built:
            return self.W.shape
        if self._sizes is None:
            raise ValueError("[Convolution] W: expected an array, got None")
        FN, filter_size = self._sizes[:2]
        if len(x_shape) != 4:
            raise ValueError(f"[Convolution] x: expected shape (N, C, H, W), got {x_shape}")
        C = x_shape[1]
        if self.groups < 1 or C % self.groups or FN % self.groups:
            raise ValueError(
                f"[Convolution] groups: expected a divisor of {C} channels and {FN} filters, "
                f"got {self.groups}"
            )
        return (FN, C // self.groups, *pair(filter_size))

    def describe(self, x_shape: Shape) -> Description:
        W_shape = self._W_shape(x_shape)
        OH, OW = out_size(
            "Convolution", x_shape, (W_shape[2], W_shape[3]), self.stride, self.pad, self.dilation
        )
        if self.built:
            biases = 0 if self.b is None or np.ndim(self.b) == 0 else self.b.size
        else:
            biases = W_shape[0] if self._sizes and self._sizes.bias else 0
        weights = math.prod(W_shape)
        return Description(
            (x_shape[0], W_shape[0], OH, OW), weights + biases, x_shape[0] * OH * OW * weights
        )

    def __repr__(self) -> str:
        if self.built:
            FN, C, FH, FW = self.W.shape
            sizes = f"{C * self.groups} -> {FN}, {FH}x{FW}"
        elif self._sizes:
            FH, FW = pair(self._sizes.filter_size)
            sizes = f"? -> {self._sizes.FN}, {FH}x{FW}"
        else:
            sizes = "?"
        return f"Convolution({sizes}{suffix(**self._options)})"
