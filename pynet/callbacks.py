"""What else happens during a run: stopping early, lower rates, files.

    stop = EarlyStopping("f1", patience=3)
    Trainer(net, x, t, x_test, t_test, validation=(x_val, t_val), metrics={"f1": f1},
            callbacks=[stop, CSVLog("history.csv")]).train()

A callback is a `Callback` with some of the methods begin, step, epoch and end. Those that decide
something decide on validation data: the Trainer refuses to give them a figure of the test data.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pynet.networks.state import Snapshot, put_back, take_snapshot
from pynet.serialization import write_atomic
from pynet.serialization.files import PathLike

__all__ = [
    "CSVLog",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "Report",
    "Run",
    "history_csv",
]


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


class _Best:
    """The best value of a metric so far, and when it was."""

    def __init__(self, who: str, metric: str, mode: str | None, min_delta: float = 0.0) -> None:
        if mode is None:
            mode = "min" if metric.endswith(("loss", "error")) else "max"
        if mode not in ("min", "max"):
            raise ValueError(f"[{who}] mode: expected min or max, got {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"[{who}] min_delta: expected a number >= 0, got {min_delta}")
        self.mode = mode
        self.min_delta = min_delta
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
        if patience < 1:
            raise ValueError(f"[EarlyStopping] patience: expected at least 1, got {patience}")
        self.metric = metric
        self.patience = patience
        self.restore_best = restore_best
        self._best = _Best("EarlyStopping", metric, mode, min_delta)
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


class Checkpoint(Callback):
    """Saves the run every few epochs, or whenever a metric of the validation data is the best yet.

    Args:
        path: the file; '{epoch}' in it is replaced by the number of the epoch.
        every: epochs between two files.
        best: save only when this metric has improved since the last file.
        mode: 'min' or 'max', as for `EarlyStopping`.
    """

    comes_last = True

    def __init__(
        self,
        path: PathLike,
        every: int = 1,
        *,
        best: str | None = None,
        mode: str | None = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"[Checkpoint] every: expected at least 1, got {every}")
        self.path = path
        self.every = every
        self.metric = best
        self._best = _Best("Checkpoint", best or "", mode)

    def begin(self, trainer: Run) -> None:
        if self.metric is not None:
            trainer.check_metric(self.metric, "Checkpoint")
        if trainer.current_iter == 0:
            self._best.reset()

    def epoch(self, trainer: Run) -> None:
        if trainer.current_epoch % self.every:
            return
        if self.metric is not None:
            value = trainer.decide_on(self.metric, "Checkpoint")
            if not self._best.improved(value, trainer.current_epoch):
                return
        trainer.save(str(self.path).replace("{epoch}", str(trainer.current_epoch)))

    def state(self) -> dict[str, Any]:
        return {"best": self._best.value, "best_epoch": self._best.epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._best.value, self._best.epoch = state["best"], state["best_epoch"]


class CSVLog(Callback):
    """Writes `trainer.history` as a CSV file, a line for each epoch, anew after each epoch.

    The columns are epoch, step, and the names of the history.
    """

    comes_last = True

    def __init__(self, path: PathLike) -> None:
        self.path = path

    def epoch(self, trainer: Run) -> None:
        write_atomic(self.path, history_csv(trainer.evaluated_iters, trainer.history), op="CSVLog")


def history_csv(steps: Sequence[int], history: Mapping[str, Sequence[float]]) -> bytes:
    """Return the history of a run as CSV: epoch, step, and what was measured then."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "step", *history])
    for i, step in enumerate(steps):
        writer.writerow([i + 1, step, *(values[i] for values in history.values())])
    return text.getvalue().encode()
