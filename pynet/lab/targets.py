"""What training may aim at: the losses and their slopes, and why not at accuracy."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.losses import (
    Hinge,
    Huber,
    LogCosh,
    LossLayer,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidWithLoss,
    SquaredHinge,
)
from pynet.networks import TwoLayerNet
from pynet.optimizers import SGD
from pynet.viz import style


def accuracy_as_target(lab: Lab) -> Result:
    """Move single weights of a net that has learnt a little: what do accuracy and loss do?"""
    (x, t), _ = lab.mnist()
    x, t = x[:100], t[:100]
    net = TwoLayerNet(784, 20, 10, dtype=np.float64)
    # Some way down, so that a part of the images is right.
    steps = train(net, SGD(lr=0.1), x, t, lab.steps(60, quick=3, what="first steps"))

    h = 1e-4
    count = lab.pick(600, 20)
    changed = {"loss": 0, "accuracy": 0}
    slopes: dict[str, list[float]] = {"loss": [], "accuracy": []}
    flat = [(key, i) for key, param in net.params.items() for i in np.ndindex(param.shape)]
    # Weights of pixels that no image uses change nothing at all.
    used = np.asarray(x.any(axis=0))
    flat = [(key, i) for key, i in flat if key != "W1" or used[i[0]]]
    chosen = np.random.default_rng(lab.seed).choice(len(flat), min(count, len(flat)), replace=False)
    for number in lab.over(chosen.tolist(), "differences"):
        key, i = flat[number]
        above, below = (_at(net, key, i, step, x, t) for step in (h, -h))
        for name in changed:
            slope = (above[name] - below[name]) / (2 * h)
            slopes[name].append(abs(slope))
            changed[name] += slope != 0

    # Along the one weight with the largest derivative of the loss, far more than training moves it.
    key, i = flat[int(chosen[int(np.argmax(slopes["loss"]))])]
    path = np.linspace(-1, 1, lab.pick(401, 41))
    values = [_at(net, key, i, float(step), x, t) for step in path]
    start = _at(net, key, i, 0.0, x, t)
    nearby = _at(net, key, i, 0.01, x, t)

    figure = style.new_figure(9.5, 3.8, f"Accuracy as a target: 100 images ({lab.data_name})")
    with style.styled():
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.2, 1.2, 0.9])
        for axes, name, colour in ((left, "accuracy", style.ORANGE), (middle, "loss", style.BLUE)):
            axes.plot(path, [value[name] for value in values], "-", color=colour)
            axes.set(title=f"{name} along one weight", xlabel="change of the weight", ylabel=name)
        shares = [100 * changed[name] / len(chosen) for name in ("accuracy", "loss")]
        bars = right.bar(["accuracy", "loss"], shares, color=[style.ORANGE, style.BLUE], width=0.6)
        right.bar_label(bars, [f"{share:.1f} %" for share in shares], padding=2)
        right.set(title="derivative not 0", ylabel="share of the weights, %", ylim=(0, 112))
        right.grid(False, axis="x")
    return Result(
        figure,
        {
            "weights": len(chosen),
            "h": h,
            "derivative_not_0": changed,
            "mean_size_of_derivative": {k: float(np.mean(v)) for k, v in slopes.items()},
            "weight": f"{key}{list(i)}",
            "start": start,
            "after_0.01": nearby,
            "path": path,
            "accuracy": [value["accuracy"] for value in values],
            "loss": [value["loss"] for value in values],
            "training_loss": steps,
        },
        f"Of {len(chosen)} weights moved by {h:g}, {changed['accuracy']} change the accuracy and "
        f"{changed['loss']} the loss: accuracy is a staircase whose derivative is 0 almost "
        "everywhere, so it says neither which way to go nor how far. One weight moved by 0.01 "
        f"takes the accuracy from {100 * start['accuracy']:.0f} % to "
        f"{100 * nearby['accuracy']:.0f} %, and the loss from {start['loss']:.5f} to "
        f"{nearby['loss']:.5f}.",
    )


def _at(
    net: TwoLayerNet, key: str, i: tuple[int, ...], step: float, x: Array, t: Array
) -> dict[str, float]:
    """Loss and accuracy with one weight moved."""
    value = net.params[key][i]
    net.params[key][i] = value + step
    loss = net.loss(x, t)
    right = net.last_layer.y.argmax(axis=1) == t
    net.params[key][i] = value
    return {"loss": loss, "accuracy": float(np.mean(right))}


def losses(lab: Lab) -> Result:
    """Draw the losses of regression over the error, those of two classes over the margin."""
    error, margin = np.linspace(-3, 3, 601), np.linspace(-2.5, 2.5, 501)
    one = np.ones((1, 1))
    families: tuple[tuple[str, Array, Array, dict[str, LossLayer]], ...] = (
        (
            "error y − t",
            error,
            0 * one,
            {
                "squared": MeanSquaredError(),
                "absolute": MeanAbsoluteError(),
                "Huber, δ = 1": Huber(),
                "log-cosh": LogCosh(),
            },
        ),
        (
            "margin: the score of a sample of class 1",
            margin,
            one,
            {"hinge": Hinge(), "squared hinge": SquaredHinge(), "logistic": SigmoidWithLoss()},
        ),
    )
    figure = style.new_figure(9.5, 6.4, "What an error costs, and how hard it pulls")
    numbers: dict[str, dict[str, list[float]]] = {}
    with style.styled():
        rows = figure.subplots(2, 2)
        for (label, points, t, layers), axes in zip(families, rows.T):
            for (name, layer), colour, line in zip(layers.items(), style.COLOURS, style.LINES):
                values, slopes = [], []
                for point in points:
                    values.append(layer.forward(np.array([[point]]), t))
                    slopes.append(float(layer.backward()[0, 0]))
                for each, curve in zip(axes, (values, slopes)):
                    each.plot(points, curve, line, color=colour, label=name)
                numbers[name] = {"x": points.tolist(), "loss": values, "slope": slopes}
            if t[0, 0]:
                wrong = (points < 0).astype(float)
                axes[0].step(points, wrong, color=style.GRAY, where="mid", label="error (0 or 1)")
            axes[0].set(ylabel="loss", xlabel=label, ylim=(-0.2, 4.5))
            axes[1].set(ylabel="slope", xlabel=label, ylim=(-4.5, 4.5 if not t[0, 0] else 0.6))
            axes[0].legend(loc="upper center" if not t[0, 0] else "upper right")
    pull = {name: abs(numbers[name]["slope"][-1]) for name in ("squared", "Huber, δ = 1")}
    return Result(
        figure,
        numbers,
        f"An outlier with an error of 3 pulls with {pull['squared']:g} under the squared loss and "
        f"with {pull['Huber, δ = 1']:g} under Huber's, which near 0 is a parabola like it and far "
        "out a straight line like the absolute loss. On the right a sample is right where its "
        "margin is above 0: hinge asks for 1 and then rests, the logistic loss never quite does, "
        "and the count of errors in gray has a slope of 0 everywhere, so nothing to follow.",
    )
