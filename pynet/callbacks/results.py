"""Callbacks that keep what a run has given: files, the average of the weights."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pynet.callbacks.base import Best, Callback, Run
from pynet.checks import whole_number
from pynet.networks.state import Snapshot, put_back, take_snapshot
from pynet.optimizers import MovingAverage, StochasticAverage
from pynet.serialization import write_atomic
from pynet.serialization.files import PathLike


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
        self.path = path
        self.every = whole_number("[Checkpoint] every", every)
        self.metric = best
        self._best = Best("Checkpoint", "" if best is None else best, mode)

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


class UseAverage(Callback):
    """Gives the network the average of its weights when the run is complete.

    Running statistics of batch normalisation stay those of the last weights.

    Args:
        average: a hook of the Trainer's optimizer, `MovingAverage` or `StochasticAverage`; its
            state is the optimizer's, and in its checkpoints.
    """

    def __init__(self, average: MovingAverage | StochasticAverage) -> None:
        self.average = average

    def end(self, trainer: Run) -> None:
        if not trainer.finished or self.average.average is None:
            return
        network = trainer.network
        with self.average.applied(network.params):
            params = take_snapshot(network).params
        put_back(network, Snapshot(params, {}))
