"""When to give up a trial: it looks bad beside the others after the same number of epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

Reports = dict[int, float]  # what a trial reported at each step, larger is better


class Rule(Protocol):
    """Says whether to give up a trial."""

    def bad(self, step: int, own: Reports, others: Sequence[Reports]) -> bool:
        """Whether a trial that has reported `own` up to this step should end.

        `others` are the reports of the earlier trials; larger values are better.
        """
        ...


class MedianRule:
    """Ends a trial whose best value so far is below the median of the others' at this step.

    Args:
        warmup_trials: no trial ends before so many have reported at the step.
        warmup_steps: no trial ends in its first so many steps.

    Source: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", 2017, the median
    stopping rule (there the others count with their running average).
    """

    def __init__(self, warmup_trials: int = 4, warmup_steps: int = 0) -> None:
        self.warmup_trials = warmup_trials
        self.warmup_steps = warmup_steps

    def bad(self, step: int, own: Reports, others: Sequence[Reports]) -> bool:
        there = [reports[step] for reports in others if step in reports]
        if step <= self.warmup_steps or len(there) < max(self.warmup_trials, 1):
            return False
        return max(own.values()) < float(np.median(there))


class SuccessiveHalving:
    """At steps first, first * factor, first * factor^2 ... only the best 1/factor go on.

    A trial is compared with those that have reached the step before it, so no trial waits.

    Args:
        first: the first step at which trials end.
        factor: one of so many goes on.

    Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (ASHA), 2020.

    Raises ValueError unless first >= 1 and factor >= 2.
    """

    def __init__(self, first: int = 1, factor: int = 3) -> None:
        if first < 1 or factor < 2:
            raise ValueError(
                "[SuccessiveHalving] first, factor: expected first >= 1 and factor >= 2, "
                f"got {first} and {factor}"
            )
        self.first = first
        self.factor = factor

    def bad(self, step: int, own: Reports, others: Sequence[Reports]) -> bool:
        rung = round(math.log(step / self.first, self.factor)) if step >= self.first else -1
        if rung < 0 or self.first * self.factor**rung != step:
            return False
        there = [own[step], *(reports[step] for reports in others if step in reports)]
        kept = max(len(there) // self.factor, 1)
        return own[step] < sorted(there, reverse=True)[kept - 1]
