"""Averages of the weights over the updates, to be used in place of the last ones.

    average = MovingAverage(0.99)
    optimizer = SGD(lr=0.1).add_hook(average)
    ...
    with average.applied(network.params):
        accuracy = network.accuracy(x_test, t_test)

Running statistics of batch normalisation are no parameters, and stay those of the last weights.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from pynet import devices, ops
from pynet.optimizers.hooks import Hook
from pynet.optimizers.settings import Hyperparameter, computable, one_layout


class _Average(Hook, ABC):
    """`average`, a dict keyed like params, moves towards them after an update by `_rate()`."""

    state_names = ("average",)
    average: Any

    def __init__(self) -> None:
        super().__init__()
        self.updates = 0  # those of the optimizer
        self.count = 0  # the weights that the average is made of

    @abstractmethod
    def _rate(self) -> float | None:
        """How far to move, 1 for the first weights; None to leave the average as it is."""

    def after(self, params: Mapping[str, Any]) -> None:
        self.updates += 1
        rate = self._rate()
        if rate is None:
            return
        self.count += 1
        if self.average is None:
            self.prepare(params)
        if one_layout(params, self.average):
            store: Any = params
            ops.average_update(self.average.flat, store.flat, rate)
            return
        for key, p in params.items():
            mean = self.average[key]
            ops.average_update(mean, computable(p, mean.dtype), rate)

    @contextmanager
    def applied(self, params: MutableMapping[str, Any]) -> Iterator[None]:
        """Put the averages in the place of the parameters, and these back at the end.

        Raises ValueError when there is no average yet, or one of other parameters.
        """
        where = f"[{type(self).__name__}.applied] params"
        if self.average is None:
            raise ValueError(f"{where}: expected updates before, got none to average")
        for key, p in params.items():
            if key not in self.average or np.shape(p) != self.average[key].shape:
                raise ValueError(f"{where}: expected those that were averaged, got {key!r}")
        own = {key: copy.copy(devices.array(p)) for key, p in params.items()}
        try:
            _put(params, self.average)
            yield
        finally:
            _put(params, own)


class MovingAverage(_Average):
    """EMA: average <- decay * average + (1 - decay) * p after each update, at first p itself.

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, with
    weights that fade.
    """

    decay = Hyperparameter(high=1)

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__()
        self.decay = decay

    def _rate(self) -> float | None:
        return 1.0 if self.count == 0 else 1 - self.decay


class StochasticAverage(_Average):
    """SWA: the mean of the weights after every `every`th update, `start` updates left out first.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    2018.
    """

    start = Hyperparameter()
    every = Hyperparameter(low=1)

    def __init__(self, start: int = 0, every: int = 1) -> None:
        super().__init__()
        self.start = start
        self.every = every

    def _rate(self) -> float | None:
        late = self.updates - self.start
        return 1 / (self.count + 1) if late > 0 and late % self.every == 0 else None


def _put(params: MutableMapping[str, Any], values: Mapping[str, Any]) -> None:
    for key, p in params.items():
        if devices.is_array(p):
            p[...] = values[key]
        else:
            params[key] = values[key].item()
