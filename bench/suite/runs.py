"""Rows of whole processes: MNIST to an accuracy by the clock on the wall, and peaks of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pynet.bench import report
from pynet.bench.process import environment
from pynet.bench.rows import Row, Training

SCRIPT = Path(__file__).with_name("training.py")
MEMORY_RUNS = 3
# Of these whole trainings are worth the wait.
TRAINED = ("pynet", "pynet-eager", "torch", "torch-tuned", "torch-compile", "jax")


def once(row: Row, name: str, threads: int, seed: int) -> tuple[float, dict[str, Any]]:
    """Start the peer's process: seconds until it says what it found, and that."""
    command = [sys.executable, str(SCRIPT), row.name, name, str(threads), str(seed)]
    variables = {**os.environ, **environment(threads)}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process:
            assert process.stdout is not None
            text = process.stdout.readline()
            seconds = time.perf_counter() - start
        if not text:
            errors.seek(0)
            last = [line for line in errors if line.strip()][-1:] or ["no output"]
            return seconds, {"failed": last[0].strip()[:200]}
    return seconds, dict(json.loads(text))


def _values(row: Row, name: str, threads: int, seed: int) -> tuple[float | None, str]:
    """What the row measures, or why there is nothing; "" for a peer that cannot."""
    seconds, found = once(row, name, threads, seed)
    if "unsupported" in found:
        return None, ""
    if "failed" in found:
        return None, str(found["failed"])
    if not isinstance(row.work, Training):
        return float(found["peak"]), ""
    percent = ", ".join(f"{100 * a:.2f}" for a in found["accuracies"])
    print(f"  {name}, seed {seed}: {seconds:.1f} s, {percent} %", file=sys.stderr, flush=True)
    if not found["reached"]:  # its time is a lower bound, and stays in the median
        print(f"{row.name}: {name}, seed {seed}, did not get there", file=sys.stderr)
    return seconds, ""


def measure(
    row: Row, names: Sequence[str], threads: Sequence[int], seeds: int
) -> Iterator[dict[str, Any]]:
    """The results of a row of whole processes, the peers in turn for every seed."""
    training = isinstance(row.work, Training)
    why = no_mnist() if training else None
    if why is not None:
        print(f"{row.name}: left out: {why}", file=sys.stderr)
        return
    for count in threads:
        taking_part = [name for name in names if name in TRAINED or not training]
        values: dict[str, list[float]] = {name: [] for name in taking_part}
        out: dict[str, str] = {}
        for seed in range(seeds if training else MEMORY_RUNS):
            for name in taking_part:
                if name in out:
                    continue
                value, reason = _values(row, name, count, seed)
                if value is None:
                    out[name] = reason
                    if reason:
                        print(f"{row.name}: {name} failed: {reason}", file=sys.stderr)
                else:
                    values[name].append(value)
        kept = {name: found for name, found in values.items() if name not in out}
        if "pynet" in kept:
            reasons = {name: reason for name, reason in out.items() if reason}
            yield report.whole_run(row, count, kept, reasons)


def no_mnist() -> str | None:
    """Why MNIST cannot be read, if it cannot."""
    from pynet.datasets import load_mnist

    try:
        load_mnist()
    except (OSError, ValueError) as error:
        return " ".join(str(error).split())
    return None
