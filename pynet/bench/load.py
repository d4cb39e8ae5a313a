"""What else the processors did while a sample was taken, and whether that spoils it.

Two witnesses. /proc/stat says how long each processor was busy: what is beyond the process's own
time is somebody else's (another program's, the system's, another guest's on the same host). And a
thread that is ready to run but has to make room is switched off involuntarily: the kernel counts
that for each process. A library whose own threads push each other away has such switches in every
sample, so only what lies above its quietest sample counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FOREIGN = 0.05  # of the processors' time, from which on a sample counts as disturbed
TICKS = 1.5  # of /proc/stat's clock for each processor that may be its rounding
HOUSEKEEPING = 2  # involuntary switches in a sample that are the system's own
SWITCHES = 20.0  # involuntary, a second, above the fewest seen of this peer in this row

_STAT = Path("/proc/stat")


class Sample(NamedTuple):
    """Seconds for a call, and what disturbed the calls."""

    seconds: float
    foreign: float  # share of the processors' time that others had
    switches: float  # involuntary, a second


class Reading(NamedTuple):
    """The clocks at one moment."""

    wall: float
    own: float
    busy: float | None
    switches: int


def busy_seconds(stat: str, processors: Sequence[int], tick: float) -> float:
    """How long these processors have been busy, from the text of /proc/stat."""
    wanted = {f"cpu{number}" for number in processors}
    total = 0
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name in wanted:
            user, nice, system, _idle, _iowait, *others = map(int, numbers[:8])
            total += user + nice + system + sum(others)  # interrupts, stolen by the host
    return total * tick


def processors() -> list[int]:
    """Those this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _tick() -> float:
    return 1 / os.sysconf("SC_CLK_TCK")


def read(numbers: Sequence[int]) -> Reading:
    """The clocks now. Where there is no /proc/stat, `busy` is None."""
    busy = busy_seconds(_STAT.read_text(), numbers, _tick()) if _STAT.exists() else None
    try:
        import resource

        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    except ImportError:  # Windows
        switches = 0
    return Reading(time.perf_counter(), time.process_time(), busy, switches)


def between(one: Reading, two: Reading, calls: int, count: int) -> Sample:
    """The sample of so many calls between two readings, on `count` processors."""
    wall = two.wall - one.wall
    foreign = 0.0
    if one.busy is not None and two.busy is not None:
        others = (two.busy - one.busy) - (two.own - one.own) - TICKS * _tick() * count
        foreign = max(0.0, others / (wall * count))
    switches = max(0, two.switches - one.switches - HOUSEKEEPING)
    return Sample(wall / calls, foreign, switches / wall)


class Watch:
    """The samples of one peer in one row: which of them were disturbed."""

    def __init__(self) -> None:
        self.fewest = float("inf")
        self.seconds: list[float] = []
        self.dropped = 0
        self.kept_disturbed = 0

    def disturbed(self, sample: Sample) -> bool:
        """Whether somebody else had the processors in between."""
        self.fewest = min(self.fewest, sample.switches)
        return sample.foreign > FOREIGN or sample.switches > self.fewest + SWITCHES

    def keep(self, sample: Sample, disturbed: bool) -> None:
        """Take the sample, a disturbed one where no other was to be had."""
        self.seconds.append(sample.seconds)
        self.kept_disturbed += disturbed

    @property
    def clean(self) -> bool:
        """Whether most rounds were undisturbed: the median is then."""
        return 2 * self.kept_disturbed < max(1, len(self.seconds))
