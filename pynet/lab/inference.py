"""Trained nets in use: shifted images, batches, weights of fewer bits."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Affine, Convolution, Layer, Pooling, Relu
from pynet.networks import MultiLayerNet, Network, SimpleConvNet
from pynet.optimizers import Adam
from pynet.viz import style


def pooling_shift(lab: Lab) -> Result:
    """Shift test images and see what changes, in nets that pool over windows of 1, 2 and 4."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    x, t, x_test, t_test = x[:10000], t[:10000], x_test[:2000], t_test[:2000]
    shifts = list(range(lab.pick(5, 2)))
    windows = lab.pick([1, 2, 4], [1, 2])
    accuracy: dict[str, list[float]] = {}
    change: dict[str, list[float]] = {}
    for window in windows:
        name = "no pooling" if window == 1 else f"max pooling {window}x{window}"
        lab.reseed()
        maps: list[Layer] = [Convolution.sized(16, 5, pad=2), Relu()]
        maps += [Pooling(window, window, stride=window)] if window > 1 else []
        net = Network([*maps, Affine.sized(50), Relu(), Affine.sized(10)], input_dim=(1, 28, 28))
        train(net, Adam(), x, t, lab.steps(600, 3, name))
        accuracy[name], change[name] = [], []
        for shift in shifts:
            moved = _moved(x_test, shift)
            accuracy[name].append(float(np.mean([net.accuracy(m, t_test, 500) for m in moved])))
            few = slice(0, 200)
            before = _through(maps, x_test[few])
            after = [_through(maps, m[few]) for m in moved]
            gaps = [np.linalg.norm(a - before) / np.linalg.norm(before) for a in after]
            change[name].append(float(np.mean(gaps)))
    figure = style.new_figure(10, 3.8, f"Shifted test images, convolution 5x5, {lab.data_name}")
    with style.styled():
        left, right = figure.subplots(1, 2)
        for name, mark, line in zip(accuracy, style.MARKS, style.LINES):
            left.plot(shifts, 100 * np.array(change[name]), mark + line, label=name)
            right.plot(shifts, 100 * np.array(accuracy[name]), mark + line, label=name)
        left.set(ylabel="change of the maps, % of their size", ylim=(0, None))
        left.set_title("Feature maps behind the pooling")
        right.set(ylabel="test accuracy, %", title="The whole net (never trained on shifts)")
        for axes in (left, right):
            axes.set(xlabel="shift in pixels, mean of four directions", xticks=shifts)
        right.legend(loc="lower left")
    first, *others = accuracy
    at_one = ", ".join(f"{100 * change[n][1]:.0f} % with {n}" for n in others)
    right_at = ", ".join(f"{100 * accuracy[n][-1]:.0f} % with {n}" for n in others)
    return Result(
        figure,
        {"shifts": shifts, "change_of_maps": change, "accuracy": accuracy},
        f"A shift by one pixel changes the feature maps by {100 * change[first][1]:.0f} % of their "
        f"size without pooling, by {at_one}, since a maximum often stays within its window. At "
        f"{shifts[-1]} pixels {100 * accuracy[first][-1]:.0f} % of the test images are right "
        f"without pooling, {right_at}: look at how far each curve falls.",
    )


def _moved(x: Array, shift: int) -> list[Array]:
    """The images moved by so many pixels in four directions, with black behind them."""
    if shift == 0:
        return [x]
    padded = np.pad(x, [(0, 0), (0, 0), (shift, shift), (shift, shift)])
    side = x.shape[2]
    corners = ((0, shift), (2 * shift, shift), (shift, 0), (shift, 2 * shift))
    return [padded[:, :, i : i + side, j : j + side] for i, j in corners]


def _through(layers: list[Layer], x: Array) -> Array:
    for layer in layers:
        x = layer(x, False)
    return np.asarray(x)


def batch_inference(lab: Lab) -> Result:
    """Time the book's net 784-50-100-10 on the test images in batches of 1 to all."""
    _, (x, _) = lab.mnist()
    net = MultiLayerNet(784, [50, 100], 10)
    sizes = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if n < len(x)]
    sizes.append(len(x))
    rounds = lab.pick(15, 2)
    seconds = np.empty((rounds, len(sizes)))
    for r in lab.over(range(rounds), "rounds"):
        for j, size in enumerate(sizes):
            count = min(len(x), size * lab.pick(1000, 20))  # the first images are enough for 1
            begin = time.perf_counter()
            for i in range(0, count - size + 1, size):
                net.predict(x[i : i + size])
            seconds[r, j] = (time.perf_counter() - begin) / (count // size * size)
    each = 1e6 * np.median(seconds, axis=0)
    figure = style.new_figure(7.5, 3.8, f"Net 784-50-100-10, {len(x):,} images")
    with style.styled():
        axes = figure.subplots()
        axes.loglog(sizes, each, "o-", color=style.BLUE)
        axes.set(xlabel="batch size", ylabel="microseconds for one image")
        style.plain_ticks(axes.yaxis)
    best = int(each.argmin())
    return Result(
        figure,
        {"batch_sizes": sizes, "microseconds_per_image": each, "speed_up": each[0] / each},
        f"An image takes {each[0]:.1f} microseconds alone and {each[best]:.2f} in batches of "
        f"{sizes[best]:,}, {each[0] / each[best]:.0f} times less; at 100, the book's batch, it is "
        f"{each[sizes.index(100)]:.2f}. Each call costs the same whatever its size, and a matrix "
        "product uses each weight it has fetched for the whole batch: look where the curve becomes "
        "flat.",
    )


def reduced_precision(lab: Lab) -> Result:
    """Round a trained convolutional net's weights to 64, 32, 16 and fewer bits, and test it.

    As in the book only values are rounded (the images too, down to 16 bits); all arithmetic is
    float64. Below 16 bits they are integers times one scale for each array of weights.
    """
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    net = SimpleConvNet(x.shape[1:], dtype=np.float64)
    train(net, Adam(), x, t, lab.steps(1200, 3, "training"))
    exact = {key: value.copy() for key, value in net.params.items()}
    x_test, t_test = x_test[: lab.pick(None, 50)], t_test[: lab.pick(None, 50)]
    numbers: dict[str, list[Any]] = {"bits": [], "accuracy": [], "changed": [], "bytes": []}
    names: list[str] = []
    unrounded: Array | None = None
    for bits in lab.over([64, 32, 16, 8, 6, 5, 4, 3, 2], "bits"):
        images = x_test
        for key, value in exact.items():
            if bits >= 16:
                net.params[key] = value.astype(f"float{bits}").astype(np.float64)
            elif key.startswith("W"):
                net.params[key] = _to_integers(value, bits)
        if bits >= 16:
            images = x_test.astype(f"float{bits}").astype(np.float64)
        batches = [images[i : i + 500] for i in range(0, len(images), 500)]
        says = np.concatenate([net.predict(batch).argmax(axis=1) for batch in batches])
        unrounded = says if unrounded is None else unrounded
        names.append(f"float{bits}" if bits >= 16 else f"{bits} bits")
        numbers["bits"].append(bits)
        numbers["accuracy"].append(float(np.mean(says == t_test)))
        numbers["changed"].append(int(np.sum(says != unrounded)))
        numbers["bytes"].append(sum(value.size for value in exact.values()) * bits // 8)
    accuracy = 100 * np.array(numbers["accuracy"])
    figure = style.new_figure(
        10, 3.8, f"SimpleConvNet on {len(x_test):,} images of {lab.data_name}, rounded weights"
    )
    with style.styled():
        left, right = figure.subplots(1, 2)
        for axes, values, what in (
            (left, accuracy, "test accuracy, %"),
            (right, numbers["changed"], "answers that rounding changed"),
        ):
            axes.bar(names, values, color=[style.BLUE] * 3 + [style.SKY] * 6)
            for i, value in enumerate(values):
                text = f"{value:.2f}" if axes is left else f"{value:,}"
                axes.annotate(text, (i, value), ha="center", va="bottom", fontsize=7.5)
            axes.set(ylabel=what)
            axes.tick_params(axis="x", rotation=40)
        left.set_title("Dark: floating point; light: integers times a scale")
        right.set_title(f"Of {len(x_test):,}, against float64")
    return Result(
        figure,
        numbers,
        f"Rounded to 32 and to 16 bits the net gets {accuracy[1]:.2f} % and {accuracy[2]:.2f} % of "
        f"the test images right, against {accuracy[0]:.2f} % with 64: {numbers['changed'][2]} of "
        f"{len(x_test):,} answers differ at 16 bits. Whole numbers of 8 bits and one scale for "
        f"each array of weights give {accuracy[3]:.2f} % in an eighth of float64's memory, 4 bits "
        f"{accuracy[6]:.2f} % and 2 bits {accuracy[8]:.2f} %.",
    )


def _to_integers(W: Array, bits: int) -> Array:
    """Return W rounded to whole multiples, at most 2^(bits-1) - 1, of one scale."""
    scale = np.abs(W).max() / (2 ** (bits - 1) - 1)
    return np.asarray(np.round(W / scale) * scale)
