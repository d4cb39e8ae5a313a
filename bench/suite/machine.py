"""What a run was measured on, and what that machine can do at best."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import numpy as np

import pynet
from pynet import backend, ops
from suite import peers

BENCH = Path(__file__).resolve().parent.parent


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(BENCH), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"


def about() -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "isa": backend.core().isa(),
        "threads": pynet.num_threads(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "commit": commit() if shutil.which("git") else "unknown",
        "versions": peers.versions(),
    }


def limits(threads: list[int]) -> dict[str, Any]:
    """FMA peaks and triad by the number of threads; empty where there is no C++ compiler."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if not compiler:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/limits"
        options = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-pthread"]
        source = str(BENCH / "cpp" / "limits.cpp")
        subprocess.run([compiler, *options, source, "-o", program], check=True)
        command = [program, *map(str, threads)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(found))


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
