"""All peers in turn: A B C A B C ..., disturbed samples taken again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from pynet.bench.load import Watch
from pynet.bench.peers import PEERS
from pynet.bench.process import Process
from pynet.bench.ratios import agree
from pynet.bench.rows import Row

PAUSE = 0.005  # seconds: other teams of threads have gone to sleep by then
SPIN = 0.15  # the same after a peer whose threads spin for longer


class Measured(NamedTuple):
    """The samples of the peers that compute the same as pynet, and why others are left out."""

    samples: dict[str, Watch]
    left_out: dict[str, str]  # in a word, for the table
    reasons: dict[str, str]  # in full


def measure(
    row: Row, processes: Sequence[Process], rounds: int, threads: int, repeats: int
) -> Measured:
    """Prepare a row in each process, compare what they compute, and time them in turn.

    A disturbed sample is taken again, for each peer so many times in all.
    """
    out: dict[str, str] = {}
    reasons: dict[str, str] = {}
    taking_part: list[Process] = []
    ours: Any = None
    for process in processes:
        state, what = process.prepare(row.name)
        if state == "ready" and process.name == "pynet":
            ours = what
        elif state == "ready":
            error = agree(ours or [], what, row.tolerance)
            if error is not None:
                state, what = "differs", f"by {error:.2g}, more than {row.tolerance:g}"
        if state == "ready":
            taking_part.append(process)
            continue
        if state != "unsupported":
            out[process.name], reasons[process.name] = state, f"{state}: {what}"
        if process.name == "pynet":
            return Measured({}, out, reasons)
    time.sleep(SPIN)  # after the peers' last calls in making ready
    samples = {process.name: Watch() for process in taking_part}
    for _ in range(rounds):
        for process in taking_part:
            _once(process, samples[process.name], repeats)
            if threads > 1:
                time.sleep(SPIN if PEERS[process.name].spins else PAUSE)
    return Measured(samples, out, reasons)


def _once(process: Process, watch: Watch, repeats: int) -> None:
    while True:
        sample = process.time()
        disturbed = watch.disturbed(sample)
        if not disturbed or watch.dropped >= repeats:
            watch.keep(sample, disturbed)
            return
        watch.dropped += 1
