"""Losses that are minus the logarithm of a likelihood; the fused ones are in `layers.loss`.

Each is the mean over the samples of the sum over a sample's classes or outputs. A term whose target
is 0 counts 0, whatever the logarithm is; else a probability of 0 costs infinity.
"""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.layers.loss_layer import BinaryLoss, ClassLoss


class CrossEntropy(ClassLoss):
    """-(1/N) * sum of t * log y, y (N, D) probabilities; slope -t / y.

    After a Softmax layer; from scores `SoftmaxWithLoss` is exact where this one meets log 0.

    Raises ValueError for a y that is no probability; IndexError for a label out of range.
    """

    def _batch(self, x: ArrayLike) -> Array:
        return _probabilities(self.op, super()._batch(x))

    def _terms(self, y: Array, t: Array) -> Array:
        return _unless_0(t, -t * np.log(y))

    def _slopes(self, y: Array, t: Array) -> Array:
        return _unless_0(t, -t / y)


class NegativeLogLikelihood(ClassLoss):
    """-(1/N) * sum of t * x, x (N, D) the logarithms of probabilities; slope -t.

    After a log-softmax this is the cross entropy.

    Raises IndexError for a label out of range.
    """

    def _terms(self, x: Array, t: Array) -> Array:
        return _unless_0(t, -t * x)

    def _slopes(self, x: Array, t: Array) -> Array:
        return -t


class KullbackLeibler(ClassLoss):
    """(1/N) * sum of t * (log t - x), x (N, D) the logarithms of probabilities; slope -t.

    0 where exp(x) = t. It is the negative log-likelihood less the entropy of the rows t, which are
    probabilities, or class numbers.

    Raises ValueError for a t below 0; IndexError for a label out of range.

    Source: Kullback and Leibler, "On Information and Sufficiency", 1951.
    """

    def _targets(self, x: Array, t: ArrayLike) -> Array:
        targets = super()._targets(x, t)
        if not targets.min() >= 0:
            raise ValueError(f"[{self.op}] t: expected numbers from 0, got {targets.min()}")
        return targets

    def _terms(self, x: Array, t: Array) -> Array:
        return _unless_0(t, t * (np.log(t) - x))

    def _slopes(self, x: Array, t: Array) -> Array:
        return -t


class BinaryCrossEntropy(BinaryLoss):
    """-(1/N) * sum of t * log y + (1 - t) * log(1 - y), y (N, ...) probabilities of class 1.

    The slope is (1 - t) / (1 - y) - t / y. After a Sigmoid layer; from scores `SigmoidWithLoss` is
    exact where this one meets log 0.

    Raises ValueError for a y or a t outside 0 to 1.
    """

    threshold = 0.5

    def _batch(self, x: ArrayLike) -> Array:
        return _probabilities(self.op, super()._batch(x))

    def _terms(self, y: Array, t: Array) -> Array:
        return _unless_0(t, -t * np.log(y)) + _unless_0(1 - t, -(1 - t) * np.log1p(-y))

    def _slopes(self, y: Array, t: Array) -> Array:
        return _unless_0(1 - t, (1 - t) / (1 - y)) + _unless_0(t, -t / y)


def _unless_0(t: Array, terms: Array) -> Array:
    return np.where(t == 0, 0, terms).astype(terms.dtype, copy=False)


def _probabilities(op: str, y: Array) -> Array:
    """Refuse numbers outside 0 to 1; NaN passes, as a loss of NaN."""
    if np.any(y < 0) or np.any(y > 1):
        raise ValueError(
            f"[{op}] x: expected probabilities from 0 to 1, got {np.nanmin(y)} to {np.nanmax(y)}"
        )
    return y
