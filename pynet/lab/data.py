"""Real data for the experiments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pynet._types import Array
from pynet.datasets import load_digits, load_mnist


class Images(NamedTuple):
    """Training and test images (N, 1, 28, 28) with their labels, and what they are."""

    name: str
    pairs: tuple[tuple[Array, Array], tuple[Array, Array]]


def mnist_or_digits() -> Images:
    """Return MNIST from local files, else the package's digits enlarged to 28 x 28."""
    try:
        return Images("MNIST", load_mnist(flatten=False))
    except FileNotFoundError:
        (x_train, t_train), (x_test, t_test) = load_digits()
        return Images(
            "digits (8x8 enlarged)", ((_enlarge(x_train), t_train), (_enlarge(x_test), t_test))
        )


def _enlarge(x: Array) -> Array:
    """8 x 8 pictures from 0 to 1 as 28 x 28 ones: each pixel three times, a margin of 2."""
    x = np.asarray(x, np.float32).reshape(-1, 1, 8, 8)
    return np.pad(x.repeat(3, axis=2).repeat(3, axis=3), [(0, 0), (0, 0), (2, 2), (2, 2)])
