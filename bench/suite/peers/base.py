"""What the measuring process asks of a peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suite.nets import Net
from suite.rows import Kernel, Step

Weights = list[tuple[Any, Any]]


class Unsupported(Exception):
    """This peer cannot do this row."""


class Peer:
    """Each method gives a function to be timed, or raises Unsupported."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def step(self, net: Net, weights: Weights, work: Step) -> Callable[[Any, Any], float]:
        """One training step on the NumPy batch (x, t): the loss before the update, as a float."""
        raise Unsupported

    def infer(self, net: Net, weights: Weights) -> Callable[[Any], Any]:
        """The scores of the NumPy batch x as a NumPy array."""
        raise Unsupported

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        """One call of the kernel; returns its result as something `numpy.asarray` takes."""
        raise Unsupported
