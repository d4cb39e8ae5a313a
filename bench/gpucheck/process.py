"""A command with a limit of time: stopped with all that it started when that is over."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

GRACE = 3.0  # seconds between the request to end and the end
END = 10.0  # and for that, as a process may hang in the driver
LOOK = 0.5  # and between two looks at a command that runs


class OverBudget(Exception):
    """The command was stopped; `text` is what it had said."""

    def __init__(self, text: str) -> None:
        super().__init__("over its budget")
        self.text = text


class Stuck(Exception):
    """It was stopped because it made no progress."""


class Running:
    """A command, with its output in a file."""

    def __init__(
        self, command: Sequence[object], log: Path, env: Mapping[str, str], cwd: Path
    ) -> None:
        self.log, self._stopped = log, False
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as file:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,  # so that its children can be ended with it
            )

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def wait(self, until: float, is_stuck: Callable[[], bool] | None = None) -> tuple[int, str]:
        """The exit code and the output.

        OverBudget when the clock of `time.monotonic` says so, Stuck when `is_stuck` does.
        """
        try:
            while True:
                left = until - time.monotonic()
                with suppress(subprocess.TimeoutExpired):  # one that has ended is in time
                    return self._process.wait(max(0.0, min(left, LOOK))), self.text()
                if left <= 0:
                    raise OverBudget(self.text())
                if is_stuck is not None and is_stuck():
                    raise Stuck
        finally:
            self.stop()

    def stop(self) -> None:
        """End it and what it started, if anything of that still runs."""
        if self._stopped:
            return
        self._stopped = True  # its number may soon be another's
        for number, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, END)):
            try:
                os.killpg(self._process.pid, number)
            except (ProcessLookupError, PermissionError):
                break
            if self._process.poll() is not None:  # what is left of its children
                continue
            try:
                self._process.wait(wait)
            except subprocess.TimeoutExpired:
                continue


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no output"
