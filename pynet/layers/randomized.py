"""What layers that draw random numbers in training share."""

from __future__ import annotations

from pynet import rng
from pynet.layers.base import Layer


class RandomizedLayer(Layer):
    """Its numbers depend on `pynet.seed(n)`, the layer's number and its count of training steps.

    On nothing else: `np.random` is left alone. `dropout_number` is given in the order in which
    such layers are made; `dropout_step` grows by 1 with each forward pass in training.
    """

    state_names = ("dropout_number", "dropout_step")

    def __init__(self) -> None:
        self.dropout_number = rng.next_number()
        self.dropout_step = 0

    @property
    def dropout_step(self) -> int:
        """The number of the next training step since the seed was set."""
        return self._step if self._generation == rng.current()[1] else 0

    @dropout_step.setter
    def dropout_step(self, step: int) -> None:
        self._step, self._generation = step, rng.current()[1]
