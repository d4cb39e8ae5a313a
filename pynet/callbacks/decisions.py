"""Callbacks that follow a metric of the validation data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pynet.callbacks.base import Best, Callback, Run, better_direction
from pynet.checks import whole_number
from pynet.networks.state import Snapshot, put_back, take_snapshot
from pynet.schedules import ReduceOnPlateau


class EarlyStopping(Callback):
    """Stops when a metric of the validation data no longer improves, and puts the best net back.

    Args:
        metric: 'validation_loss', 'validation_accuracy' or one of the Trainer's `metrics`.
        patience: stop after so many epochs in a row without an improvement.
        mode: 'min' or 'max', the better direction. None means 'min' where the metric's name ends in
            loss or error, else 'max'.
        min_delta: what counts as an improvement is more than this.
        restore_best: give the network the parameters and running statistics of the best epoch, when
            the run stops or is complete.

    Attributes: `best`, the best value; `best_epoch`, counted from 1; `waited`, the epochs since;
    `stopped`, whether it has ended the run.

    Source: Prechelt, "Early Stopping - But When?", 1998.

    Raises ValueError, when the run begins, without validation data, or for a metric of other data.
    """

    def __init__(
        self,
        metric: str = "validation_loss",
        patience: int = 5,
        *,
        mode: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        self.metric = metric
        self.patience = whole_number("[EarlyStopping] patience", patience)
        self.restore_best = restore_best
        self._best = Best("EarlyStopping", metric, mode, min_delta)
        self._reset()

    def _reset(self) -> None:
        self._best.reset()
        self._snapshot: Snapshot | None = None
        self.waited = 0
        self.stopped = False

    @property
    def best(self) -> float | None:
        return self._best.value

    @property
    def best_epoch(self) -> int:
        return self._best.epoch

    def begin(self, trainer: Run) -> None:
        trainer.check_metric(self.metric, "EarlyStopping")
        if trainer.current_iter == 0:
            self._reset()
        if self.stopped:  # a checkpoint of a run that had been stopped
            trainer.stop(self._reason())

    def epoch(self, trainer: Run) -> None:
        value = trainer.decide_on(self.metric, "EarlyStopping")
        if self._best.improved(value, trainer.current_epoch):
            self.waited = 0
            if self.restore_best:
                self._snapshot = take_snapshot(trainer.network)
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.stopped = True
            trainer.stop(self._reason())

    def end(self, trainer: Run) -> None:
        if trainer.finished and self._snapshot is not None:
            put_back(trainer.network, self._snapshot)

    def _reason(self) -> str:
        best = "never a number" if self.best is None else f"best {self.best:.4f}"
        return f"{self.metric} {best} after epoch {self.best_epoch}"

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "best": self._best.value,
            "best_epoch": self._best.epoch,
            "waited": self.waited,
            "stopped": self.stopped,
        }
        if self._snapshot is not None:
            for part in Snapshot._fields:
                items = getattr(self._snapshot, part).items()
                state |= {f"{part}/{key}": value for key, value in items}
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._best.value, self._best.epoch = state["best"], state["best_epoch"]
        self.waited, self.stopped = state["waited"], state["stopped"]
        parts: dict[str, dict[str, Any]] = {part: {} for part in Snapshot._fields}
        for name, value in state.items():
            part, _, key = name.partition("/")
            if key:
                parts[part][key] = value
        self._snapshot = Snapshot(**parts) if parts["params"] else None


class ReduceRateOnPlateau(Callback):
    """Lowers the learning rate when a metric of the validation data no longer improves.

    The rate is the optimizer's own times the Trainer's schedule times the factor of the rule.

    Args:
        metric: 'validation_loss', 'validation_accuracy' or one of the Trainer's `metrics`.
        rule: when and by how much; by default a tenth after 10 epochs without an improvement, in
            the direction that `EarlyStopping` would take for this metric.

    Raises ValueError, when the run begins, without validation data, or for a metric of other data.
    """

    def __init__(
        self, metric: str = "validation_loss", rule: ReduceOnPlateau | None = None
    ) -> None:
        if not isinstance(rule, ReduceOnPlateau | None):
            raise TypeError(
                f"[ReduceRateOnPlateau] rule: expected a pynet.schedules.ReduceOnPlateau, "
                f"got {type(rule).__name__}"
            )
        self.metric = metric
        mode = better_direction("ReduceRateOnPlateau", metric, None)
        self.rule = ReduceOnPlateau(mode=mode) if rule is None else rule
        self._at_first = self.rule.state()

    def begin(self, trainer: Run) -> None:
        trainer.check_metric(self.metric, "ReduceRateOnPlateau")
        if trainer.current_iter == 0:
            self.rule.set_state(self._at_first)
            trainer.rate_factor = 1.0

    def epoch(self, trainer: Run) -> None:
        value = trainer.decide_on(self.metric, "ReduceRateOnPlateau")
        trainer.rate_factor = self.rule.update(value)

    def state(self) -> dict[str, Any]:
        return self.rule.state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.rule.set_state(state)


class Report(Callback):
    """Gives a metric of the validation data to a function after each epoch.

    The function is called with the number of the epoch and the value. It may raise an exception to
    end the run, as the trials of `pynet.search` do that look bad.
    """

    def __init__(
        self, report: Callable[[int, float], object], metric: str = "validation_accuracy"
    ) -> None:
        self.report = report
        self.metric = metric

    def begin(self, trainer: Run) -> None:
        trainer.check_metric(self.metric, "Report")

    def epoch(self, trainer: Run) -> None:
        self.report(trainer.current_epoch, trainer.decide_on(self.metric, "Report"))
