"""What a convolutional net has learnt to see, and where its time goes."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.diagnosis import Profile, profile
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Convolution, Relu
from pynet.networks import DeepConvNet, Network, SimpleConvNet
from pynet.optimizers import Adam
from pynet.viz import draw_feature_maps, draw_filters, style


def _smoothness(W: Array) -> float:
    """The correlation of weights beside and above each other: 0 for noise, 1 for smooth filters."""
    pairs = [(W[..., :-1], W[..., 1:]), (W[..., :-1, :], W[..., 1:, :])]
    first, second = (np.concatenate([np.ravel(p[i]) for p in pairs]) for i in (0, 1))
    return float(np.corrcoef(first, second)[0, 1])


def filters(lab: Lab) -> Result:
    """Train SimpleConvNet and draw its 30 filters before and after."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    net = SimpleConvNet()
    before = net.params["W1"].copy()
    train(net, Adam(lr=0.001), x, t, lab.steps(1200, quick=3))
    after = net.params["W1"].copy()
    right = net.accuracy(x_test, t_test)
    smooth = _smoothness(before), _smoothness(after)
    figure = style.new_figure(8.5, 3.6, f"The 30 filters (5x5) of SimpleConvNet, {lab.data_name}")
    with style.styled():
        for axes, W, name in zip(figure.subplots(1, 2), (before, after), ("before", "after")):
            draw_filters(axes, W, columns=6)
            axes.set_title(f"{name} training (white: largest weight)")
    return Result(
        figure,
        {"before": before, "after": after, "smoothness": smooth, "accuracy": right},
        "Before training the filters are noise, after it many are light on one side and dark on "
        "the other: they answer to edges and blobs. The correlation of neighbouring weights went "
        f"from {smooth[0]:.2f} to {smooth[1]:.2f}, and the net reads {100 * right:.1f} % of the "
        "test images.",
    )


def feature_maps(lab: Lab) -> Result:
    """Train a deep net and show one digit to it: what comes out after each convolution."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    net = DeepConvNet()
    train(net, Adam(lr=0.001), x, t, lab.steps(300, quick=1), batch_size=lab.pick(100, 8))
    right = net.accuracy(x_test[: lab.pick(2000, 50)], t_test[: lab.pick(2000, 50)])
    digit = x_test[:1]
    maps = _after_each_relu(net, digit)
    figure = style.new_figure(9.5, 6.4, f"One digit in a trained DeepConvNet, {lab.data_name}")
    with style.styled():
        grid = figure.subplots(len(maps) + 1, 1, height_ratios=[1.3] + [1] * len(maps))
        grid[0].imshow(digit[0, 0], cmap="gray")
        grid[0].set(xticks=[], yticks=[], title=f"input: a {int(t_test[0])}")
        for axes, (name, y) in zip(grid[1:], maps.items()):
            draw_feature_maps(axes, y, columns=16, most=16)
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
    zeros = {name: float(np.mean(y == 0)) for name, y in maps.items()}
    first, *_, last = maps
    return Result(
        figure,
        {"accuracy": right, "zeros": zeros, "shapes": {n: y.shape[1:] for n, y in maps.items()}},
        "The first layers keep the digit's shape and answer to its edges; the deeper the layer, "
        "the coarser its maps, and the less they look like the digit. Dark is 0: it is "
        f"{100 * zeros[first]:.0f} % of the values after {first.split(',')[0]} and "
        f"{100 * zeros[last]:.0f} % after {last.split(',')[0]} (16 maps of each are shown; the net "
        f"reads {100 * right:.1f} % of the test images).",
    )


def _after_each_relu(net: Network, x: Array) -> dict[str, Array]:
    """The outputs of each ReLU behind a convolution, by 'conv 1, 16x28x28'."""
    maps: dict[str, Array] = {}
    convolution = False
    for layer in net._root:
        x = layer(x, False)
        if convolution and isinstance(layer, Relu):
            maps[f"conv {len(maps) + 1}, {'x'.join(map(str, x.shape[1:]))}"] = x
        convolution = isinstance(layer, Convolution)
    return maps


def layer_times(lab: Lab) -> Result:
    """Time each layer of SimpleConvNet and DeepConvNet."""
    (x, t), _ = lab.mnist(flatten=False)
    x, t = x[: lab.pick(100, 4)], t[: lab.pick(100, 4)]
    profiles: dict[str, Profile] = {}
    for net in (SimpleConvNet(), DeepConvNet()):
        profiles[type(net).__name__] = profile(net, x, t, repeats=lab.pick(20, 1))
    share: dict[str, float] = {}
    figure = style.new_figure(10, 4.6, f"Time of each layer, a batch of {len(x)}")
    with style.styled():
        for axes, (name, found) in zip(figure.subplots(1, 2), profiles.items()):
            at = np.arange(len(found.rows))
            forward = [1e3 * row.forward for row in found.rows]
            axes.barh(at, forward, color=style.BLUE, label="forward")
            axes.barh(
                at,
                [1e3 * row.backward for row in found.rows],
                left=forward,
                color=style.YELLOW,
                hatch="//",
                edgecolor="w",
                label="backward",
            )
            axes.set_yticks(at, [row.name for row in found.rows])
            axes.set_ylim(len(at) - 0.4, -0.6)
            axes.grid(False, axis="y")
            share[name] = found.share("Convolution")
            axes.set_title(f"{name}: {100 * share[name]:.0f} % in convolutions")
            axes.set_xlabel("milliseconds")
            axes.legend(loc="lower right")
    numbers = {
        name: {
            "share_of_convolution": share[name],
            "milliseconds": 1e3 * found.seconds,
            "layers": {
                row.name: {"forward_ms": 1e3 * row.forward, "backward_ms": 1e3 * row.backward,
                           "bytes": row.bytes, "gflops": row.gflops()}
                for row in found.rows
            },
        }
        for name, found in profiles.items()
    }  # fmt: skip
    return Result(
        figure,
        numbers,
        f"Convolutions take {100 * share['SimpleConvNet']:.0f} % of SimpleConvNet's time and "
        f"{100 * share['DeepConvNet']:.0f} % of DeepConvNet's, forward and backward together. How "
        "much it is depends on the net and on the kernels: the book quotes 89 % on a CPU and 95 % "
        "on a GPU for AlexNet.",
    )
