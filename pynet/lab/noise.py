"""What the noise of small batches is good for: out of a poor minimum, off a saddle."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.viz import style

_SPREAD = 12.0  # standard deviation of one sample's slope


def saddle_noise(lab: Lab) -> Result:
    """Descend from a poor minimum and from a saddle with the noise of each batch size.

    The loss is the mean over samples that agree but for their slope: a batch of B has the true
    gradient and normal noise of standard deviation 12 / sqrt(B). The full batch has none.
    """
    walkers, rate = lab.pick(1000, 50), 0.02
    batches: list[float] = [1, 3, 10, 30, 100, 300, 1000, np.inf]
    names = ["full" if np.isinf(B) else f"{B:g}" for B in batches]
    steps = lab.pick(5000, 50)
    escaped, left_saddle, ends = [], [], {}
    for B, name in zip(batches, lab.over(names, "batch sizes")):
        noise = _SPREAD / np.sqrt(B)
        x = np.full(walkers, -1.0)  # the poor minimum
        y = np.zeros((2, walkers))  # on the ridge of the saddle
        y[0] = 1.0
        when = np.full(walkers, np.inf)
        for step in range(steps):
            x -= rate * (_slope(x) + noise * np.random.normal(size=walkers))
            np.clip(x, -3, 3, out=x)
            y -= rate * (_saddle_slope(y) + noise * np.random.normal(size=y.shape))
            np.clip(y, -3, 3, out=y)
            when = np.where(np.isinf(when) & (np.abs(y[1]) > 0.5), step + 1, when)
        escaped.append(float(np.mean(x > 0)))
        left_saddle.append(float(np.median(when)))
        ends[name] = x
    figure = style.new_figure(12.5, 3.9, "Noise of small batches, on toy functions")
    with style.styled():
        left, middle, right = figure.subplots(1, 3)
        ticks = np.linspace(-1.75, 2, 200)
        left.plot(ticks, _loss(ticks), color=style.BLACK)
        for name, colour, mark in (("3", style.ORANGE, "s"), ("full", style.BLUE, "o")):
            some = ends[name][:150]
            some = some[(some > -1.75) & (some < 2)]
            lift = 0.15 if name == "3" else 0.4
            left.plot(
                *(some, _loss(some) + lift, mark),
                color=colour,
                alpha=0.5,
                label=f"ends, batch {name}",
            )
        left.set(xlabel="x", ylabel="loss", title="A poor minimum at -1, a better one at 1.2")
        left.legend(loc="upper center")
        middle.plot(names, [100 * share for share in escaped], "o-", color=style.GREEN)
        middle.set(xlabel="batch size", ylabel="% in the better minimum's valley", ylim=(-4, 104))
        middle.set_title(f"Of {walkers} runs begun at -1, {steps} steps")
        gone = [(n, w) for n, w in zip(names, left_saddle) if np.isfinite(w)]
        right.plot(names, np.full(len(names), np.nan))  # all names on the axis, in this order
        right.plot(*zip(*gone), "o-", color=style.PINK)
        for name, median in zip(names, left_saddle):
            if np.isinf(median):
                right.plot([name], [steps], "X", color=style.BLACK, markersize=8)
        right.set(xlabel="batch size", ylabel="median step", yscale="log")
        right.set_title("Leaving the ridge of a saddle (X: not left)")
    stuck = [n for n, w in zip(names, left_saddle) if np.isinf(w)]
    return Result(
        figure,
        {
            "batch_sizes": names,
            "noise": [_SPREAD / np.sqrt(B) for B in batches],
            "share_escaped": escaped,
            "median_steps_to_leave_saddle": left_saddle,
            "steps": steps,
            "runs": walkers,
        },
        f"Of {walkers} runs that begin in the poor minimum, {100 * escaped[1]:.0f} % end in the "
        f"valley of the better one with batches of 3, {100 * escaped[2]:.0f} % with batches of 10 "
        f"and {100 * escaped[-1]:.0f} % with the full batch, whose gradient is exactly 0 there. "
        f"From the ridge of the saddle batches of 1 are gone after {left_saddle[0]:.0f} steps in "
        f"the median and batches of 1000 after {left_saddle[-2]:.0f}; not left within {steps} "
        f"steps: batch size {', '.join(stuck) or 'none'}.",
    )


def _loss(x: Array) -> Array:
    """Return a quartic with minima at -1 and 1.2, the second lower, and a barrier at 0."""
    return 3 * (x**4 / 4 - x**3 / 15 - 0.6 * x**2)


def _slope(x: Array) -> Array:
    return 3 * (x + 1) * (x - 1.2) * x


def _saddle_slope(y: Array) -> Array:
    """Return the gradient of y0^2 / 2 - y1^2 / 2 + y1^4 / 4."""
    return np.stack([y[0], y[1] ** 3 - y[1]])
