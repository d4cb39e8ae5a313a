"""The fully connected layer."""

from __future__ import annotations

import math

import numpy as np

from pynet import initializers, ops
from pynet._types import Array, ArrayLike, DTypeLike, Shape
from pynet.checks import whole_number
from pynet.initializers import Init
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import batch_shape, gradient_array, parameter, real_array


class Affine(Layer):
    """y = x W + b, with x flattened to (N, in).

    Shapes: x (N, ...), W (in, out), b (out,) or None, y (N, out); backward returns dx in the shape
    of x and leaves dW = x^T dout and db = sum of dout over N. W and b are held by reference.

    `Affine.sized(100)` takes `in` from its first input.
    """

    param_names = ("W", "b")
    W: Array
    b: Array | None
    _sizes: tuple[int, Init, bool, DTypeLike] | None = None

    def __init__(self, W: ArrayLike | None, b: ArrayLike | None) -> None:
        self.W = parameter(W)
        self.b = parameter(b)
        if self.built and len(self.W.shape) != 2:
            raise ValueError(f"[Affine] W: expected shape (in, out), got {self.W.shape}")
        if self.built and self.b is not None and self.b.shape != self.W.shape[1:]:
            raise ValueError(
                f"[Affine] b: expected shape {self.W.shape[1:]}, one for each column of W "
                f"{self.W.shape}, got {self.b.shape}"
            )
        self.x: Array | None = None
        self.original_x_shape: Shape | None = None
        self.dW: Array | None = None
        self.db: Array | None = None

    @classmethod
    def sized(
        cls, out: int, *, init: Init = "he", bias: bool = True, dtype: DTypeLike = np.float32
    ) -> Affine:
        """Return a layer with `out` outputs that makes W and b = 0 at its first input.

        `init` is a name of `pynet.initializers`, a standard deviation, or a function of the shape.
        """
        layer = cls(None, None)
        layer._sizes = (whole_number("[Affine.sized] out", out), init, bias, dtype)
        return layer

    @property
    def built(self) -> bool:
        return self.W is not None

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if self.built:
            return
        out, init, bias, own_dtype = self._known_sizes()
        x_shape = batch_shape("[Affine] x", x_shape)
        dtype = own_dtype if dtype is None else dtype
        self.W = initializers.draw(init, (math.prod(x_shape[1:]), out), dtype)
        self.b = initializers.zeros((out,), dtype) if bias else None

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[Affine.forward] x", x)
        self.build(x.shape)
        rows = self._rows(x)
        y = ops.gemm(rows, self.W, self.b)
        self.x, self.original_x_shape, self._dtype = rows, x.shape, y.dtype
        return y

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        x: Array = self._saved(self.x)
        shape = (x.shape[0], self.W.shape[1])
        dout = gradient_array("[Affine.backward] dout", dout, shape, self._dtype)
        views = self._take_grad_views(self._dtype)
        self.dW = ops.gemm(x, dout, trans_a=True, out=views.get("W"))
        if self.b is not None:
            self.db = ops.sum_channels(dout, out=views.get("b"))
        if not need_dx:
            return None
        return ops.gemm(dout, self.W, trans_b=True).reshape(self.original_x_shape)

    def _known_sizes(self) -> tuple[int, Init, bool, DTypeLike]:
        if self._sizes is None:
            raise ValueError("[Affine] W: expected an array, got None")
        return self._sizes

    def _rows(self, x: Array) -> Array:
        """Flatten x to (N, in)."""
        if x.ndim == 0 or math.prod(x.shape[1:]) != self.W.shape[0]:
            raise ValueError(
                f"[Affine.forward] x: expected {self.W.shape[0]} values per sample like W "
                f"{self.W.shape}, got shape {x.shape}"
            )
        return x if x.ndim == 2 else x.reshape(x.shape[0], self.W.shape[0])

    def describe(self, x_shape: Shape) -> Description:
        n_in = math.prod(x_shape[1:])
        if self.built:
            out, biases = self.W.shape[1], np.size(self.b) if self.b is not None else 0
        else:
            out, _, bias, _ = self._known_sizes()
            biases = out if bias else 0
        return Description((x_shape[0], out), n_in * out + biases, x_shape[0] * n_in * out)

    def __repr__(self) -> str:
        if self.built:
            return f"Affine({self.W.shape[0]} -> {self.W.shape[1]})"
        return f"Affine(? -> {self._sizes[0] if self._sizes else '?'})"
