"""What a trained net gets wrong."""

from __future__ import annotations

import numpy as np

from pynet import metrics, ops
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.networks import SimpleConvNet
from pynet.optimizers import Adam
from pynet.viz import style
from pynet.viz.confusion import draw_confusion


def misclassified(lab: Lab) -> Result:
    """Train a small convolutional net and show the test images that it reads wrongly."""
    (x, t), (x_test, t_test) = lab.mnist(flatten=False)
    net = SimpleConvNet((1, 28, 28), {"filter_num": 16, "filter_size": 5, "pad": 0, "stride": 1})
    train(net, Adam(lr=0.001), x, t, lab.steps(2400, quick=2, what="training"))
    scores = np.concatenate([net.predict(x_test[i : i + 500]) for i in range(0, len(x_test), 500)])
    y = ops.softmax(scores)
    said = y.argmax(axis=1)
    accuracy = metrics.accuracy(t_test, said)
    matrix = metrics.confusion_matrix(t_test, said, classes=10)
    wrong = np.flatnonzero(said != t_test)
    # The surest errors first: those say most about the net, or about the label.
    wrong = wrong[np.argsort(-y[wrong, said[wrong]], kind="stable")]
    shown = wrong[:24]

    figure = style.new_figure(10.5, 5.2, f"{len(wrong)} of {len(t_test)} test images are misread")
    with style.styled():
        left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])
        left.suptitle("the surest errors: label → what the net says", fontsize=10)
        grid = left.subplots(4, 6)
        for axes in grid.flat:
            axes.axis("off")
        for axes, i in zip(grid.flat, shown):
            axes.imshow(x_test[i, 0], cmap="gray_r", vmin=0, vmax=1)
            sure = 100 * y[i, said[i]]
            axes.set_title(f"{t_test[i]} → {said[i]}   {sure:.0f} %", fontsize=8.5, pad=3)
        right.suptitle("all test images", fontsize=10)
        draw_confusion(right.subplots(), matrix)
    pairs = matrix - np.diag(np.diag(matrix))
    label, answer = np.unravel_index(pairs.argmax(), pairs.shape)
    return Result(
        figure,
        {
            "data": lab.data_name,
            "accuracy": accuracy,
            "wrong": len(wrong),
            "of": len(t_test),
            "confusion_matrix": matrix,
            "shown": [
                {
                    "index": int(i),
                    "label": int(t_test[i]),
                    "said": int(said[i]),
                    "probability": float(y[i, said[i]]),
                }
                for i in shown
            ],
            "f1": metrics.f1(t_test, said, None),
        },
        f"The net reads {100 * accuracy:.2f} % of {len(t_test)} test images; on the left are the "
        f"{len(shown)} errors it was surest of, each with its label and the net's answer. On "
        "the right are all of them, a row for each label: the commonest "
        f"error is to say {answer} for {label}, {pairs.max()} times.",
    )
