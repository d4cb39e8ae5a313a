"""Losses that ask for a margin between right and wrong: those of support vector machines."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.layers.loss_layer import BinaryLoss, ClassLoss, LossLayer


class Hinge(BinaryLoss):
    """The mean of max(0, 1 - s x), s = 1 for class 1 and -1 for class 0; slope -s where s x < 1.

    Shapes: x (N, ...) scores, t of that shape: -1 and 1, or 0 and 1. With an L2 penalty and one
    Affine in front this is the linear support vector machine.

    Raises ValueError for other targets.

    Source: Cortes and Vapnik, "Support-Vector Networks", 1995.
    """

    threshold = 0.0
    mean_of_outputs = True

    def _targets(self, x: Array, t: ArrayLike) -> Array:
        """Targets 0 and 1."""
        targets = LossLayer._targets(self, x, t)
        found = set(np.unique(targets).tolist())
        if not (found <= {0, 1} or found <= {-1, 1}):
            raise ValueError(
                f"[{self.op}] t: expected targets -1 and 1, or 0 and 1, got {sorted(found)[:5]}"
            )
        return np.maximum(targets, 0)

    def _terms(self, x: Array, t: Array) -> Array:
        return np.maximum(1 - (2 * t - 1) * x, 0)

    def _slopes(self, x: Array, t: Array) -> Array:
        s = 2 * t - 1
        return np.where(s * x < 1, -s, 0)


class SquaredHinge(Hinge):
    """The mean of max(0, 1 - s x)^2, s as in `Hinge`; slope -2 s max(0, 1 - s x).

    Source: Lee and Mangasarian, "SSVM: A Smooth Support Vector Machine", 2001.
    """

    def _terms(self, x: Array, t: Array) -> Array:
        return np.square(super()._terms(x, t))

    def _slopes(self, x: Array, t: Array) -> Array:
        return 2 * super()._slopes(x, t) * super()._terms(x, t)


class MultiClassHinge(ClassLoss):
    """(1/N) * sum over the classes j other than the label's of max(0, 1 + x_j - x_label).

    Shapes: x (N, D) scores; t (N,) class numbers, or (N, D) one-hot rows. The slope is 1 for each
    class inside the margin, and minus their number for the label.

    Raises ValueError for rows that are not one-hot; IndexError for a label out of range.

    Source: Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", 1999.
    """

    def _targets(self, x: Array, t: ArrayLike) -> Array:
        rows = super()._targets(x, t)
        if not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
            raise ValueError(f"[{self.op}] t: expected class numbers or one-hot rows, got others")
        return rows

    def _class_weights(self, x: Array, t: Array, factors: Array) -> tuple[Array, Array]:
        """A sample's terms all have the weight of its own class."""
        _, totals = super()._class_weights(x, t, factors)
        return totals[:, np.newaxis], totals

    def _terms(self, x: Array, t: Array) -> Array:
        right = x[t == 1][:, np.newaxis]
        return np.where(t == 1, 0, np.maximum(1 + x - right, 0))

    def _slopes(self, x: Array, t: Array) -> Array:
        inside = (self._terms(x, t) > 0).astype(x.dtype)
        return inside - t * inside.sum(axis=1, keepdims=True)
