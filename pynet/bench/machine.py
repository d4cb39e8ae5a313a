"""What a run was measured on, and what its limits say about a row."""

from __future__ import annotations

import platform
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import numpy as np

import pynet
from pynet import backend, ops
from pynet.bench import peers


def cpu_name() -> str:
    """The name the processor gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def about() -> dict[str, Any]:
    """Processor, instruction set, threads, versions."""
    return {
        "cpu": cpu_name(),
        "isa": backend.core().isa(),
        "threads": pynet.num_threads(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": peers.versions(),
    }


def wake_up(threads: int, calls: int = 50) -> dict[str, float]:
    """Microseconds that a small call takes longer on all threads than its share of the work.

    After a pause the team sleeps, after another call it still spins.
    """
    x = np.zeros(1 << 16, np.float32)
    y = np.empty_like(x)

    def once(pause: float) -> float:
        times = []
        for _ in range(calls):
            if pause:
                sleep(pause)
            start = perf_counter()
            ops.tanh(x, out=y)
            times.append(perf_counter() - start)
        return median(times) * 1e6

    before = pynet.num_threads()
    pynet.set_num_threads(1)
    alone = {pause: once(pause) for pause in (0.0, 0.005)}
    pynet.set_num_threads(threads)
    spinning, sleeping = (once(pause) - alone[pause] / threads for pause in (0.0, 0.005))
    pynet.set_num_threads(before)
    return {"spinning_us": spinning, "sleeping_us": sleeping}


def bandwidth(limit: dict[str, Any], size: float) -> float:
    """GB/s of the smallest level of memory that holds this many bytes."""
    levels = sorted((int(held), speed) for held, speed in limit["triad"].items())
    return float(next((speed for held, speed in levels if size <= held), levels[-1][1]))


def least_seconds(limit: dict[str, Any], flops: float, moved: float | None) -> float:
    """The roofline: what the products alone or the memory alone would take."""
    compute = flops / (limit["float32"] * 1e9)
    return max(compute, moved / (bandwidth(limit, moved) * 1e9)) if moved else compute
