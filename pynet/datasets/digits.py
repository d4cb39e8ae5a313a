"""The real handwritten digits that come with the package."""

from __future__ import annotations

import gzip
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from pynet._types import Array
from pynet.datasets.arrays import Split, check_split, one_hot_rows, prepare_images, stratified_split


def load_digits(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    test_fraction: float = 0.25,
    seed: int = 0,
) -> Split:
    """1,797 digits of 8 x 8 pixels: `(x_train, t_train), (x_test, t_test)`, nothing downloaded.

    Args:
        normalize: True gives float32 pixels in [0, 1] (divided by 16), False uint8 0 to 16.
        flatten: True gives (N, 64), False (N, 1, 8, 8).
        one_hot_label: True gives float64 (N, 10), False uint8 (N,).
        test_fraction: of the digits, 0.25 giving 1,348 and 449; see `stratified_split`.
        seed: of the split; the same seed gives the same split on every machine.

    Raises: ValueError or TypeError for a `test_fraction` or `seed` that is none.

    Source: Alpaydin and Kaynak, 1998, "Cascading classifiers"; the UCI repository's "Optical
    Recognition of Handwritten Digits", in the copy of scikit-learn (data/digits.LICENSE.txt).
    """
    check_split("load_digits", test_fraction, seed)
    pixels, labels = _read_digits()
    x = prepare_images(pixels, normalize, flatten, scale=16)
    t = one_hot_rows(labels, 10) if one_hot_label else labels
    train, test = stratified_split(labels, test_fraction, seed)
    return (x[train], t[train]), (x[test], t[test])


def _read_digits() -> tuple[NDArray[np.uint8], Array]:
    """Images (1797, 8, 8) and class numbers (1797,) in the order of the file."""
    packed = (resources.files("pynet") / "data" / "digits.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode("ascii").splitlines()
    rows = np.loadtxt(lines, dtype=np.uint8, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1]
