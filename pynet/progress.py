"""What a run shows while it goes: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_SHORT = MappingProxyType(  # for the bar, which has one line
    {
        "test_accuracy": "test_acc",
        "validation_loss": "val_loss",
        "validation_accuracy": "val_acc",
    }
)


class Progress:
    """One bar for the whole run, with the time left, loss and accuracy, if stderr is a terminal.

    Otherwise, in a file or a pipe, one line for each epoch on stdout.
    """

    _loss = ""
    _measured: Mapping[str, str] = MappingProxyType({})

    def __init__(self, steps: int, epochs: int, done: int = 0, epoch: int = 0) -> None:
        self.epochs = epochs
        self._begin = time.perf_counter()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            # A terminal that does not tell its size would get a bar of size 0.
            known = min(os.get_terminal_size(sys.stderr.fileno())) > 0
            width = {"dynamic_ncols": True} if known else {"ncols": 80, "nrows": 24}
            self._bar = tqdm(total=steps, initial=done, unit="step", file=sys.stderr, **width)
            self._name(epoch)

    def step(self, loss: float) -> None:
        """Count a step."""
        if self._bar is None:
            return
        self._loss = f"{loss:.4f}"
        self._bar.set_postfix(self._values(), refresh=False)
        self._bar.update()

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """Show the end of an epoch: its mean 'loss', and what else was measured, by name."""
        if self._bar is not None:
            self._measured = {
                _SHORT.get(name, name): f"{value:.4f}"
                for name, value in values.items()
                if name not in ("loss", "train_accuracy", "train_loss")
            }
            self._name(number)
            self._bar.set_postfix(self._values(), refresh=False)
            return
        width = len(str(self.epochs))
        figures = "".join(f"{name.replace('_', ' ')} {x:.4f}  " for name, x in values.items())
        seconds = time.perf_counter() - self._begin
        print(f"epoch {number:{width}}/{self.epochs}  {figures}{seconds:.1f} s", flush=True)

    def _values(self) -> dict[str, str]:
        return ({"loss": self._loss} if self._loss else {}) | dict(self._measured)

    def _name(self, epochs_done: int) -> None:
        """Show the epoch that is running."""
        running = min(epochs_done + 1, self.epochs)
        self._bar.set_description(f"epoch {running}/{self.epochs}", refresh=False)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
