"""The loss over a growing learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import Array
from pynet.viz.style import BLUE, GRAY, ORANGE, new_figure, styled


def rates_figure(rates: Array, losses: Array, smoothed: Array, suggestion: float) -> Any:
    """Return a figure of the losses, raw and smoothed, with the suggested rate marked.

    Raises ImportError when matplotlib is not installed.
    """
    figure = new_figure(7, 4, "Learning rate finder")
    at = int(np.argmin(np.abs(np.log(rates) - np.log(suggestion))))
    low, high = float(np.min(losses)), float(smoothed[0])
    room = max(high - low, 1e-12)
    with styled():
        axes = figure.subplots()
        axes.plot(rates, losses, "-", color=GRAY, linewidth=0.7, label="each step")
        axes.plot(rates, smoothed, "-", color=BLUE, label="smoothed, which lags behind")
        axes.axvline(suggestion, color=ORANGE, linestyle="--", linewidth=1)
        axes.plot(
            *(suggestion, losses[at], "o"),
            color=ORANGE,
            label=f"steepest: {suggestion:.2g}",
        )
        axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
        axes.set_ylim(low - 0.1 * room, high + 0.7 * room)
        axes.legend(loc="upper left")
    return figure
