"""Real data for the experiments."""

from __future__ import annotations

from typing import NamedTuple

from pynet._types import Array
from pynet.datasets import load_mnist_or_digits, train_num


class Images(NamedTuple):
    """Training and test images (N, 1, 28, 28) with their labels, and what they are."""

    name: str
    pairs: tuple[tuple[Array, Array], tuple[Array, Array]]


def mnist_or_digits() -> Images:
    """Return MNIST from local files, else the package's digits enlarged to 28 x 28."""
    pairs = load_mnist_or_digits(flatten=False)
    return Images("MNIST" if len(pairs[0][0]) == train_num else "digits (8x8 enlarged)", pairs)
