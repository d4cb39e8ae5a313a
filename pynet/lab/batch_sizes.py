"""Batch sizes from one sample to all of them: time, direction, accuracy, flatness."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from pynet._types import Array
from pynet.diagnosis import sharpness
from pynet.lab.experiment import Lab, Result
from pynet.loader import batches
from pynet.networks import TwoLayerNet
from pynet.optimizers import SGD
from pynet.viz import style

_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)


class _Data(NamedTuple):
    x: Array
    t: Array
    x_val: Array
    t_val: Array
    x_test: Array
    t_test: Array


class _Run(NamedTuple):
    """A net with the figures of its training."""

    net: Any
    updates: int
    seconds: float
    losses: list[float]


def batch_sizes(lab: Lab) -> Result:
    """Train one net with batches of 1 sample to all, after equal epochs and after equal time."""
    (x, t), (x_test, t_test) = lab.mnist()
    N, V = lab.pick((5000, 2000), (200, 100))
    data = _Data(x[:N], t[:N], x[N : N + V], t[N : N + V], x_test, t_test)
    epochs, seconds = lab.pick((5, 4.0), (1, 0.02))
    sizes = [size for size in (1, 10, 100, 1000) if size < N] + [N]
    rows: dict[int, dict[str, Any]] = {}
    rates = lab.pick(_RATES, _RATES[2:3])
    for size in lab.over(sizes, "batch sizes"):
        # Each size gets the learning rate that suits it, chosen on validation data.
        tried = {rate: _train(lab, data, size, rate, epochs=epochs) for rate in rates}
        scores = {rate: run.net.accuracy(data.x_val, data.t_val) for rate, run in tried.items()}
        rate = max(scores, key=lambda rate: scores[rate])
        equal_epochs = tried[rate]
        equal_time = _train(lab, data, size, rate, seconds=seconds)
        rows[size] = {
            "learning_rate": rate,
            "ms_per_update": 1000 * equal_time.seconds / equal_time.updates,
            "s_per_epoch": equal_time.seconds / equal_time.updates * -(-N // size),
            "updates_per_epoch": -(-N // size),
            "epochs_in_equal_time": equal_time.updates / -(-N // size),
            "loss_spread": float(np.std(equal_epochs.losses[-(N // size) :])),
        }
        for name, run in (("equal_epochs", equal_epochs), ("equal_time", equal_time)):
            rows[size][name] = {
                "train": 100 * run.net.accuracy(data.x, data.t),
                "test": 100 * run.net.accuracy(data.x_test, data.t_test),
                "sharpness": sharpness(run.net, data.x, data.t, radius=0.2),
            }
    cosines = _cosines(lab, data, sizes)
    figure = style.new_figure(10.5, 6.2, f"Batch sizes, {N} images of {lab.data_name}")
    with style.styled():
        _draw(figure, sizes, rows, cosines)
    epoch_best, time_best = (
        max(sizes, key=lambda size: rows[size][name]["test"])
        for name in ("equal_epochs", "equal_time")
    )
    one, full = rows[sizes[0]], rows[N]
    return Result(
        figure,
        {"sizes": rows, "cosine_to_full_gradient": cosines, "epochs": epochs, "seconds": seconds},
        f"An update takes {one['ms_per_update']:.2f} ms with one sample and "
        f"{full['ms_per_update']:.1f} ms with all {N}, so an epoch of {N} updates takes "
        f"{one['s_per_epoch']:.2f} s and one of a single update {full['s_per_epoch']:.3f} s. With "
        f"the best learning rate for each size the highest test accuracy has batch size "
        f"{epoch_best} after {epochs} epochs ({rows[epoch_best]['equal_epochs']['test']:.1f} %; "
        f"size 1: {one['equal_epochs']['test']:.1f} %, full batch: "
        f"{full['equal_epochs']['test']:.1f} %) and {time_best} after {seconds:g} s "
        f"({rows[time_best]['equal_time']['test']:.1f} %; {one['equal_time']['test']:.1f} and "
        f"{full['equal_time']['test']:.1f} %).",
    )


def _train(
    lab: Lab, data: _Data, size: int, rate: float, epochs: int = 0, seconds: float = 0
) -> _Run:
    """Train for so many epochs, or for so long."""
    lab.reseed()
    net = TwoLayerNet(data.x.shape[1], 50, 10, 0.1)
    optimizer = SGD(rate)
    loader = batches(data.x, data.t, size)
    losses: list[float] = []
    limit = epochs * len(loader) if epochs else None
    begin = time.perf_counter()
    while True:
        for x, t in loader:
            optimizer.update(net.params, net.gradient(x, t))
            losses.append(net.last_loss or 0.0)
            spent = time.perf_counter() - begin
            if len(losses) == limit or (limit is None and spent >= seconds):
                return _Run(net, len(losses), spent, losses)


def _cosines(lab: Lab, data: _Data, sizes: list[int]) -> dict[str, dict[int, list[float]]]:
    """Cosine between the gradients of batches and of all samples, before and after training."""
    trained = _train(lab, data, min(100, len(data.x)), 0.1, epochs=lab.pick(5, 1)).net
    lab.reseed()
    nets = {"before training": TwoLayerNet(data.x.shape[1], 50, 10, 0.1), "after": trained}
    found: dict[str, dict[int, list[float]]] = {}
    for name, net in nets.items():
        whole = net.gradient(data.x, data.t).flat
        found[name] = {}
        for size in [*sizes[:-1], len(data.x) // 2, sizes[-1]]:
            draws = (np.random.permutation(len(data.x))[:size] for _ in range(lab.pick(20, 2)))
            grads = (net.gradient(data.x[chosen], data.t[chosen]).flat for chosen in draws)
            found[name][size] = [_cosine(grad, whole) for grad in grads]
    return found


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _draw(figure: Any, sizes: list[int], rows: Any, cosines: Any) -> None:
    panels = figure.subplots(2, 3)
    for axes in panels.flat:
        axes.set(xscale="log", xlabel="batch size")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()

    def line(axes: Any, i: int, values: list[float], label: str | None = None) -> None:
        axes.plot(
            *(sizes, values, style.LINES[i]),
            color=style.COLOURS[i],
            marker=style.MARKS[i],
            label=label,
        )

    (update, epoch, cosine), (accuracy, spread, sharp) = panels
    for axes, name, title, unit in (
        (update, "ms_per_update", "time for one update", "ms"),
        (epoch, "s_per_epoch", "time for one epoch", "s"),
        (spread, "loss_spread", "noise: spread of the loss in an epoch", "standard deviation"),
    ):
        line(axes, 0, [rows[size][name] for size in sizes])
        axes.set(title=title, ylabel=unit)
    for axes in (update, epoch):
        axes.set_yscale("log")
        style.plain_ticks(axes.yaxis)
    for i, (name, found) in enumerate(cosines.items()):
        means = [np.mean(values) for values in found.values()]
        lows, highs = ([limit(v) for v in found.values()] for limit in (min, max))
        cosine.plot(list(found), means, style.LINES[i], marker=style.MARKS[i], label=name)
        cosine.fill_between(list(found), lows, highs, color=style.COLOURS[i], alpha=0.15, lw=0)
    cosine.set(title="direction: cosine to the full gradient", ylim=(-0.35, 1.05))
    cosine.legend(loc="lower right")
    for i, run in enumerate(("equal_epochs", "equal_time")):
        words = run.replace("_", " ")
        for j, part in enumerate(("test", "train")):
            values = [rows[size][run][part] for size in sizes]
            line(accuracy, 2 * i + j, values, f"{part}, {words}")
        line(sharp, i, [rows[size][run]["sharpness"] for size in sizes], words)
    accuracy.set(title="accuracy", ylabel="%")
    accuracy.legend(loc="lower left", fontsize=7.5)
    sharp.set(title="sharpness: loss added by shaking", ylabel="loss")
    sharp.legend(loc="best")
