"""Small classification sets: all real ones that scikit-learn ships, and generated ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pynet._types import Array
from pynet.datasets import stratified_split

LIMIT = 400  # samples used of a set


class SmallSet(NamedTuple):
    """A set in three parts, each (x, t); x has mean 0 and variance 1 in the training part."""

    name: str
    generated: bool
    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]


def small_sets(seed: int = 0, count: int | None = None) -> list[SmallSet]:
    """Return 6 real sets and 18 generated ones, or the first `count` of each kind.

    Of the real ones two are regression sets whose target is cut at its median. Raises ImportError
    when scikit-learn is not installed.
    """
    kinds = ((False, _real()), (True, _generated(seed)))
    return [
        _prepared(name, generated, *make(), seed)
        for generated, table in kinds
        for name, make in list(table.items())[:count]
    ]


def _prepared(name: str, generated: bool, x: Array, t: Array, seed: int) -> SmallSet:
    order = np.random.default_rng(seed).permutation(len(x))[:LIMIT]
    _, t = np.unique(t, return_inverse=True)  # class numbers from 0
    x, t = np.asarray(x, np.float32)[order], t[order]
    rest, test = stratified_split(t, 0.3, seed)
    learn, hold = stratified_split(t[rest], 0.25, seed)
    learn, hold = rest[learn], rest[hold]
    spread = x[learn].std(axis=0)
    x = (x - x[learn].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return SmallSet(name, generated, *((x[part], t[part]) for part in (learn, hold, test)))


def _real() -> Mapping[str, Callable[[], tuple[Array, Array]]]:
    from sklearn import datasets

    def cut(load: Callable[..., Any], column: int = 0) -> tuple[Array, Array]:
        x, y = load(return_X_y=True)
        y = y.reshape(len(x), -1)[:, column]
        return x, y > np.median(y)

    return {
        "iris": partial(datasets.load_iris, return_X_y=True),
        "wine": partial(datasets.load_wine, return_X_y=True),
        "breast cancer": partial(datasets.load_breast_cancer, return_X_y=True),
        "digits": partial(datasets.load_digits, return_X_y=True),
        "diabetes, cut at the median": lambda: cut(datasets.load_diabetes),
        "linnerud weight, cut at the median": lambda: cut(datasets.load_linnerud),
    }


def _generated(seed: int) -> Mapping[str, Callable[[], tuple[Array, Array]]]:
    from sklearn import datasets

    def classes(**options: Any) -> Callable[[], tuple[Array, Array]]:
        options = {"n_samples": LIMIT, "random_state": seed} | options
        return partial(datasets.make_classification, **options)

    def drawn(name: str, **options: Any) -> Callable[[], tuple[Array, Array]]:
        return partial(
            getattr(datasets, name), **{"n_samples": LIMIT, "random_state": seed} | options
        )

    return {
        "moons": drawn("make_moons", noise=0.1),
        "moons, much noise": drawn("make_moons", noise=0.35),
        "circles": drawn("make_circles", noise=0.05, factor=0.5),
        "circles, much noise": drawn("make_circles", noise=0.15, factor=0.6),
        "3 blobs": drawn("make_blobs", centers=3, cluster_std=1.5),
        "8 blobs": drawn("make_blobs", centers=8, cluster_std=1.5),
        "quantiles of a Gaussian": drawn("make_gaussian_quantiles", n_features=4, n_classes=3),
        "sphere in 10 dimensions": drawn("make_hastie_10_2"),
        "checkerboard": lambda: _checkerboard(seed),
        "three spirals": lambda: _spirals(seed),
        "classes: 2 of 20 features tell": classes(n_informative=2),
        "classes: 10 of 20 features tell": classes(n_informative=10),
        "classes: all of 20 features tell": classes(n_informative=20, n_redundant=0),
        "classes: 5 kinds": classes(n_informative=8, n_classes=5),
        "classes: wrong labels": classes(n_informative=8, flip_y=0.2),
        "classes: one rare": classes(n_informative=8, weights=[0.9]),
        "classes: few samples": classes(n_samples=80, n_informative=5),
        "classes: 100 features": classes(n_features=100, n_informative=10),
    }


def _checkerboard(seed: int) -> tuple[Array, Array]:
    """Points in a square; black and white fields of a board of 3 x 3."""
    x = np.random.default_rng(seed).uniform(0, 3, (LIMIT, 2))
    return x, np.floor(x).sum(axis=1) % 2


def _spirals(seed: int) -> tuple[Array, Array]:
    """The arms of the book's third volume: three, with a little noise in the angle."""
    rng = np.random.default_rng(seed)
    t = np.arange(LIMIT) % 3
    radius = np.linspace(0.05, 1, LIMIT)
    angle = 4 * radius + t * 2 * np.pi / 3 + 0.2 * rng.standard_normal(LIMIT)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], 1), t
