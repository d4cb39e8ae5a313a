"""A learning rate from one short run: the rate grows until the loss does.

    found = find_rate(network, Adam(), x_train, t_train)
    print(found.suggestion)
    found.save_figure("rates.png")

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pynet._types import Array
from pynet.checks import array_of, generator, one_each, real_number, whole_number
from pynet.serialization.files import PathLike

__all__ = ["FoundRates", "find_rate"]


@dataclass(frozen=True)
class FoundRates:
    """What `find_rate` saw: for each step its rate, its loss, and the loss smoothed."""

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float
    diverged: bool

    def save_figure(self, path: PathLike) -> None:
        """Draw the loss over the rate, with the suggestion, and write a PNG, atomically.

        Raises ImportError without matplotlib, OSError when the file cannot be written.
        """
        from pynet.viz.rates import rates_figure
        from pynet.viz.style import save_figure

        figure = rates_figure(self.rates, self.losses, self.smoothed, self.suggestion)
        save_figure(path, figure, op="FoundRates.save_figure")


def find_rate(
    network: Any,
    optimizer: Any,
    x: Array,
    t: Array,
    *,
    batch_size: int = 100,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    stop: float = 4.0,
    seed: int = 0,
) -> FoundRates:
    """Train a copy of the network with a rate that grows from `low` to `high`, a factor each step.

    The suggestion is the rate at which the loss falls fastest, before it is lowest: large, and
    still below the rate of divergence. Network, optimizer and `np.random` stay as they are.

    Args:
        network: has `params` and `gradient(x, t)`, and `last_loss` or `loss(x, t)`.
        optimizer: has `lr` and `update(params, grads)`.
        x: training inputs, of which mini-batches are drawn without replacement.
        t: their labels.
        batch_size: samples of a step.
        low: the first rate.
        high: the rate of the last step.
        steps: how many steps, if the loss does not diverge before.
        smoothing: how much of the running mean of the losses stays at each step, below 1.
        stop: end when the smoothed loss is above the lowest one by this factor, or not finite.
        seed: of the batches.

    Raises:
        ValueError: numbers that make no sense, or a loss that is not finite at the first step.
    """
    high = real_number("[find_rate] high", high, 1e-30, 1e30, "a number from 1e-30 to 1e+30")
    for name, value, least, most in [
        ("low", low, 1e-30, high),
        ("smoothing", smoothing, 0, 0.999),
        ("stop", stop, 1, 1e30),
    ]:
        expected = f"a number from {least:g} to {most:g}"
        real_number(f"[find_rate] {name}", value, least, most, expected)
    whole_number("[find_rate] steps", steps, 5, 1_000_000)
    whole_number("[find_rate] batch_size", batch_size)
    x, t = array_of("[find_rate] x", x), array_of("[find_rate] t", t)
    one_each("[find_rate] t", x, t)
    network, optimizer = copy.deepcopy(network), copy.deepcopy(optimizer)
    rng = generator("[find_rate] seed", seed)
    rates, losses, smoothed = [], [], []
    order, mean, best = np.array([], int), 0.0, math.inf
    for step, rate in enumerate(np.geomspace(low, high, steps)):
        if len(order) == 0:
            order = rng.permutation(len(x))
        batch, order = order[:batch_size], order[batch_size:]
        with np.errstate(all="ignore"):
            grads = network.gradient(x[batch], t[batch])
            loss = getattr(network, "last_loss", None)
            loss = float(network.loss(x[batch], t[batch]) if loss is None else loss)
        if not math.isfinite(loss):
            if step == 0:
                raise ValueError(f"[find_rate] network: expected a finite loss, got {loss}")
            break
        mean = smoothing * mean + (1 - smoothing) * loss
        rates.append(float(rate))
        losses.append(loss)
        smoothed.append(mean / (1 - smoothing ** (step + 1)))  # as if it had not begun at 0
        best = min(best, smoothed[-1])
        if smoothed[-1] > stop * best:
            break
        optimizer.lr = float(rate)
        try:
            with np.errstate(all="ignore"):
                optimizer.update(network.params, grads)
        except ValueError:  # a gradient too large for a hook
            break
    return FoundRates(
        np.array(rates),
        np.array(losses),
        np.array(smoothed),
        _steepest(rates, smoothed, round(smoothing / (1 - smoothing))),
        len(rates) < steps,
    )


def _steepest(rates: list[float], smoothed: list[float], late: int) -> float:
    """The rate where the loss falls fastest over its logarithm; the mean shows it steps late."""
    lowest = int(np.argmin(smoothed)) + 1
    if lowest < 3:
        return rates[0]
    slopes = np.gradient(smoothed[:lowest], np.log(rates[:lowest]))
    return rates[max(int(np.argmin(slopes)) - late, 0)]
