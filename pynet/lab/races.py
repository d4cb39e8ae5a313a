"""Nets trained side by side on the same batches: optimizers, initial values, learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.networks import MultiLayerNet, Network
from pynet.optimizers import SGD, AdaGrad, Adam, Momentum
from pynet.util import smooth_curve
from pynet.viz import style

_HIDDEN = [100, 100, 100, 100]
# The loss of iteration 1900, one batch, in the book's single run.
_BOOK_OPTIMIZERS = {"SGD": 0.150, "Momentum": 0.050, "AdaGrad": 0.016, "Adam": 0.032}
_BOOK_INITIAL = {"std 0.01": 2.305, "Xavier": 0.377, "He": 0.286}
_DIVERGED = 1e3  # a loss from which no net of ten classes comes back


def optimizers_mnist(lab: Lab) -> Result:
    """Train one net by four optimizers at the book's rates, from the same weights."""
    rules: dict[str, Any] = {
        "SGD": SGD(),
        "Momentum": Momentum(),
        "AdaGrad": AdaGrad(),
        "Adam": Adam(),
    }
    nets = {}
    for name in rules:
        lab.reseed()
        nets[name] = MultiLayerNet(784, _HIDDEN, 10)
    losses = _race(lab, nets, rules)
    figure, means = _picture(
        lab, "Optimizers on {data}: 784 - 4 x 100 - 10, batch 128", losses, _BOOK_OPTIMIZERS
    )
    ratio = means["SGD"] / max(value for name, value in means.items() if name != "SGD")
    best = min(means, key=lambda name: means[name])
    return Result(
        figure,
        _numbers(lab, losses, means, _BOOK_OPTIMIZERS) | {"SGD over the next one": ratio},
        "Four optimizers train the same net from the same weights on the same batches, at the "
        f"book's rates; {best} ends lowest, at a mean loss of {means[best]:.3f} near the end. "
        f"Plain SGD is at {means['SGD']:.3f}, {ratio:.1f} times the next one: the others make "
        "larger steps where the gradient keeps its direction, or has been small.",
    )


def initial_values_mnist(lab: Lab) -> Result:
    """Train ReLU nets by SGD from three scales of initial weights."""
    scales: dict[str, str | float] = {"std 0.01": 0.01, "Xavier": "xavier", "He": "he"}
    nets, rules = {}, {}
    for name, scale in scales.items():
        lab.reseed()
        nets[name] = MultiLayerNet(784, _HIDDEN, 10, weight_init_std=scale)
        rules[name] = SGD(lr=0.01)
    losses = _race(lab, nets, rules)
    figure, means = _picture(
        lab, "Initial weights on {data}: 784 - 4 x 100 - 10 with ReLU, SGD", losses, _BOOK_INITIAL
    )
    return Result(
        figure,
        _numbers(lab, losses, means, _BOOK_INITIAL),
        "With a standard deviation of 0.01 the signal fades from layer to layer and so does the "
        f"gradient: near the end the loss is {means['std 0.01']:.2f}, where {math.log(10):.2f} is "
        "what guessing among ten classes gives. Weights scaled by the size of the layer before "
        f"them keep it alive: {means['Xavier']:.2f} with sqrt(1/n) (Xavier in the book's form) and "
        f"{means['He']:.2f} with sqrt(2/n) (He, made for ReLU).",
    )


def learning_rates(lab: Lab) -> Result:
    """Train one net by SGD at three rates: too small, right, too large."""
    rates = {"too small": 0.0005, "right": 0.1, "too large": 1.5}
    nets, rules = {}, {}
    for name, rate in rates.items():
        lab.reseed()
        nets[name] = MultiLayerNet(784, _HIDDEN, 10)
        rules[name] = SGD(lr=rate)
    losses = _race(lab, nets, rules, full=600)
    figure = style.new_figure(8, 4.2, f"Learning rates on {lab.data_name}: SGD, batch 128")
    ends: dict[str, float | None] = {}
    said = []
    with style.styled():
        axes = figure.subplots()
        for (name, curve), colour, line in zip(losses.items(), style.COLOURS, style.LINES):
            stopped = len(curve) < max(map(len, losses.values()))
            shown = [value for value in curve if math.isfinite(value)]
            axes.plot(
                *(np.arange(1, len(shown) + 1), shown if stopped else _smooth(shown), line),
                color=colour,
                label=f"{name}: lr {rates[name]:g}" + (", diverged" if stopped else ""),
            )
            if stopped:
                axes.plot(len(shown), shown[-1], "X", color=colour, markersize=10)
                ends[name] = None
                said.append(f"at {rates[name]:g} it was stopped after {len(curve)} steps, diverged")
            else:
                ends[name] = float(np.mean(curve[-50:]))
                said.append(f"at {rates[name]:g} the loss of the last steps is {ends[name]:.2f}")
        axes.axhline(math.log(10), color=style.GRAY, linewidth=1, linestyle=":")
        axes.annotate(
            "guessing among ten",
            (0.995, math.log(10)),
            xycoords=("axes fraction", "data"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="right",
            color="0.4",
        )
        axes.set(xlabel="step (logarithmic)", ylabel="training loss", xscale="log", yscale="log")
        style.plain_ticks(axes.xaxis)
        axes.legend(loc="upper right")
    return Result(
        figure,
        {"rates": rates, "losses": losses, "end": ends},
        "One net from the same weights, on the same batches, at three learning rates: "
        f"{'; '.join(said)}. Too small a rate wastes the steps, too large a one jumps over the "
        "valley and climbs its other side, and only the loss curve tells which it is.",
    )


def _race(
    lab: Lab, nets: Mapping[str, Network], rules: Mapping[str, Any], full: int = 2000
) -> dict[str, list[float]]:
    """Make the same steps with every net; the loss of each batch after its update, as in the book.

    A net that diverges makes no more steps.
    """
    (x, t), _ = lab.mnist()
    lab.reseed(1)
    losses: dict[str, list[float]] = {name: [] for name in nets}
    running = dict(nets)
    for _ in lab.steps(full, quick=12):
        batch = np.random.choice(len(x), 128)
        x_batch, t_batch = x[batch], t[batch]
        for name, net in list(running.items()):
            with np.errstate(all="ignore"):
                rules[name].update(net.params, net.gradient(x_batch, t_batch))
                losses[name].append(net.loss(x_batch, t_batch))
            if not losses[name][-1] < _DIVERGED:
                del running[name]
    return losses


def _near_the_end(curve: Sequence[float]) -> float:
    """The mean of iterations 1801 to 1900 of 2000."""
    n = len(curve)
    return float(np.mean(curve[n * 9 // 10 : n * 19 // 20]))


def _smooth(curve: Sequence[float]) -> Array:
    return smooth_curve(curve) if len(curve) >= 11 else np.asarray(curve)


def _numbers(
    lab: Lab, losses: dict[str, list[float]], means: dict[str, float], book: dict[str, float]
) -> dict[str, Any]:
    return {
        "data": lab.data_name,
        "losses": losses,
        "mean loss of iterations 1801 to 1900": means,
        "the book's run at iteration 1900": book,
    }


def _picture(
    lab: Lab, title: str, losses: dict[str, list[float]], book: Mapping[str, float]
) -> tuple[Any, dict[str, float]]:
    """The smoothed losses, and their means near the end beside the book's."""
    means = {name: _near_the_end(curve) for name, curve in losses.items()}
    figure = style.new_figure(10.5, 4.2, title.format(data=lab.data_name))
    with style.styled():
        left, right = figure.subplots(1, 2, width_ratios=[2, 1])
        for i, (name, curve) in enumerate(losses.items()):
            left.plot(
                *(np.arange(1, len(curve) + 1), _smooth(curve)),
                color=style.COLOURS[i],
                marker=style.MARKS[i],
                markevery=(len(curve) // 20, max(1, len(curve) // 10)),
                linestyle="-",
                linewidth=1.1,
                label=name,
            )
        left.set(xlabel="iteration", ylabel="training loss (smoothed)", yscale="log")
        style.plain_ticks(left.yaxis)
        left.legend(loc="lower left")
        places = np.arange(len(means))
        right.bar(places, list(means.values()), color=style.COLOURS[: len(means)], width=0.6)
        right.hlines(
            [book[name] for name in means],
            *(places - 0.42, places + 0.42),
            color=style.BLACK,
            label="the book's run, iteration 1900",
        )
        for place, (name, value) in zip(places, means.items()):
            right.annotate(
                f"{value:.3f}",
                (place, max(value, book[name])),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
            )
        right.set_xticks(places, list(means))
        right.set(title="Mean loss of iterations 1801 to 1900")
        right.grid(axis="x", visible=False)
        right.legend(loc="upper right")
        top = max(*means.values(), *book.values())
        right.set_ylim(0, 1.25 * top)
    return figure, means
