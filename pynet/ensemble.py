"""Several networks as one: the average of their probabilities, or their votes.

Ensemble([net1, net2, net3]).accuracy(x_test, t_test)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from pynet import devices
from pynet._types import Array, ArrayLike
from pynet.checks import array_of, one_each, one_of, whole_number
from pynet.functions import softmax

__all__ = ["Ensemble", "Predictor"]


class Predictor(Protocol):
    """A member: `predict(x)` gives a row for each sample, a number for each class."""

    def predict(self, x: Any) -> Any: ...


class Ensemble:
    """Networks that answer together.

    Networks that were trained alike from other initial values err in part on other samples; the
    average errs where most of them do.

    Args:
        networks: objects with `predict(x)`, all for the same classes. pynet's networks give scores
            before softmax.
        combine: 'average', the mean of the members' probabilities; or 'vote', the share of the
            members whose highest score a class has (a tie goes to the lower class number).
        probabilities: the members' `predict` gives probabilities already, not scores.

    Raises:
        ValueError: no networks, or an unknown `combine`.
        TypeError: a member without `predict`.
    """

    def __init__(
        self,
        networks: Sequence[Predictor],
        combine: str = "average",
        *,
        probabilities: bool = False,
    ) -> None:
        if not isinstance(networks, Iterable):
            raise TypeError(
                f"[Ensemble] networks: expected a list of them, got {type(networks).__name__}"
            )
        self.networks = list(networks)
        if not self.networks:
            raise ValueError("[Ensemble] networks: expected at least one, got none")
        for i, network in enumerate(self.networks):
            if not callable(getattr(network, "predict", None)):
                raise TypeError(
                    f"[Ensemble] networks[{i}]: expected an object with predict(x), "
                    f"got {type(network).__name__}"
                )
        self.combine = one_of("[Ensemble] combine", combine, ("average", "vote"))
        self.probabilities = probabilities

    def predict(self, x: ArrayLike) -> Array:
        """Return (N, classes): mean probabilities, or shares of the votes; each row sums to 1."""
        total: Array | None = None
        for i, network in enumerate(self.networks):
            y = devices.to_numpy(network.predict(x))
            if y.ndim != 2 or (total is not None and y.shape != total.shape):
                raise ValueError(
                    f"[Ensemble.predict] networks[{i}]: expected scores of shape "
                    f"{'(N, classes)' if total is None else total.shape}, got {y.shape}"
                )
            share = self._share(y)
            total = share if total is None else total + share
        assert total is not None
        return total / len(self.networks)

    def _share(self, y: Array) -> Array:
        if self.combine == "vote":
            return np.eye(y.shape[1], dtype=y.dtype)[y.argmax(axis=1)]
        return y if self.probabilities else softmax(y)

    def accuracy(self, x: ArrayLike, t: ArrayLike, batch_size: int = 100) -> float:
        """Return the share of samples whose highest value is at their label.

        t: class numbers (N,) or one-hot rows. Works through x in batches.
        """
        whole_number("[Ensemble.accuracy] batch_size", batch_size)
        x, t = array_of("[Ensemble.accuracy] x", x), array_of("[Ensemble.accuracy] t", t)
        labels = t.argmax(axis=1) if t.ndim == 2 and t.shape[1] > 1 else t.reshape(-1)
        one_each("[Ensemble.accuracy] t", x, labels)
        right = 0
        for i in range(0, len(x), batch_size):
            y = self.predict(x[i : i + batch_size])
            right += int(np.sum(y.argmax(axis=1) == labels[i : i + batch_size]))
        return right / len(x)

    def __len__(self) -> int:
        return len(self.networks)
