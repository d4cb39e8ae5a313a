"""Depth: how far plain layers go and shortcuts carry, and what depth makes of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import (
    Affine,
    BatchNormalization,
    Convolution,
    GlobalAveragePooling,
    Layer,
    Pooling,
    Relu,
    Residual,
    Sequential,
)
from pynet.networks import Network
from pynet.optimizers import Adam, Momentum
from pynet.schedules import cosine
from pynet.viz import style

_RATE = 0.05  # at first; it falls to 0 along a cosine


def depth(lab: Lab) -> Result:
    """Train nets of 2 to 32 convolutions, in pairs with a shortcut around each and without."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    x, t = x[:5000], t[:5000]
    depths = lab.pick([2, 4, 8, 16, 32], [2, 4])
    seeds, count = lab.pick((2, 200), (1, 2))
    numbers: dict[str, Any] = {"layers": depths, "training": {}, "test": {}, "loss": {}}
    for kind in ("plain", "residual"):
        results = []
        for layers in depths:
            for seed in range(seeds):
                lab.reseed(seed)
                net = _tower(layers, kind)
                what = f"{kind}, {layers} layers, seed {lab.seed + seed}"
                optimizer = Momentum(lr=_RATE)

                def decay(step: int, optimizer: Momentum = optimizer) -> None:
                    optimizer.lr = _RATE * cosine(step / count)

                losses = train(net, optimizer, x, t, lab.steps(200, 2, what), after=decay)
                n = lab.pick(3000, 50)
                test = net.accuracy(x_test[:n], t_test[:n], 500)
                results.append((net.accuracy(x[:n], t[:n], 500), test, np.mean(losses[-20:])))
        shaped = np.array(results).reshape(len(depths), seeds, 3)
        for i, name in enumerate(("training", "test", "loss")):
            numbers[name][kind] = shaped[:, :, i]
    figure = style.new_figure(
        9.5, 3.8, f"Plain and residual nets of 3x3 convolutions, 5,000 images of {lab.data_name}"
    )
    with style.styled():
        left, right = figure.subplots(1, 2)
        for kind, colour, line in (("plain", style.ORANGE, "s--"), ("residual", style.BLUE, "o-")):
            test = 100 * numbers["test"][kind]
            left.plot(depths, test.mean(axis=1), line, color=colour, label=kind)
            left.plot(depths, test, line[0], color=colour, markersize=2.5)
            loss = numbers["loss"][kind]
            right.plot(depths, loss.mean(axis=1), line, color=colour, label=kind)
            right.plot(depths, loss, line[0], color=colour, markersize=2.5)
        left.set(ylabel="test accuracy, %", title="Accuracy")
        right.set(ylabel="training loss at the end", yscale="log", title="Training loss")
        style.plain_ticks(right.yaxis)
        for axes in (left, right):
            axes.set_xscale("log", base=2)
            axes.set_xticks(depths, [str(d) for d in depths])
            axes.set_xlabel("convolutions (line: mean; small marks: runs)")
        left.legend(loc="lower left")
    plain, residual = (100 * numbers["test"][kind].mean(axis=1) for kind in ("plain", "residual"))
    deepest = {kind: float(numbers["loss"][kind][-1].mean()) for kind in ("plain", "residual")}
    best = {"plain": depths[plain.argmax()], "residual": depths[residual.argmax()]}
    return Result(
        figure,
        numbers,
        f"With {depths[0]} convolutions the plain net gets {plain[0]:.1f} % of the test images and "
        f"the residual one {residual[0]:.1f} %, with {depths[-1]} it is {plain[-1]:.1f} % and "
        f"{residual[-1]:.1f} %; the best depths were {best['plain']} and {best['residual']}. "
        f"Look at the training loss too: at {depths[-1]} layers it is {deepest['plain']:.2g} plain "
        f"and {deepest['residual']:.2g} with shortcuts, and a net that over-fitted would have a "
        "low one.",
    )


def _unit(channels: int) -> list[Layer]:
    return [
        Convolution.sized(channels, 3, pad=1, bias=False),
        BatchNormalization.sized(),
    ]


def _tower(layers: int, kind: str, channels: int = 16) -> Network:
    """A stem down to 7 x 7, pairs of 3x3 convolutions, the mean of each channel, ten scores."""
    stem: list[Layer] = [
        Convolution.sized(channels, 5, stride=4, pad=2, bias=False),
        BatchNormalization.sized(),
        Relu(),
    ]
    pairs: list[Layer] = []
    for _ in range(layers // 2):
        pair = [*_unit(channels), Relu(), *_unit(channels)]
        pairs += [Residual(Sequential(*pair))] if kind == "residual" else pair
        pairs.append(Relu())
    head: list[Layer] = [GlobalAveragePooling(), Affine.sized(10)]
    return Network(Sequential(*stem, *pairs, *head), input_dim=(1, 28, 28))


def data_size(lab: Lab) -> Result:
    """Train a shallow, a deep and a convolutional net of about 79,000 weights on more and more."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    sizes = lab.pick([100, 300, 1000, 3000, 10000, 30000], [50, 100])
    kinds: dict[str, Callable[[], list[Layer]]] = {
        "1 hidden layer": lambda: [Affine.sized(100), Relu(), Affine.sized(10)],
        "5 hidden layers": lambda: [*_repeat(5, 73), Affine.sized(10)],
        "2 convolutions, 1 hidden layer": lambda: [
            *(Convolution.sized(8, 5, pad=2), Relu(), Pooling(2, 2)),
            *(Convolution.sized(16, 5, pad=2), Relu(), Pooling(2, 2)),
            *(Affine.sized(95), Relu(), Affine.sized(10)),
        ],
    }
    accuracy: dict[str, list[float]] = {}
    parameters: dict[str, int] = {}
    for name, layers in kinds.items():
        accuracy[name] = []
        for size in sizes:
            lab.reseed()
            net = Network(layers(), input_dim=(1, 28, 28))
            steps = lab.steps(1000, 3, f"{name}, {size} images")
            train(net, Adam(), x[:size], t[:size], steps)
            accuracy[name].append(net.accuracy(x_test, t_test, 1000))
        parameters[name] = sum(p.size for p in net.params.values())
    figure = style.new_figure(8, 4, f"Errors by number of training images, {lab.data_name}")
    with style.styled():
        axes = figure.subplots()
        for (name, right), mark, line in zip(accuracy.items(), style.MARKS, style.LINES):
            label = f"{name} ({parameters[name]:,} parameters)"
            axes.plot(sizes, 100 * (1 - np.array(right)), mark + line, label=label)
        axes.set(xscale="log", yscale="log", xlabel="training images")
        axes.set_ylabel("test images wrong, %")
        axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        axes.legend(loc="lower left")
    shallow, deep, convolutional = accuracy
    first, last = (
        {name: 100 * right[i] for name, right in accuracy.items()} for i in (0, len(sizes) - 1)
    )
    return Result(
        figure,
        {"images": sizes, "accuracy": accuracy, "parameters": parameters},
        f"With {sizes[0]} images the shallow net gets {first[shallow]:.1f} % of the test images "
        f"right, the deep one {first[deep]:.1f} % and the convolutional one "
        f"{first[convolutional]:.1f} %; with {sizes[-1]:,} it is {last[shallow]:.1f} %, "
        f"{last[deep]:.1f} % and {last[convolutional]:.1f} %. All have about the same number of "
        "parameters and of updates: read along a horizontal line how many images each needs for "
        "the same share of errors.",
    )


def _repeat(count: int, size: int) -> list[Layer]:
    return [layer for _ in range(count) for layer in (Affine.sized(size), Relu())]
