"""Two 3x3 convolutions for one 5x5."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pynet.lab.convolution_cost import seconds
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Affine, Convolution, Layer, Pooling, Relu, Sequential
from pynet.networks import Network
from pynet.optimizers import Adam
from pynet.viz import style

_NAMES = ("one 5x5", "two 3x3")


def _block(name: str, C: int) -> list[Layer]:
    if name == "one 5x5":
        return [Convolution.sized(C, 5, pad=2), Relu()]
    return [Convolution.sized(C, 3, pad=1), Relu(), Convolution.sized(C, 3, pad=1), Relu()]


def _field_of_view(block: Layer, C: int, side: int) -> Any:
    """Which pixels the middle of the output depends on: |gradient| summed over channels."""
    x = np.random.randn(1, C, side, side).astype(np.float32)
    dout = np.zeros_like(block.forward(x))
    dout[:, :, side // 2, side // 2] = 1
    return np.abs(block.backward(dout)).sum(axis=(0, 1))


def _count(block: Layer, x_shape: tuple[int, ...]) -> tuple[int, int]:
    """Weights without biases, and multiply-adds."""
    rows = block.trace(x_shape)
    weights = sum(row.layer.W.size for row in rows if isinstance(row.layer, Convolution))
    return int(weights), sum(row.description.macs for row in rows)


def two_3x3_for_5x5(lab: Lab) -> Result:
    """Count, time and train nets that differ in one thing: 5x5 convolutions, or two of 3x3."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    samples, C, seeds = lab.pick(10_000, 200), lab.pick(16, 4), lab.pick(3, 1)
    x, t, x_test, t_test = x[:samples], t[:samples], x_test[:5000], t_test[:5000]
    found: dict[str, dict[str, Any]] = {}
    for name in _NAMES:
        block = Sequential(*_block(name, C))
        seen = _field_of_view(block, C, 11)
        weights, macs = _count(block, (1, C, 14, 14))
        accuracies, times = [], []
        for seed in range(seeds):
            lab.reseed(seed)
            net = Network(
                Sequential(
                    *(Convolution.sized(C, 3, pad=1), Relu(), Pooling(2, 2)),
                    *_block(name, C),
                    Pooling(2, 2),
                    *_block(name, C),
                    Pooling(2, 2),
                    Affine.sized(10),
                ),
                input_dim=(1, 28, 28),
            )
            steps = lab.steps(500, quick=2, what=f"{name}, run {seed + 1}")
            train(net, Adam(lr=0.002), x, t, steps)
            accuracies.append(net.accuracy(x_test, t_test))
            times.append(seconds(partial(net.gradient, x[:100], t[:100]), lab.pick(9, 1)))
        found[name] = {
            "weights_of_a_block": weights,
            "weights_for_one_channel": weights // C**2,
            "multiply_adds_of_a_block": macs,
            "field_of_view": seen,
            "field_of_view_side": int(np.sqrt(np.count_nonzero(seen))),
            "test_accuracy": accuracies,
            "milliseconds_of_a_step": 1000 * float(np.median(times)),
        }
    figure = _draw(found, lab.data_name)
    five, three = (found[name] for name in _NAMES)
    mean = {name: float(np.mean(found[name]["test_accuracy"])) for name in _NAMES}
    return Result(
        figure,
        {"channels": C, "samples": samples, "seeds": seeds, **found},
        f"A 5x5 convolution sees {five['field_of_view_side']} x {five['field_of_view_side']} "
        f"pixels with {five['weights_for_one_channel']} weights, two 3x3 see "
        f"{three['field_of_view_side']} x {three['field_of_view_side']} with "
        f"{three['weights_for_one_channel']} and one more ReLU in between. After as many steps on "
        f"{lab.data_name} the one reaches {100 * mean['one 5x5']:.2f} % of the test images at "
        f"{five['milliseconds_of_a_step']:.1f} ms a step, the two {100 * mean['two 3x3']:.2f} % at "
        f"{three['milliseconds_of_a_step']:.1f} ms (mean of {seeds}).",
    )


def _draw(found: dict[str, dict[str, Any]], data_name: str) -> Any:
    figure = style.new_figure(12, 3.7, "Two 3x3 convolutions for one 5x5")
    with style.styled():
        first, second, bars, last = figure.subplots(1, 4, width_ratios=(1, 1, 1.5, 1.2))
        for axes, name in zip((first, second), _NAMES):
            axes.imshow(found[name]["field_of_view"], cmap="Blues")
            axes.set_title(f"{name}: what one pixel sees")
            axes.set(xticks=range(0, 11, 2), yticks=range(0, 11, 2))
            axes.grid(visible=False)
        keys = {
            "weights": "weights_of_a_block",
            "multiply-adds": "multiply_adds_of_a_block",
            "time of\na step": "milliseconds_of_a_step",
        }
        places = np.arange(len(keys))
        for i, (name, colour, hatch) in enumerate(
            zip(_NAMES, (style.ORANGE, style.BLUE), ("", "//"))
        ):
            shares = [100 * found[name][key] / found[_NAMES[0]][key] for key in keys.values()]
            bars.bar(
                *(places + 0.4 * (i - 0.5), shares, 0.36),
                color=colour,
                hatch=hatch,
                edgecolor="white",
                label=name,
            )
            accuracies = [100 * a for a in found[name]["test_accuracy"]]
            last.plot([i] * len(accuracies), accuracies, style.MARKS[i], color=colour, alpha=0.8)
        bars.set_xticks(places, list(keys))
        bars.set(ylabel="% of one 5x5", title="Cost", ylim=(0, 150))
        bars.legend(loc="upper right")
        last.set_xticks([0, 1], list(_NAMES))
        last.set(xlim=(-0.6, 1.6), ylabel="% right", title=f"Test images of {data_name}")
    return figure
