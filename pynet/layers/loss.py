"""Loss layers: the last layer of a network in training."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike


class LossLayer:
    """`forward(x, t)` gives the mean loss of a batch, `backward()` its gradient for x.

    `loss`, `y` and `t` are those of the last forward pass. `backward(dout)` multiplies by dout,
    the gradient of the loss itself; the book ignores the argument, which is always 1 there.
    `classifies` says whether the share of right answers means something with this loss.
    """

    classifies: ClassVar[bool] = True

    def __init__(self) -> None:
        self.loss: float | None = None
        self.y: Any = None
        self.t: Any = None

    def forward(self, x: ArrayLike, t: ArrayLike) -> float:
        loss, y = self._loss_and_y(x, t)
        self.loss, self.y, self.t = loss, y, np.asarray(t)
        return loss

    def backward(self, dout: float = 1) -> Array:
        if self.y is None:
            raise ValueError(
                f"[{type(self).__name__}.backward] x: expected forward() before backward(), "
                "got no saved input"
            )
        return self._dx(dout)

    def _loss_and_y(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def _dx(self, scale: float) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SoftmaxWithLoss(LossLayer):
    """Softmax with cross entropy: loss = -(1/N) * sum of t * log y, y = softmax(x).

    Shapes: x (N, D); t (N,) class numbers or (N, D) one-hot or soft rows. Backward returns
    (y - t) / N. The two are computed as one: exact for any logits, without the book's 1e-7 inside
    the logarithm (`functions.cross_entropy_error` has it).

    Raises IndexError for a label out of range, ValueError when shapes do not fit.
    """

    def _loss_and_y(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
        return ops.softmax_cross_entropy(x, t)

    def _dx(self, scale: float) -> Array:
        return ops.softmax_cross_entropy_backward(self.y, self.t, scale=scale)


class SigmoidWithLoss(LossLayer):
    """Sigmoid with binary cross entropy: the mean over N of the sum over the other axes.

    Shapes: x and t (N, ...), t in [0, 1]. y = sigmoid(x); backward returns (y - t) / N.

    Raises ValueError when shapes do not fit.
    """

    def _loss_and_y(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
        return ops.sigmoid_cross_entropy(x, t)

    def _dx(self, scale: float) -> Array:
        return ops.sigmoid_cross_entropy_backward(self.y, self.t, scale=scale)


class IdentityWithLoss(LossLayer):
    """The identity with squared error, for regression: loss = sum((y - t)^2) / (2N), y = x.

    Shapes: x and t (N, ...). Backward returns (y - t) / N, the same form as softmax with cross
    entropy has.

    Raises ValueError when shapes do not fit.
    """

    classifies = False

    def _loss_and_y(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
        return ops.squared_error(x, t), np.asarray(x)

    def _dx(self, scale: float) -> Array:
        return ops.squared_error_backward(self.y, self.t, scale=scale)
