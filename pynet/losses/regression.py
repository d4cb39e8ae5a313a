"""Losses of regression: y and t of one shape (N, ...), the mean over all their numbers.

`class_weight` (D,) is a factor for each of D outputs. All raise as `LossLayer` says.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.checks import real_number
from pynet.layers.loss_layer import LossLayer


class RegressionLoss(LossLayer):
    """The mean over samples and outputs of a cost of the error e = y - t."""

    classifies = False
    mean_of_outputs = True


class MeanSquaredError(RegressionLoss):
    """The mean of (y - t)^2; slope 2 (y - t).

    Twice the book's half sum for a single output (`IdentityWithLoss` is that, with slope y - t).

    Source: Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1823.
    """

    def _terms(self, y: Array, t: Array) -> Array:
        return np.square(y - t)

    def _slopes(self, y: Array, t: Array) -> Array:
        return 2 * (y - t)


class MeanAbsoluteError(RegressionLoss):
    """The mean of |y - t|; slope -1 or 1, and 0 where y = t. The best constant is the median.

    Source: Laplace, "Mémoire sur la probabilité des causes par les évènements", 1774.
    """

    def _terms(self, y: Array, t: Array) -> Array:
        return np.abs(y - t)

    def _slopes(self, y: Array, t: Array) -> Array:
        return np.sign(y - t)


class Huber(RegressionLoss):
    """The mean of e^2 / 2 where |e| <= delta, of delta * (|e| - delta / 2) beyond; e = y - t.

    The slope is e, held between -delta and delta: an outlier pulls no more than that.

    Args:
        delta: where the parabola becomes a straight line, above 0.
        class_weight: (D,), see `LossLayer`.

    Raises ValueError for a delta that is not above 0.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """

    def __init__(self, delta: float = 1.0, *, class_weight: ArrayLike | None = None) -> None:
        super().__init__(class_weight=class_weight)
        where, expected = f"[{self.op}] delta", "a finite number above 0"
        self.delta = real_number(where, delta, sys.float_info.min, sys.float_info.max, expected)

    def _terms(self, y: Array, t: Array) -> Array:
        size = np.abs(y - t)
        inside = np.minimum(size, self.delta)
        return inside * (size - inside / 2)

    def _slopes(self, y: Array, t: Array) -> Array:
        return np.clip(y - t, -self.delta, self.delta)


class LogCosh(RegressionLoss):
    """The mean of log(cosh(y - t)), near 0 a parabola and far out |e| - log 2; slope tanh(e).

    Computed without overflow, and exactly for small errors too.

    Source: Green, "Bayesian reconstructions from emission tomography data", 1990.
    """

    def _terms(self, y: Array, t: Array) -> Array:
        size = np.abs(y - t)
        near = np.log1p(2 * np.square(np.sinh(np.minimum(size, 1) / 2)))
        return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - math.log(2))

    def _slopes(self, y: Array, t: Array) -> Array:
        return np.tanh(y - t)
