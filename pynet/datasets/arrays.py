"""From raw arrays to what a network takes: scaling, shape, one-hot rows, stratified split."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pynet._types import Array

Split = tuple[tuple[Array, Array], tuple[Array, Array]]

# Labels above this are rather damage than classes, and one-hot rows of them would fill memory.
MAX_CLASSES = 65536


def prepare_images(x: Array, normalize: bool, flatten: bool, scale: int = 255) -> Array:
    """Float32, divided by `scale` when x is uint8; (N, D), or (N, 1, H, W) from (N, H, W)."""
    if normalize:
        integers = x.dtype == np.uint8
        x = x.astype(np.float32)
        if integers:
            x /= scale
    if flatten:
        return x.reshape(len(x), -1)
    return x[:, np.newaxis] if x.ndim == 3 else x


def one_hot_rows(t: Array, classes: int) -> NDArray[np.float64]:
    """Class numbers (N,) as rows (N, classes) with a single 1, in float64 as in the book."""
    rows = np.zeros((len(t), classes))
    rows[np.arange(len(t)), t] = 1
    return rows


def stratified_split(
    t: ArrayLike, test_fraction: float = 0.25, seed: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split N samples at random so that every class has its share in both parts.

    The test part has M = round(N * test_fraction) samples: floor(n * M / N) of the n samples of
    each class, and one more of the classes with the largest remainders, equal ones by lot.

    Args:
        t: class numbers (N,) of any type, or one-hot rows (N, D).
        test_fraction: above 0 and below 1; at least one sample goes to either part.
        seed: of a generator of its own; the state of `np.random` is neither read nor changed.

    Returns:
        (train, test): two index arrays without order that together hold 0 ... N-1 once.

    Raises:
        ValueError: fewer than two samples, labels of another shape, a fraction out of range.
        TypeError: a seed that is no integer.
    """
    classes = np.asarray(t)
    if classes.ndim == 2:
        classes = classes.argmax(axis=1)
    if classes.ndim != 1 or len(classes) < 2:
        raise ValueError(
            "[stratified_split] t: expected at least 2 labels (N,) or one-hot rows (N, D), "
            f"got shape {np.shape(t)}"
        )
    check_split("stratified_split", test_fraction, seed)
    rng = np.random.default_rng(seed)
    # One draw per sample, sorted: unlike shuffle() and choice(), whose algorithms NumPy has
    # changed before, this gives the same split on every version.
    order = np.argsort(rng.random(len(classes)), kind="stable")
    _, inverse, sizes = np.unique(classes, return_inverse=True, return_counts=True)

    total = min(max(round(len(classes) * test_fraction), 1), len(classes) - 1)
    taken, remainder = np.divmod(sizes * total, len(classes))
    by_remainder = np.lexsort((rng.random(len(sizes)), -remainder))
    taken[by_remainder[: total - taken.sum()]] += 1

    in_test = np.zeros(len(classes), bool)
    for label, count in enumerate(taken):
        in_test[order[inverse[order] == label][:count]] = True
    # Another order, because the first one has the test samples of each class in front.
    order = np.argsort(rng.random(len(classes)), kind="stable")
    return order[~in_test[order]], order[in_test[order]]


def check_split(op: str, test_fraction: float, seed: int) -> None:
    """ValueError or TypeError unless 0 < test_fraction < 1 and seed is an integer from 0."""
    if not isinstance(test_fraction, (float, np.floating)) or not 0 < test_fraction < 1:
        raise ValueError(
            f"[{op}] test_fraction: expected a number above 0 and below 1, got {test_fraction!r}"
        )
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"[{op}] seed: expected an integer, got {seed!r}")
    if seed < 0:
        raise ValueError(f"[{op}] seed: expected an integer from 0, got {seed!r}")
