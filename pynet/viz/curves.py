"""The curves of a training run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pynet.serialization.files import PathLike
from pynet.util import smooth_curve
from pynet.viz.style import BLUE, GRAY, GREEN, ORANGE, new_figure, save_figure, styled


def save_curves(
    path: PathLike,
    losses: Sequence[float],
    steps: Sequence[int],
    train_acc: Sequence[float],
    test_acc: Sequence[float],
    title: str = "",
    validation_acc: Sequence[float] = (),
) -> None:
    """Draw loss and accuracy over the steps of a run and write them as a PNG, atomically.

    Args:
        path: the file.
        losses: of each step.
        steps: how many steps were done at each measurement of accuracy.
        train_acc: the accuracies then, of the training data.
        test_acc: those of the test data.
        title: above the picture.
        validation_acc: those of validation data, where there are some.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file could not be written.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure = new_figure(title=title)
    with styled():
        left, right = figure.subplots(1, 2)

    numbers = np.arange(1, len(losses) + 1)
    left.plot(numbers, losses, color=GRAY, linewidth=0.6, alpha=0.7, label="each step")
    if len(losses) >= 11:
        left.plot(numbers, smooth_curve(losses), color=BLUE, linewidth=1.6, label="smoothed")
    left.set_ylabel("training loss")
    if losses and min(losses) > 0:
        left.set_yscale("log")
    left.legend()

    style = {"linewidth": 1.6, "markersize": 4}
    marks = max(1, len(steps) // 20)
    right.plot(steps, train_acc, "o-", color=BLUE, label="training", markevery=marks, **style)
    right.plot(steps, test_acc, "s--", color=ORANGE, label="test", markevery=marks, **style)
    if len(validation_acc):
        label = "validation"
        right.plot(steps, validation_acc, "^-.", color=GREEN, label=label, markevery=marks, **style)
    right.set_ylabel("accuracy")
    right.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    if test_acc and not len(validation_acc):  # whose line it would cross
        right.annotate(
            f"{100 * test_acc[-1]:.2f} %",
            (steps[-1], test_acc[-1]),
            xytext=(0, -14),
            textcoords="offset points",
            ha="right",
            color=ORANGE,
        )
    right.legend(loc="lower right")

    for axes in (left, right):
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_xlim(0, max(len(losses), 1) * 1.02)
    save_figure(path, figure, op="save_curves")
