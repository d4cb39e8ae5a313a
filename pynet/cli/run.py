"""A training run of the command line: stops on Ctrl-C, goes on later, writes what it found."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pynet.callbacks import EarlyStopping, history_csv
from pynet.cli.data import Data, value_range
from pynet.cli.errors import INTERRUPTED, TERMINATED, missing_extra, one_line
from pynet.datasets import stratified_split
from pynet.networks import Network
from pynet.serialization import write_atomic
from pynet.trainer import Trainer

CHECKPOINT, HISTORY, CURVES = "checkpoint.safetensors", "history.csv", "curves.png"
_STATUS = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


def check_folder(out: str) -> None:
    """Make the folder, and see that files can be written there, before any work is done.

    Raises OSError, naming the folder.
    """
    try:
        os.makedirs(out, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(b"\0")
    except OSError as error:
        reason = "a file" if isinstance(error, FileExistsError) else error.strerror
        raise OSError(f"--out: expected a folder to write into, got {out!r}: {reason}") from error


def checkpoint_path(path: str) -> str:
    """Return the checkpoint that a path means: the file, or the one in a folder.

    Raises FileNotFoundError where there is none.
    """
    path = os.path.expanduser(path)
    file = os.path.join(path, CHECKPOINT) if os.path.isdir(path) else path
    if not os.path.exists(file):
        raise FileNotFoundError(
            f"expected a checkpoint at {file!r}, got no such file: `pynet train` writes one"
        )
    return file


class Run:
    """Trains a network on data and writes checkpoint, history and curves into a folder."""

    def __init__(self, network: Network, data: Data, settings: dict[str, Any], out: str) -> None:
        self._begin = time.perf_counter()
        self.data = data.for_model(settings["model"])
        self.out = out
        self.network = network
        self.test_accuracy: float | None = None
        rate = {} if settings["lr"] is None else {"lr": settings["lr"]}
        x, t, x_test, t_test = self.data
        validation, self.held_out = None, 0
        if settings["validation"] is not None:
            learn, hold = stratified_split(t, settings["validation"], settings["seed"])
            validation, self.held_out = (x[hold], t[hold]), len(hold)
            x, t = x[learn], t[learn]
        stop = None
        if settings["early_stopping"] is not None:
            stop = EarlyStopping("validation_accuracy", settings["early_stopping"])
        self.trainer = Trainer(
            network,
            *(x, t, x_test, t_test),
            epochs=settings["epochs"],
            mini_batch_size=settings["batch_size"],
            optimizer=settings["optimizer"],
            optimizer_param=rate,
            evaluate_sample_num_per_epoch=settings["eval_samples"],
            verbose=False,
            progress=True,
            sampling="epoch",
            schedule=settings["schedule"],
            validation=validation,
            callbacks=[] if stop is None else [stop],
        )
        self.settings = settings = {**settings, "lr": self.trainer.base_lr}
        self.extra: dict[str, Any] = {
            "settings": settings,
            "sample_shape": list(data.sample_shape),
            "classes": data.classes,
            "range": list(value_range(data.x_train)),
        }
        self._signal: int | None = None
        self._warned = False

    def resume(self, path: str) -> None:
        """Go on from a checkpoint."""
        self.trainer.resume(path)
        print(f"resumed at step {self.trainer.current_iter} of {self.trainer.max_iter}: {path}")

    def train(self) -> int:
        """Train to the end or to Ctrl-C, write the files, and return the exit status."""
        trainer = self.trainer
        with self._stop_on_signals():
            trainer.train(after_epoch=lambda _: self._save_epoch())
        checkpoint = os.path.join(self.out, CHECKPOINT)
        if trainer.stopped and self._signal is not None:
            trainer.save(checkpoint, self.extra)
            print(
                f"pynet: stopped after step {trainer.current_iter} of {trainer.max_iter}; "
                f"go on with: pynet train --resume {shlex.quote(checkpoint)}",
                file=sys.stderr,
            )
            return _STATUS[signal.Signals(self._signal)]
        if trainer.step is not None and trainer.step.refusal is not None:
            print(f"every step was computed call by call: {trainer.step.refusal}")
        x, t = self.data.x_test, self.data.t_test
        if trainer.stop_reason is not None:
            print(f"stopped after epoch {trainer.current_epoch}: {trainer.stop_reason}")
        self.test_accuracy = self.network.accuracy(x, t)
        print(
            f"test accuracy {100 * self.test_accuracy:.2f} % "
            f"({round(self.test_accuracy * len(x)):,} of {len(x):,})"
        )
        trainer.save(checkpoint, self.extra)
        written = [checkpoint, self._write_history()]
        curves = self._write_curves()
        if curves is not None:
            written.append(curves)
        print(f"time {time.perf_counter() - self._begin:.1f} s")
        print(f"wrote {', '.join(written)}", flush=True)
        return 0

    @contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """Let the first Ctrl-C (or SIGTERM) end the run after its step, the second at once."""
        before = {number: signal.getsignal(number) for number in _STATUS}

        def stop(number: int, frame: object) -> None:
            self._signal = number
            self.trainer.stop()
            for each, handler in before.items():
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _save_epoch(self) -> None:
        # A disk that is full now may have room at the end: hours of training are not thrown away.
        try:
            self.trainer.save(os.path.join(self.out, CHECKPOINT), self.extra)
        except OSError as error:
            if not self._warned:
                self._warned = True
                print(f"pynet: warning: training goes on, but {one_line(error)}", file=sys.stderr)

    def _write_history(self) -> str:
        """Write a line for each epoch."""
        path = os.path.join(self.out, HISTORY)
        write_atomic(path, history_csv(self.trainer.evaluated_iters, self.trainer.history))
        return path

    def _write_curves(self) -> str | None:
        """Draw the run, where matplotlib is installed."""
        from pynet.viz import save_curves

        trainer, settings = self.trainer, self.settings
        path = os.path.join(self.out, CURVES)
        try:
            save_curves(
                path,
                trainer.train_loss_list,
                trainer.evaluated_iters,
                trainer.train_acc_list,
                trainer.test_acc_list,
                f"{settings['model']} on {os.path.basename(settings['data'])}",
                trainer.history.get("validation_accuracy", ()),
            )
        except ImportError as error:
            print(f"no {path}: {missing_extra(error, 'plot')}")
            return None
        return path
