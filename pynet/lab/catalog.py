"""All experiments: name, question, and where the function is. Loaded when they are run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from pynet.lab.experiment import Lab, Result


class Entry(NamedTuple):
    """One experiment of the catalog."""

    name: str
    question: str
    place: str  # MODULE:FUNCTION below pynet.lab

    def run(self, lab: Lab) -> Result:
        """Run it."""
        module, function = self.place.split(":")
        experiment: Callable[[Lab], Result] = getattr(
            import_module(f"pynet.lab.{module}"), function
        )
        return experiment(lab)


# In the book's order; a line for each chapter.
_ENTRIES = (
    # 2, 3: perceptrons and neural networks
    Entry("xor", "Can one layer of neurons learn XOR, and can two?", "boundaries:xor"),
    # 4: loss, gradients, learning
    # 5: backpropagation
    # 6: optimizers, initial values, batch normalization, over-fitting, hyperparameters
    # 7, 8: convolution, depth, speed, precision
)

CATALOG = {entry.name: entry for entry in _ENTRIES}
