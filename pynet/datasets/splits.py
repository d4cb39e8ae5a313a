"""Splits: training, validation and test data, and the folds of a cross-validation.

Decisions (when to stop, which rate) are made on validation data; test data only say how good the
result is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pynet._types import Array
from pynet.checks import array_of

Part = tuple[Array, Array]
Indices = NDArray[np.intp]


def train_val_test_split(
    x: ArrayLike,
    t: ArrayLike,
    ratios: Sequence[float] = (6, 2, 2),
    *,
    stratify: bool = False,
    seed: int | None = 0,
) -> tuple[Part, Part, Part]:
    """Split data at random in the ratio 6 : 2 : 2, or another; every sample goes to one part.

    The sizes are N * ratio / sum of ratios, rounded so that they add up to N: rounded down, and
    one more for the parts with the largest remainders, of equal ones the earlier.

    Args:
        x: the samples, (N, ...); indexed once, so a memory map becomes three arrays.
        t: their targets, (N, ...).
        ratios: of training, validation and test data, none below 0.
        stratify: whether every class has its share in each part, to within one sample; t is then
            class numbers (N,) or one-hot rows (N, D).
        seed: of a generator of its own; None draws from `np.random`, which else is left alone.

    Returns:
        (x_train, t_train), (x_val, t_val), (x_test, t_test).

    Raises:
        ValueError: x and t of different lengths, no samples, ratios of another number or below 0.
        TypeError: a seed that is no integer.
    """
    op = "train_val_test_split"
    x, t = array_of(f"[{op}] x", x), array_of(f"[{op}] t", t)
    if x.ndim == 0 or t.ndim == 0 or len(x) != len(t) or len(x) == 0:
        raise ValueError(
            f"[{op}] t: expected one target for each sample, got {t.shape}, x {x.shape}"
        )
    parts = array_of(f"[{op}] ratios", ratios)
    if (
        parts.shape != (3,)
        or parts.dtype.kind not in "iuf"
        or not (np.isfinite(parts).all() and parts.min() >= 0 and parts.sum() > 0)
    ):
        raise ValueError(f"[{op}] ratios: expected three numbers from 0, got {ratios!r}")
    sizes = _sizes(len(x), parts)
    indices = _deal(_groups(op, t, stratify), sizes, _generator(op, seed))
    train, val, test = ((x[i], t[i]) for i in indices)
    return train, val, test


def k_fold(
    t: ArrayLike, k: int = 5, *, stratify: bool = False, seed: int | None = 0
) -> list[tuple[Indices, Indices]]:
    """Split N samples at random into k folds; each is the test part once, the others train.

        for train, test in k_fold(t, 5):
            Trainer(net, x[train], t[train], x[test], t[test]).train()

    The folds have N // k samples, the first N % k one more.

    Args:
        t: the targets, (N, ...); only their number counts unless `stratify`.
        k: number of folds, from 2 to N.
        stratify: whether every class has its share in each fold, to within one sample; t is then
            class numbers (N,) or one-hot rows (N, D).
        seed: of a generator of its own; None draws from `np.random`, which else is left alone.

    Returns:
        k pairs (train, test) of index arrays without order; the test parts hold 0 ... N-1 once.

    Raises:
        ValueError: k out of range, no samples, labels of another shape.
        TypeError: a seed that is no integer.
    """
    targets = array_of("[k_fold] t", t)
    N = len(targets) if targets.ndim else 0
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 2 <= k <= N:
        raise ValueError(f"[k_fold] k: expected an integer from 2 to {N} samples, got {k!r}")
    sizes = _sizes(N, np.ones(k))
    folds = _deal(_groups("k_fold", targets, stratify), sizes, _generator("k_fold", seed))
    return [(np.concatenate([*folds[:i], *folds[i + 1 :]]), fold) for i, fold in enumerate(folds)]


def _sizes(total: int, ratios: Array) -> NDArray[np.intp]:
    """Whole numbers in these ratios that add up to the total."""
    # Rounded: 0.6 + 0.2 + 0.2 is not 1, and a remainder of 1e-16 is none.
    exact = np.round(total * ratios / ratios.sum(), 9)
    sizes = np.floor(exact).astype(np.intp)
    sizes[np.argsort(sizes - exact, kind="stable")[: total - sizes.sum()]] += 1
    return sizes


def _groups(op: str, t: Array, stratify: bool) -> Indices:
    """The number of each sample's class; all 0 where classes do not count."""
    if not stratify:
        return np.zeros(len(t), np.intp)
    if t.ndim == 2:
        t = t.argmax(axis=1)
    if t.ndim != 1:
        raise ValueError(
            f"[{op}] t: expected labels (N,) or one-hot rows (N, D) to stratify, got {t.shape}"
        )
    return np.unique(t, return_inverse=True)[1].astype(np.intp)


def _deal(groups: Indices, sizes: NDArray[np.intp], random: Any) -> list[Indices]:
    """Deal the samples out: each part gets its size, of each group its share to within one."""
    counts = np.bincount(groups)
    table = counts[:, np.newaxis] * sizes // len(groups)  # rounded down
    missing = sizes - table.sum(axis=0)
    for row, count in zip(table, counts):
        # The rest of a group goes to the parts that lack most: so no part is left over at the end.
        # Which of equal ones, the lot decides.
        most = np.lexsort((random(len(sizes)), -missing))[: count - row.sum()]
        row[most] += 1
        missing[most] -= 1
    parts: list[list[Indices]] = [[] for _ in sizes]
    order = np.argsort(random(len(groups)), kind="stable")
    for group, row in enumerate(table):
        members = order[groups[order] == group]
        for part, piece in zip(parts, np.split(members, np.cumsum(row)[:-1])):
            part.append(piece)
    # Another order, because within a part the first group is in front.
    place = random(len(groups))
    return [each[np.argsort(place[each], kind="stable")] for each in map(np.concatenate, parts)]


def _generator(op: str, seed: int | None) -> Any:
    """A function of n that draws n numbers from 0 to 1."""
    if seed is None:
        return np.random.random_sample
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"[{op}] seed: expected an integer or None, got {seed!r}")
    if seed < 0:
        raise ValueError(f"[{op}] seed: expected an integer from 0, got {seed!r}")
    return np.random.default_rng(seed).random
