"""Learning rates over a run, as a factor of the optimizer's own rate.

A schedule is a function of the share of the run that is done, 0 at the first step and below 1 at
the last, so a run that is resumed goes on where it was. Those with parameters are objects, such as
`Warmup(0.05, then=Cosine(last=0.01))`; any function of one number will do as well. `SCHEDULES` has
them by the names that `Trainer` and `pynet train --schedule` take.

`ReduceOnPlateau` follows a measured figure instead.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pynet.checks import array_of, one_of, real_number, whole_number

__all__ = [
    "SCHEDULES",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "InverseTime",
    "OneCycle",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "Warmup",
    "constant",
    "cosine",
    "describe",
]

Schedule = Callable[[float], float]


def _expect(schedule: Any, name: str, low: float, high: float = math.inf) -> None:
    _check(type(schedule).__name__, name, getattr(schedule, name), low, high)


def _check(who: str, name: str, value: Any, low: float, high: float) -> None:
    limit = "" if high == math.inf else f" and <= {high:g}"
    real_number(
        f"[{who}] {name}",
        value,
        low,
        min(high, sys.float_info.max),
        f"a finite number >= {low:g}{limit}",
    )


def constant(done: float) -> float:
    """Return 1: the same rate at every step, as in the book."""
    return 1.0


def cosine(done: float) -> float:
    """Return (1 + cos(pi * done)) / 2: from 1 down to 0, slowly at both ends.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017
    (without the restarts).
    """
    return 0.5 * (1.0 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Cosine:
    """last + (1 - last) * (1 + cos(pi * done)) / 2: `cosine` down to `last` instead of 0."""

    last: float = 0.0

    def __post_init__(self) -> None:
        _expect(self, "last", 0, 1)

    def __call__(self, done: float) -> float:
        return self.last + (1 - self.last) * cosine(done)


@dataclass(frozen=True)
class Step:
    """factor^k after k of the shares of the run in `at`: constant between sudden drops."""

    factor: float = 0.1
    at: tuple[float, ...] = (0.5, 0.75)

    def __post_init__(self) -> None:
        _expect(self, "factor", 0, 1)
        for share in array_of("[Step] at", self.at):
            _check("Step", "at", share, 0, 1)

    def __call__(self, done: float) -> float:
        return float(self.factor ** sum(done >= share for share in self.at))


@dataclass(frozen=True)
class Exponential:
    """last^done: each step multiplies the rate by the same number, `last` is reached at the end."""

    last: float = 0.01

    def __post_init__(self) -> None:
        _expect(self, "last", 1e-300, 1)

    def __call__(self, done: float) -> float:
        return float(self.last**done)


@dataclass(frozen=True)
class InverseTime:
    """1 / (1 + rate * done), which falls like the 1/t of Robbins and Monro (1951)."""

    rate: float = 9.0

    def __post_init__(self) -> None:
        _expect(self, "rate", 0)

    def __call__(self, done: float) -> float:
        return 1 / (1 + self.rate * done)


@dataclass(frozen=True)
class Polynomial:
    """last + (1 - last) * (1 - done)^power: a straight line for power 1."""

    power: float = 1.0
    last: float = 0.0

    def __post_init__(self) -> None:
        _expect(self, "power", 0)
        _expect(self, "last", 0, 1)

    def __call__(self, done: float) -> float:
        return float(self.last + (1 - self.last) * (1 - min(done, 1.0)) ** self.power)


@dataclass(frozen=True)
class CosineRestarts:
    """`cosine` several times over, each cycle `growth` times as long as the one before.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.
    """

    cycles: int = 4
    growth: float = 1.0
    last: float = 0.0

    def __post_init__(self) -> None:
        whole_number("[CosineRestarts] cycles", self.cycles, 1, 1000)
        _expect(self, "growth", 1, 100)
        _expect(self, "last", 0, 1)

    def __call__(self, done: float) -> float:
        lengths = [self.growth**i for i in range(self.cycles)]
        position = done * sum(lengths)
        for length in lengths[:-1]:
            if position < length:
                break
            position -= length
        else:
            length = lengths[-1]
        return self.last + (1 - self.last) * cosine(min(position / length, 1.0))


@dataclass(frozen=True)
class OneCycle:
    """Up from `first` to 1 during the share `up` of the run, then down to `last`, both by cosines.

    The optimizer's rate is the highest one, several times what a constant rate could be.

    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2018.
    """

    up: float = 0.3
    first: float = 0.04
    last: float = 4e-6

    def __post_init__(self) -> None:
        for name in ("up", "first", "last"):
            _expect(self, name, 0, 1)

    def __call__(self, done: float) -> float:
        if done < self.up:
            return 1 - (1 - self.first) * cosine(done / self.up)
        part = (done - self.up) / (1 - self.up) if self.up < 1 else 0.0
        return self.last + (1 - self.last) * cosine(part)


@dataclass(frozen=True)
class Warmup:
    """A straight line from `first` to 1 during the share `share` of the run, then another schedule.

    That one is given the share that is done of the rest.

    Source: Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017.
    """

    share: float = 0.05
    then: Schedule = constant
    first: float = 0.01

    def __post_init__(self) -> None:
        _expect(self, "share", 0, 1)
        _expect(self, "first", 0, 1)
        if not callable(self.then):
            raise TypeError(f"[Warmup] then: expected a schedule, got {type(self.then).__name__}")

    def __call__(self, done: float) -> float:
        if done < self.share:
            return self.first + (1 - self.first) * done / self.share
        rest = 1 - self.share
        return self.then((done - self.share) / rest if rest > 0 else 1.0)

    def __repr__(self) -> str:
        return f"Warmup(share={self.share!r}, then={describe(self.then)}, first={self.first!r})"


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "constant": constant,
        "cosine": cosine,
        "step": Step(),
        "exponential": Exponential(),
        "inverse-time": InverseTime(),
        "polynomial": Polynomial(),
        "cosine-restarts": CosineRestarts(),
        "one-cycle": OneCycle(),
        "warmup": Warmup(),
        "warmup-cosine": Warmup(then=cosine),
    }
)


def describe(schedule: str | Schedule) -> str:
    """Return what a checkpoint says of a schedule: its name, or its parameters."""
    if isinstance(schedule, str):
        return schedule
    return str(getattr(schedule, "__qualname__", None) or repr(schedule))


class ReduceOnPlateau:
    """Lowers the rate when a figure that is measured again and again stops getting better.

        plateau = ReduceOnPlateau(patience=3)
        optimizer.lr = base_lr * plateau.update(validation_loss)

    After more than `patience` figures none of which beats the best one by `min_delta`, the factor
    is multiplied by `factor`, down to `least`, and the next `cooldown` figures do not count as bad.

    Args:
        factor: what each reduction multiplies the rate by, below 1.
        patience: how many figures in a row may be no better.
        min_delta: what counts as better.
        mode: 'min' where less is better, such as a loss; 'max' for an accuracy.
        cooldown: figures to wait after a reduction.
        least: the smallest factor.

    Raises ValueError for arguments that make no sense, and in `update` for a figure that is NaN.
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        mode: str = "min",
        cooldown: int = 0,
        least: float = 0.0,
    ) -> None:
        one_of("[ReduceOnPlateau] mode", mode, ("min", "max"))
        self.factor = factor
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.cooldown = cooldown
        self.least = least
        for name, high in (("factor", 1), ("patience", math.inf), ("min_delta", math.inf)):
            _expect(self, name, 0, high)
        _expect(self, "cooldown", 0)
        _expect(self, "least", 0, 1)
        self.current = 1.0
        self.best: float | None = None
        self.bad = 0
        self.resting = 0

    def update(self, figure: float) -> float:
        """Take one more figure and return the factor of the rate."""
        if math.isnan(figure):
            raise ValueError(f"[ReduceOnPlateau.update] figure: expected a number, got {figure}")
        figure = float(figure)
        gain = 0.0 if self.best is None else self.best - figure
        gain = gain if self.mode == "min" else -gain
        if self.best is None or gain > self.min_delta:
            self.best, self.bad = figure, 0
        elif self.resting == 0:
            self.bad += 1
        self.resting = max(self.resting - 1, 0)
        if self.bad > self.patience:
            self.current = max(self.current * self.factor, self.least)
            self.bad, self.resting = 0, int(self.cooldown)
        return self.current

    def state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on."""
        return {
            "current": self.current,
            "best": self.best,
            "bad": self.bad,
            "resting": self.resting,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take what `state` returned."""
        self.current, self.best = state["current"], state["best"]
        self.bad, self.resting = state["bad"], state["resting"]

    def __repr__(self) -> str:
        names = ("factor", "patience", "min_delta", "mode", "cooldown", "least")
        return f"ReduceOnPlateau({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
