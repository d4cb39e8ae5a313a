"""All who take part in turn, round by round; each by the clock of its own stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

MOST_CALLS = 2000


class Clock(Protocol):
    def seconds(self, call: Callable[[], Any], count: int) -> float: ...


class HostClock:
    """Where there are no events: the processor's clock, with a wait before each look at it."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self._wait = wait

    def seconds(self, call: Callable[[], Any], count: int) -> float:
        self._wait()
        begin = time.perf_counter()
        for _ in range(count):
            call()
        self._wait()
        return time.perf_counter() - begin


class Plan(NamedTuple):
    """How long is measured."""

    rounds: int = 9
    seconds: float = 0.01  # a sample, about


class Contender(NamedTuple):
    call: Callable[[], Any]
    clock: Clock


def calls_in(one: Contender, seconds: float) -> int:
    """Warm up, and return how many calls fill a sample."""
    one.clock.seconds(one.call, 2)  # memory is taken, algorithms are tried, kernels loaded
    each = one.clock.seconds(one.call, 1)
    if each < seconds / 10:  # too short to be measured alone
        few = max(2, min(MOST_CALLS, round(seconds / 5 / max(each, 1e-7))))
        each = one.clock.seconds(one.call, few) / few
    return max(1, min(MOST_CALLS, round(seconds / max(each, 1e-7))))


def samples(contenders: dict[str, Contender], plan: Plan) -> dict[str, list[float]]:
    """Seconds of a call, one sample of each in every round."""
    counts = {name: calls_in(one, plan.seconds) for name, one in contenders.items()}
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(plan.rounds):
        for name, one in contenders.items():
            taken[name].append(one.clock.seconds(one.call, counts[name]) / counts[name])
    return taken
