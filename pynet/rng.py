"""The seed of pynet's own random numbers, which only layers that are random in training use.

Initial weights, batches and shuffles are drawn from `np.random`, as in the book.
"""

from __future__ import annotations

import operator
from itertools import count

_seed = 0
_generation = 0  # how often seed() was called: a layer that sees a new one restarts its steps
_numbers = count()


def seed(n: int) -> None:
    """Seed dropout and RRelu: the same seed, layers and steps give the same masks, run after run.

    Layers made from now on are numbered from 0, and every layer's step count restarts at 0.
    Without a call the seed is 0. `np.random` is left alone: `np.random.seed` is its own.

    Raises TypeError when n is not an integer, ValueError when it is outside 0 .. 2^64 - 1.
    """
    global _seed, _generation, _numbers
    n = operator.index(n)
    if not 0 <= n < 2**64:
        raise ValueError(f"[seed] n: expected 0 <= n < 2**64, got {n}")
    _seed, _generation, _numbers = n, _generation + 1, count()


def current() -> tuple[int, int]:
    """Return the seed, and how often it was set."""
    return _seed, _generation


def next_number() -> int:
    """Return the number of a new layer."""
    return next(_numbers)
