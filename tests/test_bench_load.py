"""What bench makes of a busy machine: disturbed samples are seen, taken again, and told of."""

from __future__ import annotations

import os
import sys

import pytest

from pynet.bench import load, process, rounds
from pynet.bench.rows import ROWS

STAT = """cpu  100 0 0 0 0 0 0 0 0 0
cpu0 10 5 20 1000 50 1 2 3 7 0
cpu1 40 0 0 2000 0 0 0 0 0 0
intr 1
"""


def reading(wall: float, own: float, busy: float | None, switches: int = 0) -> load.Reading:
    return load.Reading(wall, own, busy, switches)


def test_busy_processors() -> None:
    # user, nice, system, interrupts, stolen; neither idle nor waiting, guests are in user
    assert load.busy_seconds(STAT, [0], 0.01) == pytest.approx(0.41)
    assert load.busy_seconds(STAT, [0, 1], 0.01) == pytest.approx(0.81)


def test_what_is_not_our_time_is_somebody_elses() -> None:
    sample = load.between(reading(0, 0, 10.0), reading(1, 0.9, 11.0), 10, 1)
    slack = load.TICKS / os.sysconf("SC_CLK_TCK")
    assert sample == pytest.approx((0.1, 0.1 - slack, 0))
    assert load.between(reading(0, 0, 10.0), reading(1, 1.0, 10.99), 1, 1).foreign == 0
    assert load.between(reading(0, 0, None), reading(1, 1, None), 1, 1).foreign == 0


def test_a_few_switches_are_nobody_s_fault() -> None:
    for switches, rate in ((0, 0), (2, 0), (12, 20)):
        assert load.between(reading(0, 0, None), reading(0.5, 0, None, switches), 1, 1) == (
            *(0.5, 0, rate),
        )


def test_switches_count_above_the_quietest_sample() -> None:
    watch = load.Watch()
    assert not watch.disturbed(load.Sample(1.0, 0.0, 500.0))  # its own threads, for all we know
    assert not watch.disturbed(load.Sample(1.0, 0.0, 515.0))
    assert watch.disturbed(load.Sample(1.0, 0.0, 530.0))
    assert watch.disturbed(load.Sample(1.0, 0.06, 500.0))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/stat")
def test_the_clocks_go_on() -> None:
    one = load.read(load.processors())
    sum(range(200_000))
    two = load.read(load.processors())
    assert two.wall > one.wall and two.own > one.own
    assert one.busy is not None and two.busy is not None and two.busy >= one.busy > 0


class FakeProcess:
    """A peer with samples prepared: True is a disturbed one."""

    def __init__(self, name: str, samples: list[bool]) -> None:
        self.name, self.samples = name, samples

    def prepare(self, row: str) -> tuple[str, object]:
        return "ready", [1.0]

    def time(self) -> load.Sample:
        return load.Sample(1.0, 0.5 if self.samples.pop(0) else 0.0, 0.0)


def measured(ours: list[bool], theirs: list[bool], count: int) -> rounds.Measured:
    both = [FakeProcess("pynet", ours), FakeProcess("torch", theirs)]
    return rounds.measure(ROWS["relu/16384"], both, count, 1, count)


def test_a_disturbed_sample_is_taken_again() -> None:
    found = measured([False] * 3, [False, True, True, False, False], 3).samples
    assert len(found["torch"].seconds) == 3 and found["torch"].clean
    assert (found["torch"].dropped, found["torch"].kept_disturbed) == (2, 0)
    assert (found["pynet"].dropped, found["pynet"].kept_disturbed) == (0, 0)


def test_a_peer_that_is_always_disturbed_is_not_waited_for() -> None:
    found = measured([False] * 3, [True] * 6, 3).samples["torch"]
    assert (len(found.seconds), found.dropped, found.kept_disturbed) == (3, 3, 3)
    assert not found.clean


def test_a_peer_that_cannot_start_is_left_out_with_its_reason() -> None:
    there, absent = process.started(["nobody"], 1, 0.01)
    assert there == []
    assert absent == ["nobody is left out: KeyError: 'nobody'"]
