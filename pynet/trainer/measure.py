"""What a Trainer measures after each epoch, by name and in the order in which it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from pynet import devices
from pynet._types import Array
from pynet.checks import one_each
from pynet.networks import Network

Metric = Callable[[Array, Array], float]

_BATCH = 100


class Part(NamedTuple):
    """A part of the data: samples and their targets."""

    x: Array
    t: Array

    def first(self, count: int | None) -> Part:
        """Return the first `count` samples; all for None."""
        return Part(self.x[:count], self.t[:count])

    def batches(self) -> Iterator[Part]:
        for i in range(0, len(self.x), _BATCH):
            yield Part(self.x[i : i + _BATCH], self.t[i : i + _BATCH])


def part(op: str, name: str, x: Any, t: Any) -> Part:
    """Return a part of the data as arrays, memory maps unread; ValueError unless they fit."""
    x, t = devices.array(x), devices.array(t)
    one_each(f"[{op}] t_{name}", x, t)
    return Part(x, t)


def classifies(network: Any) -> bool:
    """Whether accuracy says something: not of a net whose loss is one of regression."""
    return hasattr(network, "accuracy") and getattr(
        getattr(network, "last_layer", None), "classifies", True
    )


def loss_of(network: Any, data: Part) -> float:
    """The mean loss of all samples, in the mode of inference, a batch at a time."""
    mode = (False,) if isinstance(network, Network) else ()
    total = sum(len(each.x) * float(network.loss(*each, *mode)) for each in data.batches())
    return total / len(data.x)


def scores_of(network: Any, data: Part) -> Array:
    """What the network predicts for all samples, a batch at a time."""
    return np.concatenate(devices.together([network.predict(each.x) for each in data.batches()]))


def _number(name: str, value: Any) -> float:
    """The value of a metric."""
    if np.ndim(value) or not isinstance(value, Real | np.generic | np.ndarray):
        raise TypeError(
            f"[Trainer] metrics[{name!r}]: expected it to return a number, got {value!r}"
        )
    return float(value)


class Measure:
    """Measures a network: accuracy where it classifies, else loss, and the reader's own metrics.

    Test data are measured like the training data, and no decision is made on them: all that a
    callback may decide on is in `deciding`, and comes from the validation data.
    """

    def __init__(
        self,
        network: Any,
        train: Part,
        test: Part | None,
        validation: Part | None,
        metrics: Mapping[str, Metric],
    ) -> None:
        self.network = network
        self.train, self.test, self.validation = train, test, validation
        self.metrics = dict(metrics)
        self.classifies = classifies(network)
        kind = "accuracy" if self.classifies else "loss"
        self.names = [f"train_{kind}"]
        if test is not None:
            self.names.append(f"test_{kind}")
        self.deciding: list[str] = []
        if validation is not None:
            self.deciding = ["validation_loss", "validation_accuracy"][: 1 + self.classifies]
            self.deciding += self.metrics
        clash = {"loss", *self.names} | set(self.deciding[: 1 + self.classifies])
        if clash & set(self.metrics):
            raise ValueError(
                f"[Trainer] metrics: expected names other than {', '.join(sorted(clash))}, "
                f"got {min(clash & set(self.metrics))!r}"
            )
        self.names += self.deciding
        self.places: Callable[[Part], Part] = lambda given: given  # where x is to be read from

    def __call__(self, count: int | None) -> dict[str, float]:
        """Return all figures; of training and test data, those of the first `count` samples."""
        values = [self._one(self._placed(self.train).first(count))]
        if self.test is not None:
            values.append(self._one(self._placed(self.test).first(count)))
        if self.validation is not None:
            validation = self._placed(self.validation)
            values.append(loss_of(self.network, validation))
            if self.classifies:
                values.append(self._one(validation))
            if self.metrics:
                y = scores_of(self.network, validation)
                t = devices.to_numpy(self.validation.t)
                values += [_number(name, f(t, y)) for name, f in self.metrics.items()]
        return dict(zip(self.names, values))

    def _placed(self, data: Part) -> Part:
        return Part(self.places(data).x, data.t)

    def check(self, metric: str, who: str) -> None:
        """Raise ValueError unless decisions may be made on this metric."""
        if self.validation is None:
            raise ValueError(
                f"[{who}] validation: expected data to decide on, Trainer(validation=(x, t)), got "
                "none; test data that decide are no test any more"
            )
        if metric not in self.deciding:
            raise ValueError(
                f"[{who}] metric: expected one of the validation data, "
                f"{', '.join(self.deciding)}, got {metric!r}"
            )

    @staticmethod
    def book_line(values: Mapping[str, float]) -> str:
        """The figures as the book prints them."""
        words = {"train_accuracy": "train acc", "test_accuracy": "test acc"}
        return ", ".join(f"{words.get(k, k)}:{v}" for k, v in values.items() if k != "loss")

    def _one(self, data: Part) -> float:
        if self.classifies:
            return float(self.network.accuracy(data.x, data.t))
        return loss_of(self.network, data)
