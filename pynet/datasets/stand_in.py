"""MNIST where its files are at hand, else something of its shape."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.datasets.arrays import Split, one_hot_rows, prepare_images
from pynet.datasets.digits import load_digits
from pynet.datasets.mnist import load_mnist


def load_mnist_or_digits(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> Split:
    """MNIST from local files as by `load_mnist`, else the package's digits enlarged to 28 x 28.

    So a script runs on any machine; 60,000 training images are MNIST, 1,348 the digits. Of the
    digits each pixel is three wide, with a margin of 2. Arguments, shapes and types are those of
    `load_mnist`. Raises: as `load_mnist` does for files that are there but damaged.
    """
    try:
        return load_mnist(normalize, flatten, one_hot_label)
    except FileNotFoundError:
        train, test = load_digits(flatten=False)
    parts = []
    for x, t in (train, test):
        large = _enlarge(x) if normalize else np.rint(_enlarge(x) * 255).astype(np.uint8)
        rows = one_hot_rows(t, 10) if one_hot_label else t
        parts.append((prepare_images(large, False, flatten), rows))
    return parts[0], parts[1]


def _enlarge(x: Array) -> Array:
    """(N, 1, 8, 8) as (N, 1, 28, 28)."""
    return np.pad(x.repeat(3, axis=2).repeat(3, axis=3), [(0, 0), (0, 0), (2, 2), (2, 2)])
