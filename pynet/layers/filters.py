"""What convolutions of all kinds share: filters, their sizes, and how they move."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pynet import initializers
from pynet._types import Array, ArrayLike, DTypeLike, Pair, Shape
from pynet.checks import whole_number
from pynet.initializers import Init
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import batch_shape, parameter
from pynet.layers.shapes import checked_pair, out_size, pair, suffix


class Sizes(NamedTuple):
    """What a layer made by `sized` knows before its first input."""

    FN: int
    filter_size: Pair
    init: Init
    bias: bool
    dtype: DTypeLike


class Filters(Layer):
    """A layer with filters W and biases b, one for each channel that comes out.

    `_new_W` says what W is for so many channels coming in, `_out_channels` how many come out of it,
    `_out_size` which image does.
    """

    param_names = ("W", "b")
    W: Array
    b: Array | None
    _sizes: Sizes | None = None

    def __init__(
        self,
        W: ArrayLike | None,
        b: ArrayLike | None,
        stride: Pair = 1,
        pad: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
    ) -> None:
        self.W = parameter(W)
        constant: Any = b  # a number is held as it is, and not trained
        self.b = constant if np.ndim(constant) == 0 else parameter(b)
        self.stride = stride
        self.pad = pad
        self.dilation = dilation
        self.groups = groups
        self.x: Array | None = None
        self.dW: Array | None = None
        self.db: Array | None = None

    def _size(self, FN: int, filter_size: Pair, init: Init, bias: bool, dtype: DTypeLike) -> None:
        where = f"[{type(self).__name__}.sized]"
        whole_number(f"{where} FN", FN)
        checked_pair(f"{where} filter_size", filter_size)
        whole_number(f"{where} groups", self.groups)
        self._sizes = Sizes(FN, filter_size, init, bias, dtype)

    @property
    def built(self) -> bool:
        return self.W is not None

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if self.built:
            return
        sizes = self._known_sizes(batch_shape(f"[{type(self).__name__}] x", x_shape))
        self.describe(x_shape)  # or raises, before anything is made
        dtype = sizes.dtype if dtype is None else dtype
        self.W = self._draw(self._new_W(x_shape[1]), sizes.init, dtype)
        FN = self._out_channels(self.W.shape)
        self.b = initializers.zeros((FN,), dtype) if sizes.bias else None

    def _known_sizes(self, x_shape: Shape) -> Sizes:
        name = type(self).__name__
        if self._sizes is None:
            raise ValueError(f"[{name}] W: expected an array, got None")
        if len(self._image(x_shape)) != 4:
            raise ValueError(f"[{name}] x: expected shape {self._x_form}, got {x_shape}")
        whole_number(f"[{name}] groups", self.groups)
        C, FN = x_shape[1], self._sizes.FN
        if C % self.groups or FN % self.groups:
            raise ValueError(
                f"[{name}] groups: expected a divisor of {C} channels and {FN} filters, "
                f"got {self.groups}"
            )
        return self._sizes

    def describe(self, x_shape: Shape) -> Description:
        if self.built:
            W_shape = self.W.shape
            biases = 0 if self.b is None or np.ndim(self.b) == 0 else self.b.size
        else:
            sizes = self._known_sizes(x_shape)
            W_shape = self._new_W(x_shape[1])
            biases = self._out_channels(W_shape) if sizes.bias else 0
        FN, image = self._out_channels(W_shape), self._out_size(x_shape, W_shape)
        weights, moves = math.prod(W_shape), math.prod(self._moves(x_shape, image))
        return Description((x_shape[0], FN, *image), weights + biases, x_shape[0] * moves * weights)

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "pad": self.pad,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    # ---- what differs ---------------------------------------------------------------------------

    _x_form = "(N, C, H, W)"

    def _new_W(self, C: int) -> Shape:
        """The shape of W for C channels coming in: `_known_sizes` has found them to fit."""
        assert self._sizes is not None
        return (self._sizes.FN, C // self.groups, *pair(self._sizes.filter_size))

    def _draw(self, W_shape: Shape, init: Init, dtype: DTypeLike) -> Array:
        return initializers.draw(init, W_shape, dtype)

    def _image(self, shape: Shape) -> Shape:
        """The shape of x or W as the op wants it."""
        return shape

    def _in_channels(self, W_shape: Shape) -> int:
        return W_shape[1] * self.groups

    def _out_channels(self, W_shape: Shape) -> int:
        return W_shape[0]

    def _out_size(self, x_shape: Shape, W_shape: Shape) -> Shape:
        _, _, FH, FW = self._image(W_shape)
        return out_size(
            type(self).__name__, x_shape, (FH, FW), self.stride, self.pad, self.dilation
        )

    def _moves(self, x_shape: Shape, image: Shape) -> Shape:
        """The places at which every filter is applied once."""
        return image

    def __repr__(self) -> str:
        if self.built:
            channels = f"{self._in_channels(self.W.shape)} -> {self._out_channels(self.W.shape)}"
            sizes = f"{channels}, {'x'.join(map(str, self.W.shape[2:]))}"
        elif self._sizes:
            sizes = f"? -> {self._sizes.FN}, {'x'.join(map(str, self._new_W(self.groups)[2:]))}"
        else:
            sizes = "?"
        options = suffix(
            stride=self.stride, pad=self.pad, dilation=self.dilation, groups=self.groups
        )
        return f"{type(self).__name__}({sizes}{options})"
