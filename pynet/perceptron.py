"""Chapter 2: the perceptron, the gates made of it, and circuits made of NAND gates alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pynet._types import Array, ArrayLike

__all__ = ["AND", "NAND", "OR", "XOR", "Perceptron", "full_adder", "half_adder", "with_ones"]


class Perceptron:
    """y = 1 where x . w + b > 0, else 0: a neuron with a step function.

    Args:
        w: weights (D,). A copy is kept.
        b: bias, a number.

    `p(x)` takes one sample (D,) or a batch (N, D) and returns an int or integers (N,). `fit` is the
    learning rule.

    Raises ValueError for other shapes and numbers that are not finite.

    Source: Rosenblatt, "The Perceptron: A Probabilistic Model for Information Storage and
    Organization in the Brain", 1958.
    """

    def __init__(self, w: ArrayLike, b: float) -> None:
        self.w = np.array(w, np.float64)
        self.b = float(b)
        if self.w.ndim != 1 or not np.isfinite(self.w).all():
            raise ValueError(f"[Perceptron] w: expected finite weights of shape (D,), got {w!r}")
        if not math.isfinite(self.b):
            raise ValueError(f"[Perceptron] b: expected a finite number, got {b}")

    def __call__(self, x: ArrayLike) -> Any:
        fires = self._samples(x) @ self.w + self.b > 0
        return int(fires) if fires.ndim == 0 else fires.astype(np.int64)

    def fit(self, x: ArrayLike, t: ArrayLike, lr: float = 1.0, epochs: int = 100) -> int:
        """Learn: w <- w + lr * (t - y) * x and b <- b + lr * (t - y), sample after sample.

        Stops after the first epoch without an error: if a line separates the two classes there
        will be one (Novikoff, 1962), else the weights never come to rest.

        Args:
            x: samples (N, D).
            t: targets (N,), 0 or 1.
            lr: a finite number above 0.
            epochs: at most so many.

        Returns how many epochs had an error.

        Raises ValueError, and changes nothing, when an argument is none of these.
        """
        samples, targets = self._samples(x), np.asarray(t)
        if samples.ndim != 2 or targets.shape != (len(samples),):
            raise ValueError(
                f"[Perceptron.fit] t: expected one target for each of the samples (N, {len(self.w)}"
                f"), got {targets.shape} for x {samples.shape}"
            )
        if not np.isin(targets, (0, 1)).all():
            raise ValueError(f"[Perceptron.fit] t: expected 0 and 1 only, got {np.unique(targets)}")
        if not (math.isfinite(lr) and lr > 0):
            raise ValueError(f"[Perceptron.fit] lr: expected a finite number > 0, got {lr}")
        for epoch in range(epochs):
            errors = 0
            for sample, target in zip(samples, targets):
                error = int(target) - self(sample)
                self.w += lr * error * sample
                self.b += lr * error
                errors += error != 0
            if not errors:
                return epoch
        return epochs

    def _samples(self, x: ArrayLike) -> Array:
        samples = np.asarray(x, np.float64)
        if samples.ndim not in (1, 2) or samples.shape[-1] != len(self.w):
            raise ValueError(
                f"[Perceptron] x: expected shape ({len(self.w)},) or (N, {len(self.w)}), "
                f"got {samples.shape}"
            )
        return samples

    def __repr__(self) -> str:
        return f"Perceptron({self.w.tolist()}, {self.b})"


def with_ones(x: ArrayLike) -> Array:
    """Return x with a feature of ones in front: (N, D) becomes (N, 1 + D), (D,) becomes (1 + D,).

    So the bias becomes a weight: x @ W + b is with_ones(x) @ vstack([b, W]).
    """
    x = np.asarray(x)
    return np.concatenate([np.ones((*x.shape[:-1], 1), x.dtype), x], axis=-1)


_AND = Perceptron([0.5, 0.5], -0.7)
_OR = Perceptron([0.5, 0.5], -0.2)
_NAND = Perceptron([-0.5, -0.5], 0.7)


def AND(x1: int, x2: int) -> int:
    """Return 1 if both are 1, else 0."""
    return int(_AND([x1, x2]))


def OR(x1: int, x2: int) -> int:
    """Return 1 if one or both are 1, else 0."""
    return int(_OR([x1, x2]))


def NAND(x1: int, x2: int) -> int:
    """Return 0 if both are 1, else 1: AND with all signs turned round."""
    return int(_NAND([x1, x2]))


def XOR(x1: int, x2: int) -> int:
    """Return 1 if exactly one is 1, else 0: no perceptron can, two layers of them do."""
    return AND(NAND(x1, x2), OR(x1, x2))


def half_adder(x1: int, x2: int) -> tuple[int, int]:
    """Return (sum, carry) of two bits, x1 + x2 = sum + 2 carry, by five NAND gates."""
    both = NAND(x1, x2)
    return NAND(NAND(x1, both), NAND(x2, both)), NAND(both, both)


def full_adder(x1: int, x2: int, carry: int) -> tuple[int, int]:
    """Return (sum, carry) of three bits by NAND gates: a chain of these adds numbers."""
    half, carry1 = half_adder(x1, x2)
    total, carry2 = half_adder(half, carry)
    return total, NAND(NAND(carry1, carry1), NAND(carry2, carry2))
