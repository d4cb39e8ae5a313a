"""What the measuring process asks of a peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pynet.bench.nets import Net
from pynet.bench.rows import Kernel, Step

Weights = list[tuple[Any, Any]]


class Unsupported(Exception):
    """The peer cannot do the row."""


class Model(NamedTuple):
    """A net in training. Batches come as NumPy arrays, a new one for every step."""

    step: Callable[[Any, Any], float]  # (x, t): trains once, the loss before that as a float
    predict: Callable[[Any], Any]  # x: the scores outside training as a NumPy array
    set_rate: Callable[[float], None]  # of the steps to come


class Peer:
    """Each method gives something to be timed, or raises Unsupported."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def model(self, net: Net, weights: Weights, work: Step) -> Model:
        """The net with these weights, and an optimizer."""
        raise Unsupported

    def infer(self, net: Net, weights: Weights) -> Callable[[Any], Any]:
        """The scores of the NumPy batch x as a NumPy array."""
        raise Unsupported

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        """One call of the kernel; returns its result as something `numpy.asarray` takes."""
        raise Unsupported
