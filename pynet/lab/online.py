"""Online against batch training: one sample per update, ten, or all."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet.lab.experiment import Lab, Result
from pynet.lab.small_sets import SmallSet, small_sets
from pynet.layers import Affine, Tanh
from pynet.loader import batches
from pynet.networks import Network
from pynet.optimizers import SGD
from pynet.viz import style

_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
_COLUMNS = ("online (1)", "10", "batch (all)")


def online_against_batch(lab: Lab) -> Result:
    """Train a small net on 24 sets with three batch sizes, as Wilson and Martinez did.

    Source: Wilson and Martinez, "The General Inefficiency of Batch Training for Gradient Descent
    Learning", 2003.
    """
    epochs, seeds = lab.pick(20, 1), lab.pick(3, 1)
    rates = lab.pick(_RATES, _RATES[2:3])
    rows = {}
    for each in lab.over(small_sets(lab.seed, lab.pick(None, 2)), "sets"):
        accuracies, chosen = [], []
        for size in (1, 10, len(each.train[0])):
            # The rate that suits this set and this batch size, chosen on validation data.
            scores = {
                rate: _train(lab, each, size, rate, epochs, 0).accuracy(*each.validation)
                for rate in rates
            }
            rate = max(scores, key=lambda rate: scores[rate])
            nets = [_train(lab, each, size, rate, epochs, seed) for seed in range(seeds)]
            accuracies.append(100 * float(np.mean([net.accuracy(*each.test) for net in nets])))
            chosen.append(rate)
        rows[each.name] = {
            "generated": each.generated,
            "samples": sum(len(x) for x, _ in (each.train, each.validation, each.test)),
            "test_accuracy": accuracies,
            "learning_rate": chosen,
        }
    table = np.array([row["test_accuracy"] for row in rows.values()])
    real = np.array([not row["generated"] for row in rows.values()])
    means = table.mean(axis=0)
    best = [int(np.sum(table[:, i] >= table.max(axis=1) - 1e-9)) for i in range(3)]
    title = (
        f"Test accuracy after {epochs} epochs by batch size, %, mean of {seeds} runs; shaded: best"
    )
    figure = style.new_figure(8.5, 0.27 * (len(rows) + 5), title)
    _draw(figure, rows, table, real)
    i = int(means.argmax())
    return Result(
        figure,
        {
            "columns": _COLUMNS,
            "sets": rows,
            "mean": means,
            "mean_of_real_sets": table[real].mean(axis=0),
            "mean_of_generated_sets": table[~real].mean(axis=0),
            "best_on_so_many_sets": best,
        },
        f"Over {len(rows)} sets, {real.sum()} real and {(~real).sum()} generated, the mean "
        f"test accuracy after {epochs} epochs is {means[0]:.1f} % online, {means[1]:.1f} % with "
        f"batches of 10 and {means[2]:.1f} % with the full batch, which makes one update an epoch; "
        f"each with the learning rate that suits it, {_COLUMNS[i]} is the best on average. "
        f"It is the best, or as good as the best, on {best[i]} sets (online on {best[0]}, 10 on "
        f"{best[1]}, full batch on {best[2]}).",
    )


def _train(lab: Lab, data: SmallSet, size: int, rate: float, epochs: int, seed: int) -> Network:
    lab.reseed(seed)
    x, t = data.train
    classes = int(max(part[1].max() for part in (data.train, data.validation, data.test))) + 1
    net = Network([Affine.sized(10), Tanh(), Affine.sized(classes)], input_dim=x.shape[1:])
    optimizer = SGD(rate)
    loader = batches(x, t, size)
    for _ in range(epochs):
        for rows, labels in loader:
            optimizer.update(net.params, net.gradient(rows, labels))
    return net


def _draw(figure: Any, rows: dict[str, Any], table: Any, real: Any) -> None:
    lines: list[tuple[str, Any]] = [
        (f"{name} ({row['samples']})", values) for (name, row), values in zip(rows.items(), table)
    ]
    count = int(real.sum())
    lines.insert(count, ("mean of the real sets", table[real].mean(axis=0)))
    lines += [
        ("mean of the generated sets", table[~real].mean(axis=0)),
        ("mean of all", table.mean(axis=0)),
    ]
    axes = figure.subplots()
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(len(lines) + 2.6, -0.6))
    places = (0.62, 0.78, 0.94)
    for column, place in zip(_COLUMNS, places):
        axes.text(place, 0, column, ha="right", weight="bold", fontsize=9)
    y = 0.0
    for i, (name, values) in enumerate(lines):
        if i in (0, count + 1):
            y += 1
            axes.text(0, y, ("real", "generated")[i > 0], weight="bold", style="italic", fontsize=9)
        y += 1
        mean = name.startswith("mean")
        if mean:
            axes.axhline(y - 0.75, color=style.GRAY, linewidth=0.6)
        axes.text(0.02, y, name, fontsize=9, weight="bold" if mean else "normal")
        for value, place in zip(values, places):
            top = value >= max(values) - 1e-9
            axes.text(
                *(place, y, f"{value:.1f}"),
                ha="right",
                fontsize=9,
                weight="bold" if mean else "normal",
                bbox={"facecolor": "#CFE6F5", "edgecolor": "none", "pad": 1.5} if top else None,
            )
