"""The loss layers of the book: the last layer of a network in training.

The other losses are in `pynet.losses`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import devices, ops
from pynet._types import Array, ArrayLike
from pynet.checks import real_number
from pynet.layers.inputs import real_array
from pynet.layers.loss_layer import BinaryLoss, ClassLoss, LossLayer, times


class SoftmaxWithLoss(ClassLoss):
    """Softmax with cross entropy: loss = -(1/N) * sum of t * log y, y = softmax(x).

    Shapes: x (N, D); t (N,) class numbers or (N, D) one-hot or soft rows. Backward returns
    (y - t) / N. The two are computed as one: exact for any logits, without the book's 1e-7 inside
    the logarithm (`functions.cross_entropy_error` has it).

    Args:
        class_weight: (D,), see `LossLayer`.
        label_smoothing: eps from 0 to 1; t becomes (1 - eps) * t + eps / D. w_n stays that of t.

    Raises IndexError for a label out of range, ValueError when shapes do not fit.

    Source of label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016.
    """

    op = "softmax_cross_entropy"

    def __init__(
        self, *, class_weight: ArrayLike | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(class_weight=class_weight)
        self.label_smoothing = _smoothing(self.op, label_smoothing)

    def _kernel(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array] | None:
        return None if self.label_smoothing else ops.softmax_cross_entropy(x, t)

    def _kernel_dx(self, scale: float) -> Array:
        return ops.softmax_cross_entropy_backward(self.y, self.t, scale=scale)

    def _weighted(
        self, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[float, Array, Any]:
        # The loss is linear in t: weights and smoothing are other rows, and 1/total is not 1/N.
        batch = self._batch(x)
        targets = self._targets(batch, t)
        weights, total = self._weigh(batch, targets, sample_weight)
        rows = times(weights, smooth_labels(targets, self.label_smoothing))
        ratio = len(batch) / total
        loss, y = ops.softmax_cross_entropy(batch, rows)
        return loss * ratio, y.reshape(np.shape(x)), (rows, ratio)

    def _weighted_dx(self, scale: float) -> Array:
        rows, ratio = self._saved
        return ops.softmax_cross_entropy_backward(self.y, rows, scale=scale * ratio)


class SigmoidWithLoss(BinaryLoss):
    """Sigmoid with binary cross entropy: the mean over N of the sum over the other axes.

    Shapes: x and t (N, ...), t in [0, 1]. y = sigmoid(x); backward returns (y - t) / N. The terms
    are max(x, 0) - x * t + log(1 + exp(-|x|)), exact for any x.

    Args:
        class_weight: (2,), see `LossLayer`.

    Raises ValueError when shapes do not fit.
    """

    op = "sigmoid_cross_entropy"
    threshold = 0.0

    def _terms(self, x: Array, t: Array) -> Array:
        return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))

    def _slopes(self, x: Array, t: Array) -> Array:
        return ops.sigmoid(x) - t

    def _predictions(self, x: Array) -> Array:
        return ops.sigmoid(x)

    def _kernel(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
        return ops.sigmoid_cross_entropy(x, t)

    def _kernel_dx(self, scale: float) -> Array:
        return ops.sigmoid_cross_entropy_backward(self.y, self.t, scale=scale)


class IdentityWithLoss(LossLayer):
    """The identity with squared error, for regression: loss = sum((y - t)^2) / (2N), y = x.

    Shapes: x and t (N, ...). Backward returns (y - t) / N, the same form as softmax with cross
    entropy has.

    Args:
        class_weight: (D,), a factor for each output, see `LossLayer`.

    Raises ValueError when shapes do not fit.
    """

    op = "squared_error"
    classifies = False

    def _terms(self, x: Array, t: Array) -> Array:
        return np.square(x - t) / 2

    def _slopes(self, x: Array, t: Array) -> Array:
        return x - t

    def _kernel(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array]:
        return ops.squared_error(x, t), devices.array(x)

    def _kernel_dx(self, scale: float) -> Array:
        return ops.squared_error_backward(self.y, self.t, scale=scale)


def smooth_labels(t: ArrayLike, label_smoothing: float) -> Array:
    """Return (1 - eps) * t + eps / D for rows t (N, D), eps = label_smoothing.

    Raises ValueError for another shape, or eps outside 0 to 1.
    """
    t = real_array("[smooth_labels] t", t)
    if t.ndim != 2:
        raise ValueError(f"[smooth_labels] t: expected rows (N, D), got {t.shape}")
    label_smoothing = _smoothing("smooth_labels", label_smoothing)
    return (1 - label_smoothing) * t + label_smoothing / t.shape[-1]


def _smoothing(op: str, value: float) -> float:
    return real_number(f"[{op}] label_smoothing", value, 0, 1, "a number from 0 to 1")
