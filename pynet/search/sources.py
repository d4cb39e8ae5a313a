"""Where the hyperparameters of trials come from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from pynet.search.result import TrialRecord
from pynet.search.space import Choice, IntRange, LogUniform, Space, Uniform


class Source(Protocol):
    """Where the hyperparameters of trials come from."""

    def ask(self, space: Mapping[str, Space]) -> dict[str, Any]: ...
    def tell(self, record: TrialRecord) -> None: ...


class Random:
    """Independent draws."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def ask(self, space: Mapping[str, Space]) -> dict[str, Any]:
        return {name: each.at(self._random.random()) for name, each in space.items()}

    def tell(self, record: TrialRecord) -> None:
        pass


class Grid:
    """Every combination of equally distant values, at most `trials` of them."""

    def __init__(self, space: Mapping[str, Space], trials: int) -> None:
        # Choices are tried whole; the ranges share what they leave of the trials.
        chosen = math.prod(len(s.values) for s in space.values() if isinstance(s, Choice))
        ranges = sum(not isinstance(s, Choice) for s in space.values())
        count = int((trials / chosen) ** (1 / max(ranges, 1)) + 1e-9)
        points = [s.grid(max(count, 1)) for s in space.values()]
        self.size = math.prod(map(len, points))
        self._rest: Iterator[tuple[Any, ...]] = itertools.product(*points)

    def ask(self, space: Mapping[str, Space]) -> dict[str, Any]:
        return dict(zip(space, next(self._rest)))

    def tell(self, record: TrialRecord) -> None:
        pass


class Optuna:
    """The proposals of Optuna's tree-structured Parzen estimator."""

    def __init__(self, mode: str, seed: int) -> None:
        import optuna

        self._optuna = optuna
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self._study = optuna.create_study(
                direction="maximize" if mode == "max" else "minimize",
                sampler=optuna.samplers.TPESampler(seed=seed),
            )
        finally:
            optuna.logging.set_verbosity(level)

    def ask(self, space: Mapping[str, Space]) -> dict[str, Any]:
        fixed = {name: self._distribution(each) for name, each in space.items()}
        self._trial = self._study.ask(fixed)
        params = dict(self._trial.params)
        for name, each in space.items():
            if isinstance(each, Choice):
                params[name] = each.values[params[name]]
        return params

    def tell(self, record: TrialRecord) -> None:
        states = self._optuna.trial.TrialState
        for step, value in record.reports.items():
            self._trial.report(value, step)
        if record.state == "complete":
            self._study.tell(self._trial, record.value)
        else:
            pruned = record.state == "pruned"
            self._study.tell(self._trial, state=states.PRUNED if pruned else states.FAIL)

    def _distribution(self, space: Space) -> Any:
        kinds = self._optuna.distributions
        if isinstance(space, Uniform):
            log = isinstance(space, LogUniform)
            return kinds.FloatDistribution(space.low, space.high, log=log)
        if isinstance(space, IntRange):
            return kinds.IntDistribution(space.low, space.high, log=space.log)
        assert isinstance(space, Choice)
        return kinds.CategoricalDistribution(range(len(space.values)))
