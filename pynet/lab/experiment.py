"""What an experiment gets and gives.

def xor(lab: Lab) -> Result:
    for step in lab.steps(1000, quick=20):
        ...
    return Result(figure, {"accuracy": 0.75}, "One layer never ... Look at ...")
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

import pynet
from pynet._types import Array

T = TypeVar("T")


class Result(NamedTuple):
    """What an experiment found."""

    figure: Any  # a matplotlib Figure from pynet.viz.style.new_figure
    numbers: Mapping[str, Any]  # for the JSON file: numbers, texts, arrays, lists and dicts of them
    say: str  # two sentences: what to see in the picture, with the figures that this run gave


@dataclass
class Lab:
    """What an experiment works with: its settings, its data, and a progress bar.

    `quick` asks for the shortest run that goes through all of the code; its numbers mean nothing.
    """

    quick: bool = False
    seed: int = 0
    quiet: bool = False
    _data: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.reseed()

    def reseed(self, offset: int = 0) -> None:
        """Start `np.random` and pynet's own generator anew, so that runs can be compared."""
        np.random.seed(self.seed + offset)
        pynet.seed(self.seed + offset)

    def pick(self, full: T, quick: T) -> T:
        """Return `full`, or `quick` in a quick run."""
        return quick if self.quick else full

    def steps(self, full: int, quick: int, what: str = "") -> Iterator[int]:
        """Count from 0 to full - 1, or to quick - 1 in a quick run, with a progress bar."""
        return iter(self.over(range(self.pick(full, quick)), what))

    def over(self, items: Iterable[T], what: str = "") -> Iterable[T]:
        """Go through items with a progress bar on a terminal."""
        if self.quiet or not sys.stderr.isatty():
            return items
        from tqdm import tqdm

        return tqdm(items, desc=what or None, file=sys.stderr, leave=False, dynamic_ncols=True)

    def mnist(self, *, flatten: bool = True) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Return MNIST where its files are at hand, else the digits of the package enlarged to it.

        x is float32 from 0 to 1, (N, 784) or (N, 1, 28, 28); t are class numbers. A quick run gets
        the first 500 and 200 samples.
        """
        from pynet.lab.data import mnist_or_digits

        if "mnist" not in self._data:
            self._data["mnist"] = mnist_or_digits()
        limits = self.pick((None, None), (500, 200))
        pairs = [(x[:n], t[:n]) for (x, t), n in zip(self._data["mnist"].pairs, limits)]
        if flatten:
            pairs = [(x.reshape(len(x), -1), t) for x, t in pairs]
        return pairs[0], pairs[1]

    @property
    def data_name(self) -> str:
        """What `mnist()` returned: 'MNIST', or 'digits (8x8 enlarged)'."""
        self.mnist()
        return str(self._data["mnist"].name)


def plain(value: Any) -> Any:
    """Return what JSON can hold; numbers that are not finite as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
