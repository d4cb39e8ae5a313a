"""What repeated measurements of two peers in turn say about the ratio of their speeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies, linear between neighbours."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("quantile of no values")
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


class Quartiles(NamedTuple):
    """The values below which a quarter, half, three quarters lie."""

    q1: float
    median: float
    q3: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        return cls(*(quantile(values, share) for share in (0.25, 0.5, 0.75)))


class Ratio(NamedTuple):
    """How many times as fast pynet is: quartiles over the rounds, and whether that was measured."""

    q1: float
    median: float
    q3: float
    measured: bool

    def __str__(self) -> str:
        text = f"{self.median:.2f}x"
        return text if self.measured else f"({text} ?)"


LEAST_ROUNDS = 3


def ratio(pynet: Sequence[float], peer: Sequence[float], clean: bool = True) -> Ratio:
    """Ratio of the peer's seconds to pynet's, round by round: what disturbs a round, disturbs both.

    It counts as measured if the spread (from the first to the third quartile) is smaller than the
    difference from 1, both as logarithms: 2x and 0.5x are then judged alike. Samples that were
    disturbed in most rounds (`clean` is False) agree with each other and still say nothing.
    """
    if len(pynet) != len(peer):
        raise ValueError(f"{len(pynet)} rounds of pynet, {len(peer)} of the peer")
    if min(*pynet, *peer) <= 0:
        raise ValueError("a time that is not positive")
    q1, median, q3 = Quartiles.of([theirs / ours for ours, theirs in zip(pynet, peer)])
    spread, difference = math.log(q3 / q1), abs(math.log(median))
    measured = clean and len(pynet) >= LEAST_ROUNDS and spread < difference
    return Ratio(q1, median, q3, measured)


def of_medians(pynet: Sequence[float], peer: Sequence[float]) -> Ratio:
    """Ratio of two medians, where the samples are no pairs: runs that take different ways.

    The spread is that of all pairs.
    """
    pairs = Quartiles.of([theirs / ours for ours in pynet for theirs in peer])
    middle = Quartiles.of(peer).median / Quartiles.of(pynet).median
    spread, difference = math.log(pairs.q3 / pairs.q1), abs(math.log(middle))
    return Ratio(pairs.q1, middle, pairs.q3, len(pynet) >= LEAST_ROUNDS and spread < difference)


def agree(ours: Sequence[float], theirs: Sequence[float], tolerance: float) -> float | None:
    """The largest difference relative to the largest value, or None if within the tolerance."""
    if len(ours) != len(theirs):
        return math.inf
    if any(map(math.isnan, (*ours, *theirs))):  # max() passes over what is not a number
        return math.nan
    largest = max(map(abs, theirs), default=0.0)
    error = max((abs(a - b) for a, b in zip(ours, theirs)), default=0.0) / (largest or 1.0)
    return None if error <= tolerance else error
