"""The training loop that the experiments share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from pynet._types import Array
from pynet.networks import Network


def train(
    net: Network,
    optimizer: Any,
    x: Array,
    t: Array,
    steps: Iterable[int],
    batch_size: int = 100,
    *,
    add: Callable[[Any, Any], None] | None = None,
    after: Callable[[int], None] | None = None,
) -> list[float]:
    """Make one update for each of `steps` and return the losses.

    Batches are drawn with replacement, as in the book; a set no larger than a batch is used whole.

    Args:
        net: a network.
        optimizer: has `update(params, grads)`.
        x: the inputs of the training set.
        t: their labels.
        steps: the numbers of the steps, such as `lab.steps(1000, quick=5)`.
        batch_size: samples for one update.
        add: called as add(params, grads) before an update, to change the gradients in place.
        after: called with the number of the step after its update.
    """
    losses: list[float] = []
    whole = len(x) <= batch_size
    for step in steps:
        batch = slice(None) if whole else np.random.choice(len(x), batch_size)
        grads = net.gradient(x[batch], t[batch])
        losses.append(float(net.last_loss or 0.0))
        if add is not None:
            add(net.params, grads)
        optimizer.update(net.params, grads)
        if after is not None:
            after(step)
    return losses
