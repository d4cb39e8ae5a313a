"""What a search has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pynet.search.space import Space


@dataclass
class TrialRecord:
    """One trial: its hyperparameters and what came of them.

    `state` is 'complete', 'pruned' (given up early) or 'failed' (its numbers became infinite);
    `value` is what the objective returned, of a pruned trial the last it reported, else None;
    `reports` are the values by step.
    """

    number: int
    round: int
    params: dict[str, Any]
    state: str = "running"
    value: float | None = None
    reports: dict[int, float] = field(default_factory=dict)


class SearchResult:
    """All trials of a search, in the order in which they ran.

    Attributes: `trials`; `spaces`, the ranges of each round; `space`, those to go on with, around
    the best trials; `mode`, 'max' or 'min'. `print(result)` shows a table, the best trial first.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.trials: list[TrialRecord] = []
        self.spaces: list[Mapping[str, Space]] = []
        self.space: Mapping[str, Space] = {}

    def ranked(self) -> list[TrialRecord]:
        """Return the complete trials, the best first; of equal ones the earlier."""
        sign = -1 if self.mode == "max" else 1
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: sign * (trial.value or 0.0))

    @property
    def best(self) -> TrialRecord:
        """The best complete trial; ValueError when there is none."""
        ranked = self.ranked()
        if not ranked:
            raise ValueError("[SearchResult] best: expected a complete trial, got none")
        return ranked[0]

    @property
    def best_params(self) -> dict[str, Any]:
        """The hyperparameters of the best trial."""
        return self.best.params

    def table(self) -> list[dict[str, Any]]:
        """Return a dict for each trial: number, round, state, value, steps, hyperparameters."""
        return [
            {
                "number": trial.number,
                "round": trial.round,
                "state": trial.state,
                "value": trial.value,
                "steps": len(trial.reports),
                **trial.params,
            }
            for trial in self.trials
        ]

    def __str__(self) -> str:
        rows = {row["number"]: row for row in self.table()}
        if not rows:
            return "no trials"
        ranked = [trial.number for trial in self.ranked()]
        order = ranked + [number for number in rows if number not in ranked]
        lines = [list(rows[order[0]])]
        lines += [[_text(value) for value in rows[number].values()] for number in order]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
