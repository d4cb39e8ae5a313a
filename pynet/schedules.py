"""Learning rates over a run, as a factor of the optimizer's own rate.

A schedule is a function of the share of the run that is done, 0 at the first step and below 1 at
the last, so a run that is resumed goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType

__all__ = ["SCHEDULES", "Schedule", "constant", "cosine"]

Schedule = Callable[[float], float]


def constant(done: float) -> float:
    """Return 1: the same rate at every step, as in the book."""
    return 1.0


def cosine(done: float) -> float:
    """Return (1 + cos(pi * done)) / 2: from 1 down to 0, slowly at both ends.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017
    (without the restarts).
    """
    return 0.5 * (1.0 + math.cos(math.pi * done))


SCHEDULES = MappingProxyType({"constant": constant, "cosine": cosine})
