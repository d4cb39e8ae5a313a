"""The batch normalisation layer."""

from __future__ import annotations

import math

import numpy as np

from pynet import devices, initializers, ops
from pynet._types import Array, ArrayLike, DTypeLike, Shape
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import batch_shape, gradient_array, parameter, real_array


class BatchNormalization(Layer):
    """y = gamma * (x - mean) / std + beta, with std = sqrt(var + eps).

    Shapes: x (N, D) with gamma and beta (D,): per column. x (N, C, H, W) with gamma and beta (C,):
    per channel; with (C*H*W,): per element, which is what the book does.

    In training mean and var are the batch's, and the running ones follow them: r = momentum * r
    + (1 - momentum) * value, from 0 on (the variance too, as in the book). In test mode they are
    the running ones. `unbiased` lets the running variance follow the unbiased one.

    Backward leaves dgamma = sum of dout * xn and dbeta = sum of dout. `xc` = x - mean and
    `xn` = xc / std are computed when they are asked for. `BatchNormalization.sized()` makes gamma
    = 1 and beta = 0, per column or channel, at its first input.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift", 2015.
    """

    param_names = ("gamma", "beta")
    state_names = ("running_mean", "running_var")
    gamma: Array
    beta: Array
    _sized_dtype: DTypeLike | None = None

    def __init__(
        self,
        gamma: ArrayLike | None,
        beta: ArrayLike | None,
        momentum: float = 0.9,
        running_mean: ArrayLike | None = None,
        running_var: ArrayLike | None = None,
        eps: float = 1e-6,
        unbiased: bool = False,
    ) -> None:
        self.gamma = parameter(gamma)
        self.beta = parameter(beta)
        self.momentum = momentum
        self.eps = eps
        self.unbiased = unbiased
        # Copies: forward updates them in place, and they are this layer's alone.
        self.running_mean = None if running_mean is None else np.array(running_mean)
        self.running_var = None if running_var is None else np.array(running_var)
        self.input_shape: Shape | None = None
        self.batch_size: int | None = None
        self.std: Array | None = None
        self.dgamma: Array | None = None
        self.dbeta: Array | None = None
        self._x: Array | None = None
        self._mean: Array | None = None
        self._train = True

    @classmethod
    def sized(
        cls,
        *,
        momentum: float = 0.9,
        eps: float = 1e-6,
        unbiased: bool = False,
        dtype: DTypeLike = np.float32,
    ) -> BatchNormalization:
        """Return a layer that makes gamma and beta, per column or channel, at its first input."""
        layer = cls(None, None, momentum, eps=eps, unbiased=unbiased)
        layer._sized_dtype = dtype
        return layer

    @property
    def built(self) -> bool:
        return self.gamma is not None

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        if self.built:
            return
        if self._sized_dtype is None:
            raise ValueError("[BatchNormalization] gamma: expected an array, got None")
        if len(x_shape) not in (2, 4):
            raise ValueError(
                f"[BatchNormalization] x: expected shape (N, D) or (N, C, H, W), got {x_shape}"
            )
        x_shape = batch_shape("[BatchNormalization] x", x_shape)
        dtype = self._sized_dtype if dtype is None else dtype
        self.gamma = initializers.ones((x_shape[1],), dtype)
        self.beta = initializers.zeros((x_shape[1],), dtype)

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        x = real_array("[BatchNormalization.forward] x", x)
        self.build(x.shape)
        rows = self._rows(x)
        mean, var = self._running(rows)
        y, batch_mean, std = ops.batch_norm(
            rows,
            self.gamma,
            self.beta,
            mean,
            var,
            momentum=self.momentum,
            eps=self.eps,
            train=train_flg,
            unbiased=self.unbiased,
        )
        self.running_mean, self.running_var = mean, var
        self.input_shape, self.batch_size = x.shape, x.shape[0]
        self._x, self._mean, self.std, self._train = rows, batch_mean, std, train_flg
        return y.reshape(x.shape)

    def backward(self, dout: ArrayLike) -> Array:
        x: Array = self._saved(self._x)
        assert self._mean is not None and self.std is not None and self.input_shape is not None
        where = "[BatchNormalization.backward] dout"
        dout = gradient_array(where, dout, self.input_shape, self.std.dtype)
        views = self._take_grad_views(self.std.dtype)
        dx, self.dgamma, self.dbeta = ops.batch_norm_backward(
            dout.reshape(x.shape),
            x,
            self.gamma,
            self._mean,
            self.std,
            train=self._train,
            dgamma=views.get("gamma"),
            dbeta=views.get("beta"),
        )
        return dx.reshape(dout.shape)

    def _rows(self, x: Array) -> Array:
        """Return x as the op wants it: (N, C*H*W) where the parameters are per element."""
        size = self.gamma.size
        if x.ndim in (2, 4) and x.shape[1] == size:
            return x
        if x.ndim == 4 and math.prod(x.shape[1:]) == size:
            return x.reshape(x.shape[0], size)
        raise ValueError(
            f"[BatchNormalization.forward] x: expected (N, {size}) or (N, {size}, H, W) like "
            f"gamma {self.gamma.shape}, got {x.shape}"
        )

    def _running(self, x: Array) -> tuple[Array, Array]:
        """The running statistics, from 0 on, in the dtype of this forward pass."""
        wide = any(a.dtype == np.float64 for a in (x, self.gamma, self.beta))
        dtype = np.float64 if wide else np.float32
        mean, var = (
            devices.zeros((self.gamma.size,), dtype, x)
            if value is None
            else devices.beside(devices.array(value), x).astype(dtype, copy=False)
            for value in (self.running_mean, self.running_var)
        )
        return mean, var

    @property
    def xc(self) -> Array | None:
        """The last forward pass's x - mean."""
        if self._x is None or self._mean is None:
            return None
        return self._x - self._column(self._mean)

    @property
    def xn(self) -> Array | None:
        """The last forward pass's (x - mean) / std."""
        xc = self.xc
        return None if xc is None or self.std is None else xc / self._column(self.std)

    def _column(self, values: Array) -> Array:
        """Line one value per channel up with x."""
        assert self._x is not None
        return values.reshape(-1, *(1,) * (self._x.ndim - 2))

    def describe(self, x_shape: Shape) -> Description:
        size = self.gamma.size + self.beta.size if self.built else 2 * x_shape[1]
        return Description(x_shape, size, math.prod(x_shape))

    def __repr__(self) -> str:
        return f"BatchNormalization({self.gamma.size if self.built else '?'})"
