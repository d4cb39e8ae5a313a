"""What all loss layers share: weights, the mean, and what each kind of target may be."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np

from pynet import backend, devices
from pynet._types import Array, ArrayLike
from pynet.layers.inputs import real_array


class LossLayer:
    """`forward(x, t)` gives the loss of a batch, `backward()` its gradient for x.

    `loss`, `y` and `t` are those of the last forward pass. `backward(dout)` multiplies by dout,
    the gradient of the loss itself; the book ignores the argument, which is always 1 there.

    A loss of one's own says what each number of the output costs, and the derivative of that:

        class Quartic(LossLayer):
            classifies = False

            def _terms(self, x, t):
                return (x - t) ** 4

            def _slopes(self, x, t):
                return 4 * (x - t) ** 3

    The loss is the weighted mean over the samples, loss = sum of w_n L_n / sum of w_n: weights of 2
    everywhere change nothing, one of 2 counts like the sample twice. L_n is the sum of the sample's
    terms (likelihoods multiply), or their mean where `mean_of_outputs`.

    Args:
        class_weight: (D,), a factor for the terms of each of D classes or outputs, from 0; (2,) for
            classes 0 and 1 of a binary loss. They count in the sum of w_n.

    `forward(x, t, sample_weight=w)` takes a weight from 0 for each of the N samples.

    Terms and slopes are computed in NumPy: scores on the GPU are copied to the CPU for them, and
    their gradient back.

    Raises ValueError when shapes do not fit, a weight is negative or not finite, or the weights
    add up to 0; TypeError for anything but real numbers. A refused call leaves all as it was.
    """

    op: ClassVar[str] = "loss"  # in error messages; the class's name in small letters
    classifies: ClassVar[bool] = True  # whether accuracy says something of a net with this loss
    threshold: ClassVar[float | None] = None  # of two classes: where the score of class 1 begins
    mean_of_outputs: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "op" not in cls.__dict__:
            cls.op = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, *, class_weight: ArrayLike | None = None) -> None:
        self.loss: float | None = None
        self.y: Any = None
        self.t: Any = None
        self.class_weight: Array | None = None
        if class_weight is not None:
            self.class_weight = checked_weights(self.op, "class_weight", class_weight)
        self._saved: Any = None  # what a pass without a kernel of its own left for backward
        self._on_device = False  # whether that pass had scores on the GPU

    def forward(
        self, x: ArrayLike, t: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> float:
        weighted = sample_weight is not None or self.class_weight is not None
        there = devices.beside(t, x)
        found = None if weighted else self._kernel(x, there)
        if found is not None:
            (self.loss, self.y), self._saved, self.t = found, None, devices.array(there)
            return found[0]
        given = (x, t, sample_weight)
        loss, y, saved = self._weighted(*(devices.on_cpu(value) for value in given))
        self.loss, self.y, self._saved, self.t = loss, y, saved, devices.array(t)
        self._on_device = backend.on_device(x)
        return loss

    def backward(self, dout: float = 1) -> Array:
        if self.y is None:
            raise ValueError(
                f"[{type(self).__name__}.backward] x: expected forward() before backward(), "
                "got no saved input"
            )
        if self._saved is None:
            return self._kernel_dx(dout)
        factor = real_array(f"[{type(self).__name__}.backward] dout", dout)
        if factor.ndim > 0:
            raise ValueError(
                f"[{type(self).__name__}.backward] dout: expected a number, got {factor.shape}"
            )
        dx = self._weighted_dx(float(factor))
        return devices.to_device(dx) if self._on_device else dx

    # ---- what a loss defines -------------------------------------------------------------------

    def _terms(self, x: Array, t: Array) -> Array:
        """The loss of each number of x (N, ...); t as `_targets` returned it."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def _slopes(self, x: Array, t: Array) -> Array:
        """The derivatives of the terms by x."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def _targets(self, x: Array, t: ArrayLike) -> Array:
        """The targets as numbers in the shape and dtype of x."""
        array = real_array(f"[{self.op}] t", t)
        if x.shape == (len(x), 1) and array.shape == (len(x),):
            array = array[:, np.newaxis]
        if array.shape != x.shape:
            raise ValueError(f"[{self.op}] t: expected shape {x.shape} like x, got {array.shape}")
        return array.astype(x.dtype, copy=False)

    def _class_weights(self, x: Array, t: Array, factors: Array) -> tuple[Array, Array]:
        """The factors of the terms, to be broadcast against x, and w_n of each sample, (N,)."""
        if x.ndim != 2 or x.shape[1:] != factors.shape:
            raise ValueError(
                f"[{self.op}] class_weight: expected a weight for each of D outputs of x (N, D), "
                f"got {factors.shape} for x {x.shape}"
            )
        return factors[np.newaxis], np.full(len(x), factors.mean())

    # ---- the mean and its gradient -------------------------------------------------------------

    def _batch(self, x: ArrayLike) -> Array:
        """The input as float32 or float64, (N, ...)."""
        array = real_array(f"[{self.op}] x", x)
        if array.ndim == 0 or array.size == 0:
            raise ValueError(
                f"[{self.op}] x: expected a batch of shape (N, ...), got {array.shape}"
            )
        return array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False)

    def _weigh(self, x: Array, t: Array, sample_weight: ArrayLike | None) -> tuple[Any, float]:
        """The weights of the terms, None for all 1, and what the sum is divided by."""
        outputs = x.size // len(x) if self.mean_of_outputs else 1
        if sample_weight is None and self.class_weight is None:
            return None, float(len(x) * outputs)
        factors, totals = np.ones((1,) * x.ndim), np.ones(len(x))
        if self.class_weight is not None:
            factors, totals = self._class_weights(x, t, self.class_weight)
        if sample_weight is not None:
            samples = checked_weights(self.op, "sample_weight", sample_weight)
            if samples.shape != (len(x),):
                raise ValueError(
                    f"[{self.op}] sample_weight: expected a weight for each of {len(x)} samples, "
                    f"got shape {samples.shape}"
                )
            factors = factors * samples.reshape(-1, *(1,) * (x.ndim - 1))
            totals = totals * samples
        total = float(totals.sum()) * outputs
        if not total > 0:
            which = "class_weight" if sample_weight is None else "sample_weight"
            raise ValueError(f"[{self.op}] {which}: expected a sum above 0, got {total}")
        return factors, total

    def _predictions(self, x: Array) -> Array:
        """What `y` shows."""
        return x

    def _weighted(
        self, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[float, Array, Any]:
        """The loss, y, and what `_weighted_dx` needs."""
        batch = self._batch(x)
        targets = self._targets(batch, t)
        weights, total = self._weigh(batch, targets, sample_weight)
        with np.errstate(all="ignore"):
            terms = times(weights, self._terms(batch, targets))
            loss = float(np.sum(terms, dtype=np.float64)) / total
        saved = batch, targets, weights, total, np.shape(x)
        return loss, self._predictions(batch).reshape(np.shape(x)), saved

    def _weighted_dx(self, scale: float) -> Array:
        x, t, weights, total, shape = self._saved
        with np.errstate(all="ignore"):
            dx = times(weights, self._slopes(x, t)) * (scale / total)
        return dx.astype(x.dtype, copy=False).reshape(shape)

    # ---- a faster way where there are no weights -----------------------------------------------

    def _kernel(self, x: ArrayLike, t: ArrayLike) -> tuple[float, Array] | None:
        """The loss and y by one op; None where there is none for these settings."""
        return None

    def _kernel_dx(self, scale: float) -> Array:
        """The gradient by one op, from `y` and `t`, where `_kernel` gave the loss."""
        raise NotImplementedError(f"{type(self).__name__} has no kernel for its gradient")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ClassLoss(LossLayer):
    """A loss of class numbers t (N,), or one-hot or soft rows t (N, D); x is (N, D) or (D,).

    The weight of a class multiplies its terms; w_n is the weight of the sample's class, of a soft
    row the mean by its shares.
    """

    def _batch(self, x: ArrayLike) -> Array:
        x = np.atleast_2d(super()._batch(x))
        if x.ndim != 2:
            raise ValueError(f"[{self.op}] x: expected shape (N, D) or (D,), got {x.shape}")
        return x

    def _targets(self, x: Array, t: ArrayLike) -> Array:
        """The targets as rows like x."""
        N, D = x.shape
        array = real_array(f"[{self.op}] t", t)
        if array.size == x.size and (array.shape == x.shape or N == 1) and D > 1:
            return array.reshape(x.shape).astype(x.dtype, copy=False)
        if array.shape != (N,) and (N > 1 or array.size != 1):
            raise ValueError(
                f"[{self.op}] t: expected {N} class numbers or shape {x.shape}, got {array.shape}"
            )
        if array.dtype.kind not in "iu":
            raise TypeError(f"[{self.op}] t: expected class numbers as integers, got {array.dtype}")
        labels = array.reshape(N)
        if labels.min() < 0 or labels.max() >= D:
            raise IndexError(
                f"[{self.op}] t: expected labels 0 to {D - 1}, got {labels.min()} to {labels.max()}"
            )
        rows = np.zeros_like(x)
        rows[np.arange(N), labels] = 1
        return rows

    def _class_weights(self, x: Array, t: Array, factors: Array) -> tuple[Array, Array]:
        super()._class_weights(x, t, factors)
        shares, sums = t @ factors, t.sum(axis=1)
        return factors[np.newaxis], np.divide(shares, sums, np.zeros(len(t)), where=sums != 0)


class BinaryLoss(LossLayer):
    """A loss of two classes: t of the shape of x, 0 or 1 or a share between; class_weight (2,)."""

    def _targets(self, x: Array, t: ArrayLike) -> Array:
        targets = super()._targets(x, t)
        if not (targets.min() >= 0 and targets.max() <= 1):
            raise ValueError(
                f"[{self.op}] t: expected targets from 0 to 1, "
                f"got {targets.min()} to {targets.max()}"
            )
        return targets

    def _class_weights(self, x: Array, t: Array, factors: Array) -> tuple[Array, Array]:
        if factors.shape != (2,):
            raise ValueError(
                f"[{self.op}] class_weight: expected the weights of classes 0 and 1, "
                f"got shape {factors.shape}"
            )
        terms = factors[0] * (1 - t) + factors[1] * t
        return terms, terms.reshape(len(t), -1).mean(axis=1)


def checked_weights(op: str, name: str, value: ArrayLike) -> Array:
    """Weights as float64, finite and from 0."""
    weights = real_array(f"[{op}] {name}", value).astype(np.float64)
    if weights.ndim != 1 or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(f"[{op}] {name}: expected a row of finite numbers from 0, got {value!r}")
    return weights


def times(weights: Any, values: Array) -> Array:
    """The weighted values; what has no weight is 0, whatever its value."""
    return values if weights is None else np.where(weights == 0, 0, weights * values)
