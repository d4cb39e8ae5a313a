"""Batch normalisation: against the scale of the initial weights, and where it is placed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Affine, BatchNormalization, Layer, Relu, Sequential
from pynet.networks import MultiLayerNetExtend, Network
from pynet.optimizers import SGD
from pynet.viz import style

_NAMES = {True: "with batch norm", False: "without"}


def batch_norm_scales(lab: Lab) -> Result:
    """Train the book's net on 1,000 images from 16 weight scales, with and without batch norm."""
    (x, t), _ = lab.mnist()
    samples, epochs = lab.pick(1000, 200), lab.pick(20, 2)
    x, t = x[:samples], t[:samples]
    scales = np.logspace(0, -4, num=lab.pick(16, 2))
    curves: dict[str, list[list[float]]] = {name: [] for name in _NAMES.values()}
    for scale in lab.over(scales, "weight scales"):
        for use, name in _NAMES.items():
            lab.reseed()  # the same batches for both
            curves[name].append(_accuracies(x, t, float(scale), use, epochs))
    figure = style.new_figure(
        11, 9, f"Training accuracy, 5 x 100 neurons, {samples} images of {lab.data_name}"
    )
    with style.styled():
        grid = figure.subplots(4, 4, sharex=True, sharey=True)
        for i, (axes, scale) in enumerate(zip(grid.flat, scales)):
            axes.plot(range(1, epochs + 1), curves["with batch norm"][i], "-", color=style.BLUE)
            axes.plot(range(1, epochs + 1), curves["without"][i], "--", color=style.ORANGE)
            axes.set(title=f"weights of std {scale:.2g}", ylim=(0, 1.03))
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
        for axes in grid[:, 0]:
            axes.set_ylabel("accuracy")
        figure.legend(
            grid.flat[0].lines, list(_NAMES.values()), loc="outside lower center", ncols=2
        )
    best = {name: [max(curve) for curve in of_scale] for name, of_scale in curves.items()}
    learned = sum(accuracy >= 0.3 for accuracy in best["with batch norm"])
    learned_without = sum(accuracy >= 0.3 for accuracy in best["without"])
    stuck = sum(accuracy < 0.2 for accuracy in best["without"])
    return Result(
        figure,
        {
            "scales": scales,
            "epochs": epochs,
            "best": best,
            "final": {name: [c[-1] for c in of_scale] for name, of_scale in curves.items()},
            "curves": curves,
            "with_batch_norm_at_least_0.3": learned,
            "without_below_0.2": stuck,
        },
        "With batch normalisation (solid) the training accuracy reaches 0.3 at "
        f"{learned} of {len(scales)} scales of the initial weights, at worst "
        f"{min(best['with batch norm']):.2f}; without it (dashed) at {learned_without}, and "
        f"{stuck} nets never reach 0.2. Weights that are too small let the signal die out on its "
        "way through the layers, weights that are too large let it explode: normalising it in "
        "every layer takes most of that choice away.",
    )


def _accuracies(x: Array, t: Array, scale: float, use_batchnorm: bool, epochs: int) -> list[float]:
    """The training accuracy after each epoch of the book's net."""
    net = MultiLayerNetExtend(
        x.shape[1], [100] * 5, 10, weight_init_std=scale, use_batchnorm=use_batchnorm
    )
    optimizer, updates = SGD(lr=0.01), max(len(x) // 100, 1)
    accuracies = []
    for _ in range(epochs):
        train(net, optimizer, x, t, range(updates), 100)
        accuracies.append(net.accuracy(x, t))
    return accuracies


_PLACES: dict[str, Callable[[], list[Layer]]] = {
    "none": lambda: [Relu()],
    "before the activation": lambda: [BatchNormalization.sized(), Relu()],
    "after the activation": lambda: [Relu(), BatchNormalization.sized()],
}


def batch_norm_placement(lab: Lab) -> Result:
    """Train a net of five hidden layers without batch norm, with it before, and after ReLU."""
    (x, t), (x_test, t_test) = lab.mnist()
    samples, epochs, seeds = lab.pick(5000, 200), lab.pick(8, 2), lab.pick(3, 1)
    x, t = x[:samples], t[:samples]
    losses: dict[str, list[list[float]]] = {name: [] for name in _PLACES}
    accuracies: dict[str, list[list[float]]] = {name: [] for name in _PLACES}
    for name, place in lab.over(_PLACES.items(), "places"):
        for seed in range(seeds):
            lab.reseed(seed)
            hidden = [layer for _ in range(5) for layer in (Affine.sized(100), *place())]
            net = Network(Sequential(*hidden, Affine.sized(10)), input_dim=(x.shape[1],))
            optimizer, updates = SGD(lr=0.05), max(samples // 100, 1)
            loss, accuracy = [], []
            for _ in range(epochs):
                steps = train(net, optimizer, x, t, range(updates), 100)
                loss.append(float(np.mean(steps)))
                accuracy.append(net.accuracy(x_test, t_test))
            losses[name].append(loss)
            accuracies[name].append(accuracy)
    figure = style.new_figure(
        9.5, 3.9, f"Batch normalisation in 5 x 100 neurons, {samples} images of {lab.data_name}"
    )
    with style.styled():
        left, right = figure.subplots(1, 2)
        for i, name in enumerate(_PLACES):
            look = {"color": style.COLOURS[i], "label": name}
            line, ticks = style.LINES[i] + style.MARKS[i], range(1, epochs + 1)
            left.plot(ticks, np.mean(losses[name], axis=0), line, **look)
            right.plot(ticks, 100 * np.mean(accuracies[name], axis=0), line, **look)
        left.set(xlabel="epoch", ylabel="training loss", yscale="log")
        right.set(xlabel="epoch", ylabel="% of the test images right")
        right.legend(title="batch norm", loc="lower right")
    loss_at_end = {name: float(np.mean([run[-1] for run in losses[name]])) for name in _PLACES}
    right_at_end = {name: float(np.mean([run[-1] for run in accuracies[name]])) for name in _PLACES}
    fastest = min(loss_at_end, key=lambda name: loss_at_end[name])
    best = max(right_at_end, key=lambda name: right_at_end[name])
    figures = ", ".join(f"{name} {loss_at_end[name]:.2g}" for name in _PLACES)
    return Result(
        figure,
        {
            "samples": samples,
            "epochs": epochs,
            "seeds": seeds,
            "training_loss": losses,
            "test_accuracy": accuracies,
            "loss_at_end": loss_at_end,
            "accuracy_at_end": right_at_end,
        },
        f"After {epochs} epochs the training loss is, by the place of batch normalisation, "
        f"{figures} (mean of {seeds} runs): least with {fastest}. On the test images {best} is "
        f"best with {100 * right_at_end[best]:.1f} %: sources recommend either place, and which "
        "one wins depends on the task.",
    )
