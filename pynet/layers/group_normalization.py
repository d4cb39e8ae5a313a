"""Normalisation of each sample by itself: of all its values, or of groups of its channels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from pynet import initializers, ops
from pynet._types import Array, ArrayLike, DTypeLike, Shape
from pynet.checks import real_number, whole_number
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import batch_shape, gradient_array, parameter, real_array


class _SampleNormalization(Layer, ABC):
    """What both share: y = gamma * xn + beta, the statistics of one sample, in training and test.

    `_rows` shows x as the op wants it, (N, C, ...) with the C elements of gamma; `_new_shape` is
    that of gamma for inputs of a shape.
    """

    param_names = ("gamma", "beta")
    gamma: Array
    beta: Array
    _sized_dtype: DTypeLike | None = None

    def __init__(
        self, gamma: ArrayLike | None, beta: ArrayLike | None, groups: int, eps: float
    ) -> None:
        self.gamma = parameter(gamma)
        self.beta = parameter(beta)
        self.groups = whole_number(f"[{type(self).__name__}] groups", groups)
        self.eps = real_number(
            f"[{type(self).__name__}] eps", eps, 0, expected="a finite number of at least 0"
        )
        self.input_shape: Shape | None = None
        self.std: Array | None = None
        self.dgamma: Array | None = None
        self.dbeta: Array | None = None
        self._x: Array | None = None
        self._mean: Array | None = None

    @property
    def built(self) -> bool:
        return self.gamma is not None

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if self.built:
            return
        name = type(self).__name__
        if self._sized_dtype is None:
            raise ValueError(f"[{name}] gamma: expected an array, got None")
        shape = self._new_shape(batch_shape(f"[{name}] x", x_shape))
        dtype = self._sized_dtype if dtype is None else dtype
        self.gamma = initializers.ones(shape, dtype)
        self.beta = initializers.zeros(shape, dtype)

    def forward(self, x: ArrayLike) -> Array:
        x = real_array(f"[{type(self).__name__}.forward] x", x)
        self.build(x.shape)
        rows = self._rows(x)
        y, mean, std = ops.group_norm(
            rows, self.gamma.reshape(-1), self.beta.reshape(-1), self.groups, eps=self.eps
        )
        self._x, self._mean, self.std, self.input_shape = rows, mean, std, x.shape
        return y.reshape(x.shape)

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self._x)
        assert self._mean is not None and self.std is not None and self.input_shape is not None
        where = f"[{type(self).__name__}.backward] dout"
        dout = gradient_array(where, dout, self.input_shape, self.std.dtype)
        views = self._take_grad_views(self.std.dtype)
        outs = {name: views[name].reshape(-1) for name in self.param_names if name in views}
        dx, dgamma, dbeta = ops.group_norm_backward(
            dout.reshape(x.shape),
            x,
            self.gamma.reshape(-1),
            self._mean,
            self.std,
            self.groups,
            dgamma=outs.get("gamma"),
            dbeta=outs.get("beta"),
        )
        self.dgamma = views.get("gamma", dgamma.reshape(self.gamma.shape))
        self.dbeta = views.get("beta", dbeta.reshape(self.beta.shape))
        return dx.reshape(dout.shape)

    @abstractmethod
    def _new_shape(self, x_shape: Shape) -> Shape: ...

    @abstractmethod
    def _rows(self, x: Array) -> Array: ...

    def describe(self, x_shape: Shape) -> Description:
        shape = self.gamma.shape if self.built else self._new_shape(x_shape)
        return Description(x_shape, 2 * math.prod(shape), math.prod(x_shape))


class LayerNormalization(_SampleNormalization):
    """y = gamma * (x - mean) / std + beta over the last axes of x, std = sqrt(var + eps).

    Shapes: gamma and beta have the shape of the last axes of x, those that mean and var (biased)
    are taken over: (D,) for x (N, D) and for sequences (N, T, D), (C, H, W) for whole images.
    Samples do not see each other, so that a batch of one is like any other, and training and test
    are alike.

    `LayerNormalization.sized()` makes gamma = 1 and beta = 0 for all axes but the first at its
    first input, `sized(axes=1)` for the last one only.

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016.
    """

    _axes: int | None = None

    def __init__(self, gamma: ArrayLike | None, beta: ArrayLike | None, eps: float = 1e-5) -> None:
        super().__init__(gamma, beta, 1, eps)

    @classmethod
    def sized(
        cls, axes: int | None = None, *, eps: float = 1e-5, dtype: DTypeLike = np.float32
    ) -> LayerNormalization:
        """Return a layer that makes gamma and beta, of the last `axes` axes, at its first input."""
        if axes is not None:
            whole_number("[LayerNormalization.sized] axes", axes)
        layer = cls(None, None, eps)
        layer._sized_dtype, layer._axes = dtype, axes
        return layer

    def _new_shape(self, x_shape: Shape) -> Shape:
        axes = len(x_shape) - 1 if self._axes is None else self._axes
        if not 1 <= axes < len(x_shape):
            raise ValueError(
                f"[LayerNormalization] x: expected more than {max(axes, 1)} axes, got {x_shape}"
            )
        return x_shape[-axes:]

    def _rows(self, x: Array) -> Array:
        shape = self.gamma.shape
        if x.ndim <= len(shape) or x.shape[-len(shape) :] != shape or not shape:
            raise ValueError(
                f"[LayerNormalization.forward] x: expected (N, ...) with the last axes {shape} "
                f"like gamma, got {x.shape}"
            )
        if self.beta.shape != shape:
            raise ValueError(
                f"[LayerNormalization.forward] beta: expected shape {shape} like gamma, "
                f"got {self.beta.shape}"
            )
        return x.reshape(-1, self.gamma.size)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.gamma.shape)) if self.built else "?"
        return f"LayerNormalization({size})"


class GroupNormalization(_SampleNormalization):
    """y = gamma * (x - mean) / std + beta over C/groups channels of one sample and their pixels.

    Shapes: x (N, C, ...), gamma and beta (C,), one of each per channel. groups = 1 takes all
    channels together, groups = C each by itself, which is called instance normalisation. Unlike
    batch normalisation it does the same in training and in test, for any size of batch.

    `GroupNormalization.sized(4)` makes gamma = 1 and beta = 0 at its first input.

    Raises ValueError where groups does not divide C.

    Source: Wu and He, "Group Normalization", 2018; for groups = C Ulyanov, Vedaldi and Lempitsky,
    "Instance Normalization", 2016.
    """

    def __init__(
        self, gamma: ArrayLike | None, beta: ArrayLike | None, groups: int, eps: float = 1e-5
    ) -> None:
        super().__init__(gamma, beta, groups, eps)
        if gamma is not None:
            self._new_shape((1, *self.gamma.shape))

    @classmethod
    def sized(
        cls, groups: int, *, eps: float = 1e-5, dtype: DTypeLike = np.float32
    ) -> GroupNormalization:
        """Return a layer that makes gamma and beta, per channel, at its first input."""
        layer = cls(None, None, groups, eps)
        layer._sized_dtype = dtype
        return layer

    def _new_shape(self, x_shape: Shape) -> Shape:
        C = x_shape[1] if len(x_shape) > 1 else 0
        if C < 1:
            raise ValueError(f"[GroupNormalization] x: expected shape (N, C, ...), got {x_shape}")
        if C % self.groups:
            raise ValueError(
                f"[GroupNormalization] groups: expected a divisor of {C} channels, "
                f"got {self.groups}"
            )
        return (C,)

    def _rows(self, x: Array) -> Array:
        if x.ndim < 2 or x.shape[1] != self.gamma.size:
            raise ValueError(
                f"[GroupNormalization.forward] x: expected (N, {self.gamma.size}, ...) like gamma "
                f"{self.gamma.shape}, got {x.shape}"
            )
        return x

    def __repr__(self) -> str:
        size = self.gamma.size if self.built else "?"
        return f"GroupNormalization({size}, groups={self.groups})"
