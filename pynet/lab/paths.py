"""The ways of optimizers through landscapes of two numbers, and of schedules through a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop, RProp
from pynet.schedules import (
    CosineRestarts,
    Exponential,
    InverseTime,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
    Warmup,
    constant,
    cosine,
)
from pynet.viz import style

Slopes = Callable[[Any, Any], tuple[Any, Any]]


def _bowl(x: Any, y: Any) -> tuple[Any, Any]:
    return x / 10, 2 * y


def _plateau(x: Any, y: Any) -> tuple[Any, Any]:
    """Of 1 - exp(-(x - 8)^2 / 18) + y^2 / 10: almost flat at the beginning, a hole at 8."""
    return (x - 8) / 9 * np.exp(-((x - 8) ** 2) / 18), y / 5


def _saddle(x: Any, y: Any) -> tuple[Any, Any]:
    """Of x^2 / 2 - y^2 / 2 + y^4 / 40, with valleys at y = -+sqrt(10) and a saddle at 0."""
    return x, -y + y**3 / 10


class _Land(NamedTuple):
    name: str
    height: Callable[[Any, Any], Any]
    slopes: Slopes
    begin: tuple[float, float]
    goal: Callable[[Array], bool]  # of the last point
    box: tuple[float, float, float, float]
    steps: int


_LANDS = (
    _Land(
        "plateau",
        lambda x, y: 1 - np.exp(-((x - 8) ** 2) / 18) + y**2 / 10,
        _plateau,
        (0.0, 2.0),
        lambda end: abs(end[0] - 8) < 1,
        (-1, 11, -2.5, 3),
        150,
    ),
    _Land(
        "saddle",
        lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 40,
        _saddle,
        (3.0, 1e-4),
        lambda end: abs(end[1]) > 2,
        (-3.5, 3.5, -1.5, 5.2),
        80,
    ),
)


def optimizer_paths(lab: Lab) -> Result:
    """Let the optimizers walk the book's bowl, then a plateau and a saddle."""
    book: dict[str, Any] = {
        "SGD": SGD(0.95),
        "Momentum": Momentum(0.1),
        "AdaGrad": AdaGrad(1.5),
        "Adam": Adam(0.3),
    }
    makers: dict[str, Callable[[], Any]] = {
        "SGD": lambda: SGD(0.1),
        "Momentum": lambda: Momentum(0.1),
        "Nesterov": lambda: Nesterov(0.1),
        "AdaGrad": lambda: AdaGrad(0.3),
        "RMSprop": lambda: RMSprop(0.1),
        "Adam": lambda: Adam(0.1),
        "RProp": lambda: RProp(0.1),
    }
    figure = style.new_figure(12, 6.6, "Paths of the optimizers")
    paths: dict[str, dict[str, Array]] = {"bowl": {}}
    arrived: dict[str, list[str]] = {}
    with style.styled():
        above, below = figure.subfigures(2, 1, height_ratios=[4, 5])
        bowls, lands = above.subplots(1, len(book)), below.subplots(1, len(_LANDS))
        for i, (name, rule) in enumerate(book.items()):
            path = _walk(rule, _bowl, (-7.0, 2.0), lab.pick(30, 5))
            paths["bowl"][name] = path
            axes = bowls[i]
            _contours(axes, lambda x, y: x**2 / 20 + y**2, (-10, 10, -5, 5), _BOWL_LEVELS)
            axes.plot(*path.T, "o-", color=style.COLOURS[i], linewidth=1.1, markersize=3)
            axes.plot(0, 0, "+", color=style.BLACK, markersize=10)
            axes.set(xlim=(-10, 10), ylim=(-5, 5), xlabel="x", ylabel="y" if i == 0 else "")
            axes.set_title(f"{name}, lr {rule.lr:g}: x²/20 + y²")
        for axes, land in zip(lands, _LANDS):
            _contours(axes, land.height, land.box, 18)
            paths[land.name], arrived[land.name] = {}, []
            for i, (name, make) in enumerate(makers.items()):
                path = _walk(make(), land.slopes, land.begin, lab.pick(land.steps, 5))
                paths[land.name][name] = path
                there = bool(land.goal(path[-1]))
                if there:
                    arrived[land.name].append(name)
                axes.plot(
                    *(*path.T, style.LINES[i]),
                    color=style.COLOURS[i],
                    marker=style.MARKS[i],
                    markevery=[len(path) - 1],
                    markersize=8,
                    linewidth=1.3,
                    label=name + ("" if there else " (not across)"),
                )
            axes.plot(*land.begin, "o", color="w", markeredgecolor="k", markersize=7)
            axes.set(xlim=land.box[:2], ylim=land.box[2:], xlabel="x", ylabel="y")
            axes.set_title(f"A {land.name}, {land.steps} steps from the white dot")
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    rough = {name: float(np.abs(np.diff(path[:, 1])).sum()) for name, path in paths["bowl"].items()}
    wide = max(rough, key=lambda name: rough[name])
    return Result(
        figure,
        {"paths": paths, "got across": arrived, "way made in y": rough},
        f"In the bowl of the book {wide} makes the longest way up and down in y, "
        f"{rough[wide]:.1f}, because the gradient does not point to the minimum; the others damp "
        "it or scale each direction by itself. "
        f"Across the plateau came {_names(arrived['plateau'])}, off the saddle "
        f"{_names(arrived['saddle'])}: a running sum of gradients or steps that do not shrink with "
        "the slope carry a walker over flat ground where plain SGD stands.",
    )


_BOWL_LEVELS = np.array([0.05, 0.4, 1, 2, 4, 7, 11, 16, 22])


def _walk(rule: Any, slopes: Slopes, begin: tuple[float, float], steps: int) -> Array:
    """The points of a descent, (steps + 1, 2)."""
    params = {"x": begin[0], "y": begin[1]}
    path = [begin]
    for _ in range(steps):
        dx, dy = slopes(params["x"], params["y"])
        rule.update(params, {"x": dx, "y": dy})
        path.append((params["x"], params["y"]))
    return np.array(path)


def _contours(axes: Any, height: Any, box: tuple[float, float, float, float], levels: Any) -> None:
    x, y = np.meshgrid(np.linspace(box[0], box[1], 120), np.linspace(box[2], box[3], 120))
    axes.contour(x, y, height(x, y), levels=levels, colors=[style.GRAY], linewidths=0.5)
    axes.grid(visible=False)


def _names(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def schedules(lab: Lab) -> Result:
    """Draw the factor of every schedule over a run."""
    rows: list[dict[str, Schedule]] = [
        {"constant": constant, "step": Step(), "polynomial": Polynomial(), "cosine": cosine},
        {
            "exponential": Exponential(),
            "inverse time": InverseTime(),
            "polynomial, power 3": Polynomial(3),
        },
        {
            "cosine restarts": CosineRestarts(4),
            "restarts, longer each": CosineRestarts(3, growth=2),
        },
        {"one-cycle": OneCycle(), "warm-up 10 %, then cosine": Warmup(0.1, then=cosine)},
    ]
    done = np.linspace(0, 1, lab.pick(501, 51))
    factors: dict[str, list[float]] = {}
    figure = style.new_figure(10, 6, "Schedules: the factor of the learning rate over a run")
    titles = ("Level, in steps, straight, smooth", "Fast at first", "Down and up again", "Up first")
    with style.styled():
        for axes, title, row in zip(figure.subplots(2, 2, sharex=True).flat, titles, rows):
            for i, (name, schedule) in enumerate(row.items()):
                factors[name] = [schedule(float(share)) for share in done]
                axes.plot(
                    *(100 * done, factors[name], style.LINES[i]),
                    color=style.COLOURS[i],
                    label=name,
                )
            axes.set(title=title, ylim=(-0.03, 1.32), yticks=[0, 0.25, 0.5, 0.75, 1])
            axes.legend(loc="upper right", ncols=2)
            axes.set_ylabel("factor")
            if axes.get_subplotspec().is_last_row():
                axes.set_xlabel("% of the run")
    halves = {name: float(np.mean(values)) for name, values in factors.items()}
    largest = max((n for n in halves if n != "constant"), key=lambda n: halves[n])
    least = min(halves, key=lambda n: halves[n])
    return Result(
        figure,
        {"done": done, "factors": factors, "mean factor": halves},
        "Large steps find the valley, small ones its floor: every schedule but the constant one "
        "ends below where it was highest, and those that begin low let the first, wild gradients "
        "do little harm. Over the whole run they differ in how far they let a net go: the mean "
        f"factor is largest for {largest} ({halves[largest]:.2f}) and smallest for {least} "
        f"({halves[least]:.2f}).",
    )
