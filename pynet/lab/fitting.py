"""Under- and over-fitting, and what helps: penalties, dropout, more data."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import Array
from pynet.functions import softmax
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Affine, IdentityWithLoss, Layer, Tanh
from pynet.networks import MultiLayerNet, MultiLayerNetExtend, Network
from pynet.optimizers import SGD, Adam
from pynet.penalties import L1, L2, Elastic
from pynet.viz import style


def capacity(lab: Lab) -> Result:
    """Fit 30 noisy points of a sine with a net of 1 hidden neuron, of 4, and of 2 x 100."""

    def sample(x: Array) -> tuple[Array, Array]:
        return x[:, None], np.sin(1.5 * np.pi * x[:, None]) + np.random.normal(0, 0.3, (len(x), 1))

    x, t = sample(np.linspace(-1, 1, 30))
    x_val, t_val = sample(np.random.uniform(-1, 1, 300))
    sizes = {
        "too small: 1 neuron": [1],
        "right: 4 neurons": [4],
        "too large: 100 and 100": [100, 100],
    }
    wanted = np.unique(np.geomspace(1, lab.pick(8000, 20), 60).astype(int))
    numbers: dict[str, Any] = {"steps": wanted}
    ticks = np.linspace(-1, 1, 400)[:, None]
    figure = style.new_figure(13, 6.2, "30 points of a sine with noise, and nets of three sizes")
    with style.styled():
        panels = figure.subplots(2, 3, sharey="row")
        for (name, hidden), fit, curve in zip(sizes.items(), *panels):
            layers: list[Layer] = []
            for n in hidden:
                layers += [Affine.sized(n, init=_steep), Tanh()]
            net = Network(
                [*layers, Affine.sized(1, init="xavier")], IdentityWithLoss(), input_dim=(1,)
            )
            losses: list[tuple[float, float]] = []

            def measure(
                step: int, net: Network = net, losses: list[tuple[float, float]] = losses
            ) -> None:
                if step + 1 in wanted:
                    losses.append((2 * net.loss(x, t), 2 * net.loss(x_val, t_val)))

            train(net, Adam(lr=0.005), x, t, lab.steps(8000, 20, name), after=measure)
            training, validation = np.array(losses).T
            numbers[name] = {"training": training, "validation": validation}
            fit.plot(x_val, t_val, ".", color="#C8C8C8", markersize=4, label="validation points")
            fit.plot(x, t, "o", color=style.BLACK, label="training points")
            fit.plot(ticks, net.predict(ticks), "-", color=style.ORANGE, label="net")
            fit.set(title=name, xlabel="x", ylim=(-2, 2))
            curve.loglog(wanted, training, "-", color=style.BLUE, label="training")
            curve.loglog(wanted, validation, "--", color=style.ORANGE, label="validation")
            curve.axhline(0.09, color=style.GRAY, linestyle=":", label="the noise itself")
            curve.set(xlabel="step", ylim=(1e-5, 5))
        panels[0, 0].set_ylabel("target")
        panels[1, 0].set_ylabel("mean squared error")
        for axes in panels[:, 2]:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    last = {name: {k: float(v[-1]) for k, v in numbers[name].items()} for name in sizes}
    small, right, large = last.values()
    best = float(numbers["too large: 100 and 100"]["validation"].min())
    return Result(
        figure,
        numbers,
        "The small net ends with errors far above the noise on both sets (training "
        f"{small['training']:.2f}, validation {small['validation']:.2f}): under-fitting; the right "
        f"one with {right['training']:.2f} and {right['validation']:.2f}; the large one runs "
        f"through the points, {large['training']:.3f} against {large['validation']:.2f}: "
        f"over-fitting. Look at its validation curve: at its lowest it was {best:.2f}, "
        f"{large['validation'] / best:.1f} times lower than at the end, which is why one stops "
        "early.",
    )


def _steep(shape: tuple[int, ...]) -> Array:
    """Weights three times as large as Xavier's, so that a net can bend sharply."""
    return np.random.normal(0, 3 / np.sqrt(shape[0]), shape)


def overfitting(lab: Lab) -> Result:
    """Train the book's 7-layer net on 300 images, then with one remedy at a time.

    SGD with rate 0.01, batches of 100, 301 epochs of 3 updates each, and the mean of three seeds.
    """
    (x, t), (x_test, t_test) = lab.mnist()
    few, many = lab.pick((300, 3000), (100, 200))
    dropout = {"use_dropout": True, "dropout_ration": 0.2}
    runs: dict[str, tuple[dict[str, Any], Elastic | None, int]] = {  # the net, penalty, images
        "no remedy": ({}, None, few),
        "weight decay 0.1 (L2)": ({}, L2(0.1), few),
        "L1 penalty 0.01": ({}, L1(0.01), few),
        "dropout 0.2": (dropout, None, few),
        f"{many // few} times the data": ({}, None, many),
    }
    epochs, seeds = lab.pick(301, 3), lab.pick(3, 1)
    wanted = [e for e in range(epochs) if e % 10 == 0]
    curves: dict[str, Array] = {}
    for name, (options, penalty, count) in runs.items():
        each = []
        for seed in range(seeds):
            lab.reseed(seed)
            net = MultiLayerNetExtend(784, [100] * lab.pick(6, 2), 10, **options)
            net.penalty = penalty
            history: list[tuple[float, float]] = []

            def measure(
                step: int,
                net: Network = net,
                count: int = count,
                history: list[tuple[float, float]] = history,
            ) -> None:
                if step % 3 == 0 and step // 3 in wanted:
                    history.append(
                        (net.accuracy(x[:count], t[:count]), net.accuracy(x_test, t_test, 1000))
                    )

            train(
                *(net, SGD(lr=0.01), x[:count], t[:count]),
                lab.over(range(3 * epochs), f"{name}, seed {lab.seed + seed}"),
                after=measure,
            )
            each.append(history)
        curves[name] = np.array(each)  # (seeds, epochs measured, 2)
    gaps = {name: curve[:, -1, 0] - curve[:, -1, 1] for name, curve in curves.items()}
    figure = style.new_figure(
        14, 3.8, f"{few} images of {lab.data_name}, net 784-[100]x6-10: accuracy by epoch"
    )
    with style.styled():
        panels = figure.subplots(1, len(runs), sharey=True)
        for axes, (name, curve) in zip(panels, curves.items()):
            sides = (("training", style.BLUE, "-"), ("test", style.ORANGE, "--"))
            for i, (label, colour, line) in enumerate(sides):
                for run in curve:
                    axes.plot(wanted, 100 * run[:, i], line, color=colour, linewidth=0.5)
                mean = 100 * curve[:, :, i].mean(axis=0)
                axes.plot(wanted, mean, line, color=colour, linewidth=2, label=label)
            gap = 100 * gaps[name].mean()
            axes.set(title=f"{name}\ngap at the end: {gap:.1f} points", xlabel="epoch")
        panels[0].set(ylabel="accuracy, %", ylim=(0, 103))
        panels[0].legend(loc="lower right")
    first, *others = gaps
    every = [name for name in others if np.all(gaps[name] < gaps[first])]
    ends = curves[first][:, -1].mean(axis=0)
    report = ", ".join(f"{100 * gaps[name].mean():.1f} with {name}" for name in others)
    return Result(
        figure,
        {
            "epochs": wanted,
            "training": {name: curve[:, :, 0] for name, curve in curves.items()},
            "test": {name: curve[:, :, 1] for name, curve in curves.items()},
            "final_training": {name: curve[:, -1, 0] for name, curve in curves.items()},
            "final_test": {name: curve[:, -1, 1] for name, curve in curves.items()},
            "final_gap": gaps,
            "smaller_gap_in_every_seed": every,
        },
        f"With {few} images the net ends with {100 * ends[0]:.1f} % of them right and "
        f"{100 * ends[1]:.1f} % of the test images, a gap of {100 * gaps[first].mean():.1f} "
        f"points. The gap becomes {report} (means of {seeds}; "
        f"smaller for every seed: {', '.join(every) or 'none'}), but look at the height of the "
        "orange line too: a small gap is worth little where both lines are low.",
    )


def weight_sparsity(lab: Lab) -> Result:
    """Train a net without penalty, with L2 and with L1, and look at its first weights."""
    (x, t), (x_test, t_test) = lab.mnist()
    x, t = x[:5000], t[:5000]
    kinds = {"no penalty": None, "L2, 0.01": L2(0.01), "L1, 0.001": L1(0.001)}
    zero = 0.001
    figure = style.new_figure(11, 3.6, f"Weights W1 of a net 784-50-10 on 5,000 of {lab.data_name}")
    share, accuracy = {}, {}
    with style.styled():
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (name, penalty) in zip(panels, kinds.items()):
            lab.reseed()
            net = MultiLayerNet(784, [50], 10)
            net.penalty = penalty
            train(net, SGD(lr=0.1), x, t, lab.steps(3000, 10, name))
            W = np.abs(net.params["W1"].ravel())
            share[name] = float(np.mean(W < zero))
            accuracy[name] = net.accuracy(x_test, t_test)
            bins = np.geomspace(1e-6, 2, 50)
            axes.hist(np.clip(W, 1e-6, None), bins, color=style.BLUE)
            axes.axvline(zero, color=style.BLACK, linestyle="--", linewidth=1)
            axes.set(xscale="log", xlabel="|w|")
            axes.set_title(f"{name}: {100 * share[name]:.1f} % below {zero:g}")
        panels[0].set_ylabel("weights")
    none, l2_name, l1_name = kinds
    return Result(
        figure,
        {"share_below_0.001": share, "test_accuracy": accuracy},
        f"The L1 penalty pulls every weight by the same force until it hovers about 0: "
        f"{100 * share[l1_name]:.0f} % of the weights are smaller than {zero:g} (left of the "
        f"dashed line), against {100 * share[none]:.0f} % without a penalty and "
        f"{100 * share[l2_name]:.0f} % with L2, which pulls large weights most. The test "
        f"accuracies are {100 * accuracy[none]:.1f} % without, {100 * accuracy[l2_name]:.1f} % "
        f"with L2 and {100 * accuracy[l1_name]:.1f} % with L1.",
    )


def dropout_ensemble(lab: Lab) -> Result:
    """Average a dropout net's outputs over more and more random masks, and compare.

    With what: the same net with all neurons, scaled by 1 - ratio, as it is used after training.
    """
    (x, t), (x_test, t_test) = lab.mnist()
    x, t, x_test, t_test = x[:5000], t[:5000], x_test[:2000], t_test[:2000]
    net = MultiLayerNetExtend(784, [200, 200], 10, use_dropout=True, dropout_ration=0.5)
    train(net, Adam(), x, t, lab.steps(1500, 5, "training"))
    scores = net.predict(x_test)
    scaled = softmax(scores)
    counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000][: lab.pick(None, 3)]
    sums = {"scores": np.zeros_like(scores), "probabilities": np.zeros_like(scores)}
    gaps: dict[str, list[float]] = {kind: [] for kind in sums}
    accuracy: list[float] = []
    for step in lab.steps(1000, 5, "masks"):
        thinned = net.predict(x_test, True)
        sums["scores"] += thinned
        sums["probabilities"] += softmax(thinned)
        if step + 1 in counts:
            means = {kind: total / (step + 1) for kind, total in sums.items()}
            means["scores"] = softmax(means["scores"])
            for kind, mean in means.items():
                gaps[kind].append(float(np.abs(mean - scaled).mean()))
            accuracy.append(float(np.mean(means["probabilities"].argmax(axis=1) == t_test)))
    of_scaled = float(np.mean(scaled.argmax(axis=1) == t_test))
    agree = means["probabilities"].argmax(axis=1) == scaled.argmax(axis=1)
    figure = style.new_figure(10, 3.7, f"Dropout 0.5, net 784-200-200-10, {lab.data_name}")
    with style.styled():
        left, right = figure.subplots(1, 2)
        for (kind, gap), mark in zip(gaps.items(), ("o-", "s--")):
            left.plot(counts, gap, mark, label=f"average of the {kind}")
        left.set(xscale="log", xlabel="masks averaged", ylim=(0, None))
        left.set(ylabel="mean difference of a probability", title="From the scaled net's output")
        left.legend(loc="lower left")
        right.plot(counts, 100 * np.array(accuracy), "s--", color=style.ORANGE, label="average")
        right.axhline(100 * of_scaled, color=style.BLACK, linestyle=":", label="scaled net")
        right.set(xscale="log", xlabel="masks averaged", ylabel="test accuracy, %")
        right.set_title("As a classifier (average of the probabilities)")
        right.legend(loc="lower right")
    return Result(
        figure,
        {
            "masks": counts,
            "mean_difference": gaps,
            "accuracy": accuracy,
            "accuracy_of_scaled_net": of_scaled,
            "same_class": float(agree.mean()),
        },
        f"A net thinned by one random mask gets {100 * accuracy[0]:.1f} % right, the average of "
        f"{counts[-1]:,} of them {100 * accuracy[-1]:.1f} %: an ensemble that shares its weights. "
        f"One pass with all neurons, scaled by the keep ratio, stands in for it: "
        f"{100 * of_scaled:.1f} % right, the same class for {100 * agree.mean():.1f} % of the "
        f"images, and probabilities that differ by {gaps['scores'][-1]:.4f} on average from those "
        f"of the averaged scores ({gaps['scores'][0]:.4f} from those of one mask).",
    )
