"""Decision boundaries: what one layer can separate, what more can, and what layers need for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import Array
from pynet.functions import sigmoid
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Affine, Layer, Relu, SigmoidWithLoss, Tanh
from pynet.networks import Network
from pynet.optimizers import Adam
from pynet.viz import style

_X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
_GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "NAND": (1, 1, 1, 0), "XOR": (0, 1, 1, 0)}


def xor(lab: Lab) -> Result:
    """Train a perceptron on AND, OR, NAND and XOR, and a two-layer net on XOR."""
    runs: dict[str, tuple[str, list[Layer]]] = {
        f"{gate}, one layer": (gate, [Affine.sized(1)]) for gate in _GATES
    }
    runs["XOR, two layers"] = ("XOR", [Affine.sized(8), Tanh(), Affine.sized(1)])
    figure = style.new_figure(13.5, 3.5, "Gates learned from their four cases")
    right: dict[str, int] = {}
    with style.styled():
        panels = figure.subplots(1, len(runs), sharey=True)
        for axes, (name, (gate, layers)) in zip(panels, runs.items()):
            t = np.array(_GATES[gate])
            net = Network(layers, SigmoidWithLoss(), input_dim=(2,))
            train(net, Adam(lr=0.05), _X, t[:, None], lab.steps(1000, 10, name))
            right[name] = int(np.sum((net.predict(_X)[:, 0] > 0) == t))
            shades = _shade(axes, net, (-0.5, 1.5))
            _points(axes, _X, t, size=9)
            axes.set(title=f"{name}: {right[name]} of 4 right", xlabel="x1", aspect="equal")
            axes.set(xticks=[0, 1], yticks=[0, 1])
        panels[0].set_ylabel("x2")
        _legend(figure, panels[-1], shades, "probability of 1\n(black line: 0.5)")
    best = _best_line(lab.pick(100_000, 1000))
    return Result(
        figure,
        {"right": right, "lines_tried": lab.pick(100_000, 1000), "best_line_on_xor": best},
        "A single layer cuts the plane with one straight line, which is enough for AND "
        f"({right['AND, one layer']} of 4 right), OR ({right['OR, one layer']}) and NAND "
        f"({right['NAND, one layer']}); for XOR no line does, and the best of "
        f"{lab.pick(100_000, 1000):,} random ones gets {best} of 4. "
        f"Trained on XOR, one layer can do no better than a probability near 0.5 everywhere, while "
        f"a hidden layer bends the border: {right['XOR, two layers']} of 4 right.",
    )


def linear_collapse(lab: Lab) -> Result:
    """Multiply the layers of a net without activations into one, and train it beside others."""
    x, t = _spirals(lab.pick(300, 60))

    def affines(count: int, between: type[Layer] | None) -> list[Layer]:
        layers: list[Layer] = [Affine.sized(32)]
        for _ in range(count - 2):
            layers += [between()] if between else []
            layers.append(Affine.sized(32))
        return [*layers, *([between()] if between else []), Affine.sized(1)]

    kinds: dict[str, list[Layer]] = {
        "1 layer": [Affine.sized(1)],
        "5 layers, no activation": affines(5, None),
        "5 layers with ReLU": affines(5, Relu),
    }
    figure = style.new_figure(11.5, 3.9, "Layers without activations are one layer")
    numbers: dict[str, Any] = {"accuracy": {}}
    with style.styled():
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (name, layers) in zip(panels, kinds.items()):
            net = Network(layers, SigmoidWithLoss(), input_dim=(2,), dtype=np.float64)
            train(net, Adam(lr=0.01), x, t[:, None], lab.steps(2000, 10, name), batch_size=len(x))
            accuracy = float(np.mean((net.predict(x)[:, 0] > 0) == t))
            numbers["accuracy"][name] = accuracy
            if name == "5 layers, no activation":
                W, b = _product(net)
                numbers["parameters"] = {
                    "5 layers": sum(p.size for p in net.params.values()),
                    "their product": W.size + b.size,
                }
                scores = net.predict(x)
                numbers["greatest_score"] = float(np.abs(scores).max())
                numbers["greatest_difference"] = float(np.abs(x @ W + b - scores).max())
            shades = _shade(axes, net, (-1.15, 1.15))
            _points(axes, x, t, size=3)
            axes.set(title=f"{name}: {100 * accuracy:.0f} % right", xlabel="x1", aspect="equal")
        panels[0].set_ylabel("x2")
        _legend(figure, panels[-1], shades, "probability of 1\n(black line: 0.5)")
    accuracies = numbers["accuracy"]
    return Result(
        figure,
        numbers,
        f"The {numbers['parameters']['5 layers']:,} parameters of the five layers without "
        "activation multiply to a matrix and a bias of "
        f"{numbers['parameters']['their product']} numbers together, whose scores differ from "
        f"the net's by at most {numbers['greatest_difference']:.1e}. So its border "
        "is a straight line like that of one layer "
        f"({100 * accuracies['5 layers, no activation']:.0f} % and "
        f"{100 * accuracies['1 layer']:.0f} % right); with ReLU between the same five layers it is "
        f"{100 * accuracies['5 layers with ReLU']:.0f} %.",
    )


def _product(net: Network) -> tuple[Array, Array]:
    """The one layer that a chain of affine layers is: x W1 W2 ... + (b1 W2 + b2) ..."""
    W, b = np.eye(2), np.zeros(2)
    for i in range(1, 1 + len(net.params) // 2):
        W, b = W @ net.params[f"W{i}"], b @ net.params[f"W{i}"] + net.params[f"b{i}"]
    return W, b


def _spirals(count: int) -> tuple[Array, Array]:
    """Two spirals of `count` points in the plane, one around the other."""
    radius = np.sqrt(np.linspace(0.02, 1, count))
    arms = []
    for turn in (0, np.pi):
        angle = 2.5 * np.pi * radius + turn
        arm = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        arms.append(arm + np.random.normal(0, 0.03, arm.shape))
    return np.concatenate(arms), np.repeat([0, 1], count)


def _best_line(count: int) -> int:
    """How many of XOR's four cases the best of `count` random lines gets right."""
    W, b = np.random.normal(size=(2, count)), np.random.normal(size=count)
    right = ((_X @ W + b > 0) == np.array(_GATES["XOR"])[:, None]).sum(axis=0)
    return int(right.max())


def _shade(axes: Any, net: Network, limits: tuple[float, float]) -> Any:
    """Colour the plane by the net's probability of 1, with a line at 0.5."""
    from matplotlib.colors import LinearSegmentedColormap

    ticks = np.linspace(*limits, 120)
    grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    p = sigmoid(net.predict(grid).reshape(120, 120))
    colours = LinearSegmentedColormap.from_list("", ["#7FB8DA", "white", "#EBAE80"])
    shades = axes.contourf(ticks, ticks, p, levels=np.linspace(0, 1, 21), cmap=colours)
    if p.min() < 0.4 < 0.6 < p.max():  # else all of the plane is undecided
        axes.contour(ticks, ticks, p, levels=[0.5], colors="k", linewidths=1.2)
    axes.grid(visible=False)
    return shades


def _points(axes: Any, x: Array, t: Array, size: float) -> None:
    for label, colour, mark in ((0, style.BLUE, "o"), (1, style.ORANGE, "s")):
        points = x[t == label].T
        axes.plot(*points, mark, color=colour, markersize=size, label=f"target {label}")


def _legend(figure: Any, axes: Any, shades: Any, label: str) -> None:
    """A colour bar at the right and the marks below: neither covers a border."""
    figure.colorbar(shades, ax=axes, label=label, ticks=[0, 0.25, 0.5, 0.75, 1])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
