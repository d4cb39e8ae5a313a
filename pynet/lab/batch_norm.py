"""Batch normalisation against the scale of the initial weights."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.networks import MultiLayerNetExtend
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
