"""Rectifiers whose slope for x <= 0 is learned, or random in training."""

from __future__ import annotations

import numpy as np

from pynet import ops, rng
from pynet._types import Array, ArrayLike, DTypeLike, Shape
from pynet.activations import rrelu
from pynet.checks import real_number
from pynet.layers.base import Layer
from pynet.layers.inputs import batch_shape, filled_array, gradient_array, parameter
from pynet.layers.randomized import RandomizedLayer


class PRelu(Layer):
    """y = x where x > 0, else slope * x, and the slope is learned.

    Shapes: slope (1,), shared by all channels, or (C,) with x (N, C, ...); a number stands for a
    shared one. Backward leaves dslope = the sum of dout * x where x <= 0. `PRelu.sized()` makes a
    slope for each channel at its first input.

    Raises ValueError when x has not C channels.

    Source: He et al., "Delving Deep into Rectifiers: Surpassing Human-Level Performance on
    ImageNet Classification", 2015.
    """

    param_names = ("slope",)
    slope: Array
    _sized: tuple[float, DTypeLike] | None = None

    def __init__(self, slope: ArrayLike | None = 0.25) -> None:
        if slope is not None and not isinstance(slope, np.ndarray):
            slope = np.asarray(slope, np.float32)
        self.slope = parameter(slope if slope is None else slope.reshape(-1))
        self.dslope: Array | None = None
        self._x: Array | None = None

    @classmethod
    def sized(cls, slope: float = 0.25, *, dtype: DTypeLike = np.float32) -> PRelu:
        """Return a layer that makes a slope for each channel at its first input."""
        layer = cls(None)
        layer._sized = (real_number("[PRelu.sized] slope", slope), dtype)
        return layer

    @property
    def built(self) -> bool:
        return self.slope is not None

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if self.built:
            return
        if self._sized is None or len(x_shape) < 2:
            raise ValueError(f"[PRelu] x: expected shape (N, C, ...), got {x_shape}")
        slope, own = self._sized
        size = batch_shape("[PRelu] x", x_shape)[1]
        self.slope = np.full(size, slope, own if dtype is None else dtype)

    def forward(self, x: ArrayLike) -> Array:
        x = filled_array("[PRelu.forward] x", x)
        self.build(x.shape)
        size = self.slope.size
        if size > 1 and (x.ndim < 2 or x.shape[1] != size):
            raise ValueError(f"[PRelu.forward] x: expected shape (N, {size}, ...), got {x.shape}")
        wide = np.float64 in (x.dtype, self.slope.dtype)
        self._x = x.astype(np.float64 if wide else np.float32, copy=False)
        return np.where(self._x > 0, self._x, self._column() * self._x)

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self._x)
        dout = gradient_array("[PRelu.backward] dout", dout, x.shape, x.dtype)
        below = np.where(x > 0, x.dtype.type(0), x) * dout
        channels = (1, 1, 1, -1) if self.slope.size == 1 else (*x.shape[:2], 1, -1)
        views = self._take_grad_views(x.dtype)
        self.dslope = ops.sum_channels(below.reshape(channels), out=views.get("slope"))
        return np.where(x > 0, dout, self._column() * dout)

    def _column(self) -> Array:
        """The slope in the dtype of x, lined up with its channels."""
        assert self._x is not None
        shape = (1,) if self.slope.size == 1 else (-1, *(1,) * (self._x.ndim - 2))
        return self.slope.astype(self._x.dtype, copy=False).reshape(shape)

    def __repr__(self) -> str:
        return f"PRelu({self.slope.size if self.built else '?'})"


class RRelu(RandomizedLayer):
    """y = x where x > 0, else slope * x: in training a slope for each element, else their mean.

    The slopes are uniform in [lower, upper); where they come from is said in RandomizedLayer.

    Raises ValueError for lower > upper.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network",
    2015.
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        rrelu.bind("RRelu", (lower, upper), {})
        super().__init__()
        self.lower = lower
        self.upper = upper
        self._factor: Array | None = None  # dy/dx

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        x = filled_array("[RRelu.forward] x", x)
        x = x.astype(np.float64 if x.dtype == np.float64 else np.float32, copy=False)
        slope = self._slopes(x.shape, x.dtype) if train_flg else (self.lower + self.upper) / 2
        self._factor = np.where(x > 0, x.dtype.type(1), slope).astype(x.dtype, copy=False)
        self.dropout_step += train_flg
        return x * self._factor

    def backward(self, dout: ArrayLike) -> Array:
        factor: Array = self._saved(self._factor)
        dout = gradient_array("[RRelu.backward] dout", dout, factor.shape, factor.dtype)
        return dout * factor

    def _slopes(self, shape: Shape, dtype: DTypeLike) -> Array:
        """The slopes of this step, by the same counter-based generator as Dropout's masks."""
        key = np.array([rng.current()[0], self.dropout_number], np.uint64)
        bits = np.random.Philox(key=key, counter=[0, 0, 0, self.dropout_step])
        u = np.random.Generator(bits).random(shape, np.float32)
        return np.asarray(self.lower + (self.upper - self.lower) * u, dtype)

    def __repr__(self) -> str:
        return f"RRelu({self.lower:.6g}, {self.upper:.6g})"
