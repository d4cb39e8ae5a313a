"""What a callback is, and what it sees of the Trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from pynet.checks import one_of, real_number
from pynet.serialization.files import PathLike


class Run(Protocol):
    """What a callback sees of the Trainer."""

    network: Any
    optimizer: Any
    history: dict[str, list[float]]
    evaluated_iters: list[int]
    current_iter: int
    current_epoch: int
    rate_factor: float

    @property
    def finished(self) -> bool: ...
    def stop(self, reason: str | None = None) -> None: ...
    def check_metric(self, metric: str, who: str) -> None: ...
    def decide_on(self, metric: str, who: str) -> float: ...
    def save(self, path: PathLike) -> None: ...


class Callback:
    """Called at the beginning of a run, after each step and epoch, and at the end.

    `begin` comes whenever `train` is called, also to go on with a run that was interrupted;
    `trainer.current_iter` is 0 at the first time only. `epoch` comes when the epoch's figures are
    in `trainer.history`. A callback that remembers something gives it to checkpoints by `state`.
    """

    comes_last = False  # of those of an epoch: it writes what the others have left

    def begin(self, trainer: Run) -> None:
        """The run begins, or goes on."""

    def step(self, trainer: Run) -> None:
        """The parameters were updated."""

    def epoch(self, trainer: Run) -> None:
        """The epoch's figures were measured."""

    def end(self, trainer: Run) -> None:
        """The run is complete (`trainer.finished`), or interrupted."""

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs: arrays, and values that JSON can hold, by name.

        Always empty for a callback that remembers nothing, never empty for the others.
        """
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take what `state` returned."""


class LambdaCallback(Callback):
    """A callback made of functions, each called with the Trainer."""

    def __init__(
        self,
        *,
        begin: Callable[[Any], object] | None = None,
        step: Callable[[Any], object] | None = None,
        epoch: Callable[[Any], object] | None = None,
        end: Callable[[Any], object] | None = None,
    ) -> None:
        for name, function in (("begin", begin), ("step", step), ("epoch", epoch), ("end", end)):
            if function is not None:
                setattr(self, name, function)


def better_direction(who: str, metric: str, mode: str | None) -> str:
    """Return mode; for None 'min' where the metric's name ends in loss or error, else 'max'."""
    if not isinstance(metric, str):
        raise TypeError(f"[{who}] metric: expected the name of a metric, got {metric!r}")
    if mode is None:
        return "min" if metric.endswith(("loss", "error")) else "max"
    return one_of(f"[{who}] mode", mode, ("min", "max"))


class Best:
    """The best value of a metric so far, and when it was."""

    def __init__(self, who: str, metric: str, mode: str | None, min_delta: float = 0.0) -> None:
        self.mode = better_direction(who, metric, mode)
        self.min_delta = real_number(f"[{who}] min_delta", min_delta, 0, expected="a number >= 0")
        self.reset()

    def reset(self) -> None:
        self.value: float | None = None
        self.epoch = 0

    def improved(self, value: float, epoch: int) -> bool:
        """Whether the value is better than the best by more than min_delta; nan never is."""
        if np.isnan(value):
            return False
        if self.value is not None:
            gain = value - self.value if self.mode == "max" else self.value - value
            if not gain > self.min_delta:
                return False
        self.value, self.epoch = value, epoch
        return True
