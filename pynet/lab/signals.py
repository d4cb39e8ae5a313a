"""How signals and gradients pass through a deep net, and what initial values have to do with it."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.diagnosis import Diagnosis, diagnose
from pynet.functions import sigmoid_grad
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.layers import Affine, Layer, Relu, Sigmoid, Tanh
from pynet.networks import Network
from pynet.optimizers import SGD
from pynet.viz import draw_histograms, style

_KINDS: dict[str, type[Layer]] = {"sigmoid": Sigmoid, "tanh": Tanh, "ReLU": Relu}


def _deep(kind: str, std: float, sizes: list[int]) -> Network:
    """Affine - activation, and so on, to an Affine at the end; weights of this std, or std/sqrt(n).

    A negative std means |std| / sqrt(n), n the size of the layer before.
    """
    layers: list[Layer] = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        scale = std if std > 0 else -std / np.sqrt(n_in)
        layers += [Affine(scale * np.random.randn(n_in, n_out), np.zeros(n_out)), _KINDS[kind]()]
    return Network(layers[:-1], input_dim=(sizes[0],))


def activation_histograms(lab: Lab) -> Result:
    """Send normal noise through five layers of 100 and draw what comes out of each."""
    scales = {"std 1": 1.0, "std 0.01": 0.01, "Xavier": -1.0, "He": -np.sqrt(2)}
    ranges = {"sigmoid": (0, 1), "tanh": (-1, 1), "ReLU": (0, 2)}
    x, t = np.random.randn(1000, 100), np.zeros(1000, int)
    figure = style.new_figure(11, 7.5, "Outputs of five layers of 100 neurons, 1000 samples")
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    with style.styled():
        grid = figure.subplots(3, 4)
        for row, kind in zip(grid, _KINDS):
            for axes, (name, std) in zip(row, scales.items()):
                report = diagnose(_deep(kind, std, [100] * 6 + [10]), x, t)
                active = [r for r in report.rows if r.flat is not None]
                named = [(f"{i}\n{_short(r.std)}", r.name) for i, r in enumerate(active, 1)]
                outputs = {label: report.outputs[one] for label, one in named}
                draw_histograms(axes, outputs, bins=40, range=ranges[kind], most=0.1)
                axes.set(title=f"{kind}, {name}")
                found.setdefault(kind, {})[name] = {
                    "std": [r.std for r in active],
                    "flat": [r.flat or 0.0 for r in active],
                    "last_histogram": list(report.histogram(active[-1].name, 40, ranges[kind])[0]),
                }
            row[0].set_ylabel("output")
        figure.supxlabel(
            "layer, below it the standard deviation; bins with 10 % or more are cut", fontsize=9
        )
    ends = {kind: {name: v["std"][-1] for name, v in by.items()} for kind, by in found.items()}
    flat = found["sigmoid"]["std 1"]["flat"][-1]
    return Result(
        figure,
        found,
        f"With standard deviation 1 a sigmoid sits at its ends (at the fifth layer "
        f"{100 * flat:.0f} % of the outputs are where it is flat), with 0.01 all neurons say "
        "about the same: the outputs' deviation at the fifth layer is "
        f"{ends['tanh']['std 0.01']:.1g} for tanh. Xavier's values keep the spread for tanh "
        f"({ends['tanh']['Xavier']:.2f}), He's for ReLU ({ends['ReLU']['He']:.2f}, with Xavier's "
        f"{ends['ReLU']['Xavier']:.2f}); ReLU's outputs above 2 are drawn at 2.",
    )


def _short(value: float) -> str:
    return f"{value:.2g}" if 0.1 <= value < 100 else f"{value:.1g}"


def vanishing_gradients(lab: Lab) -> Result:
    """Measure the gradient at each of ten layers for four nets, before any training."""
    (x, t), _ = lab.mnist()
    x, t = x[:1000], t[:1000]
    nets = {
        "sigmoid, Xavier": ("sigmoid", -1.0),
        "tanh, Xavier": ("tanh", -1.0),
        "ReLU, He": ("ReLU", -np.sqrt(2)),
        "ReLU, 3 times He": ("ReLU", -3 * np.sqrt(2)),
    }
    figure = style.new_figure(9.5, 3.9, f"Ten layers of 100 neurons, {len(x)} images")
    norms: dict[str, list[float]] = {}
    findings: dict[str, list[str]] = {}
    with style.styled():
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        for (name, (kind, std)), mark in zip(nets.items(), style.MARKS):
            report: Diagnosis = diagnose(_deep(kind, std, [x.shape[1]] + [100] * 10 + [10]), x, t)
            rows = [r for r in report.rows if r.flat is None]
            norms[name] = [r.dout_norm or 0.0 for r in rows]
            findings[name] = report.findings
            left.plot(np.arange(1, len(rows) + 1), norms[name], marker=mark, label=name)
        left.set(yscale="log", xlabel="layer (11: the output)", ylabel="norm of the gradient")
        left.set(title="gradient for each Affine layer's output", xticks=range(1, 12, 2))
        low, high = left.get_ylim()
        left.set_ylim(low, high * 300)
        left.legend(ncols=2, loc="upper center")
        z = np.linspace(-6, 6, 241)
        for name, slope in (
            ("sigmoid", sigmoid_grad(z)),
            ("tanh", 1 - np.tanh(z) ** 2),
            ("ReLU", (z > 0).astype(float)),
        ):
            right.plot(z, slope, label=name)
        right.axhline(0.25, color=style.GRAY, linewidth=0.8, linestyle=":")
        right.set(title="slope: what each layer multiplies by", xlabel="x", ylabel="derivative")
        right.set_ylim(-0.03, 1.32)
        right.legend(loc="upper center", ncols=3, columnspacing=1, handlelength=1.6)
    ratio = {name: values[0] / values[-1] for name, values in norms.items()}
    return Result(
        figure,
        {"norms": norms, "first_over_last": ratio, "findings": findings},
        "From the output back to layer 1 the gradient becomes "
        f"{ratio['sigmoid, Xavier']:.1g} times as large with sigmoids, whose slope is 0.25 at "
        f"most, {ratio['tanh, Xavier']:.2g} times with tanh and {ratio['ReLU, He']:.2g} times "
        f"with ReLU and He's values. With weights three times as large it becomes "
        f"{ratio['ReLU, 3 times He']:.1g} times as large: `pynet.diagnose` names the one "
        "vanishing, the other exploding.",
    )


def dead_units(lab: Lab) -> Result:
    """Train ReLU nets at several rates and initial biases and count the dead units."""
    (x, t), (x_test, t_test) = lab.mnist()
    probe, labels = x[:1000], t[:1000]
    panels = {
        "learning rate": [(lr, 0.0) for lr in lab.pick([0.01, 0.1, 0.3, 0.5, 0.7], [0.01, 0.5])],
        "initial bias": [(0.1, b) for b in lab.pick([-1.0, -0.5, -0.2, 0.0, 0.5], [-1.0, 0.0])],
    }
    found: dict[str, list[dict[str, float]]] = {}
    for panel, settings in panels.items():
        for lr, bias in settings:
            lab.reseed()
            net = _deep("ReLU", -np.sqrt(2), [x.shape[1], 100, 100, 100, 10])
            for key in ("b1", "b2", "b3"):
                net.params[key][...] = bias
            before = _dead(net, probe, labels)
            steps = lab.steps(600, quick=3, what=f"{panel} {lr if panel[0] == 'l' else bias}")
            with np.errstate(all="ignore"):
                train(net, SGD(lr=lr), x, t, steps)
                after, right = _dead(net, probe, labels), net.accuracy(x_test, t_test)
            row = {"lr": lr, "bias": bias, "before": before, "after": after, "accuracy": right}
            found.setdefault(panel, []).append(row)
    figure = style.new_figure(9, 3.8, f"Dead units of 300 ReLUs, {lab.data_name}, SGD")
    with style.styled():
        for axes, (panel, rows) in zip(figure.subplots(1, 2, sharey=True), found.items()):
            at = np.arange(len(rows))
            for shift, key, hatch in ((-0.2, "before", "//"), (0.2, "after", "")):
                bars = axes.bar(
                    at + shift,
                    [100 * row[key] for row in rows],
                    0.38,
                    label=f"{key} training",
                    color=style.SKY if hatch else style.ORANGE,
                    hatch=hatch,
                    edgecolor="w",
                )
                axes.bar_label(bars, fmt="%.0f", fontsize=8)
            values = [row["lr" if panel[0] == "l" else "bias"] for row in rows]
            names = [f"{v:g}\n{100 * row['accuracy']:.0f} %" for v, row in zip(values, rows)]
            axes.set(xlabel=f"{panel}, below it the test accuracy", xticks=at, xticklabels=names)
            axes.grid(False, axis="x")
        axes.figure.axes[0].set(ylabel="dead units in %", ylim=(0, 112))
        axes.figure.axes[0].legend(loc="upper left")
    low, high = found["learning rate"][0], found["learning rate"][-1]
    worst, level = found["initial bias"][0], found["initial bias"][-1]
    return Result(
        figure,
        found,
        f"A unit is dead when it is 0 for all {len(probe)} images: no gradient wakes it again. "
        f"After training with the rate {low['lr']:g} it is {100 * low['after']:.0f} % of them, "
        f"with {high['lr']:g} {100 * high['after']:.0f} %; an initial bias of {worst['bias']:g} "
        f"leaves {100 * worst['after']:.0f} % dead, one of {level['bias']:g} "
        f"{100 * level['after']:.0f} %.",
    )


def _dead(net: Network, x: Array, t: Array) -> float:
    """The share of dead units of all hidden layers; a net that has diverged is dead."""
    rows = [row.dead for row in diagnose(net, x, t).rows if row.dead is not None]
    finite = np.isfinite(net.params.flat).all()
    return float(np.mean(rows)) if finite else 1.0


def symmetry(lab: Lab) -> Result:
    """Train three nets: constant initial weights, random ones, and a single hidden neuron."""
    (x, t), (x_test, t_test) = lab.mnist()
    n, width, lr = x.shape[1], 100, 0.5
    W1, W2 = np.full((n, 1), 0.01), np.full((1, 10), 0.01)

    def net(W1: Array, W2: Array) -> Network:
        hidden = Affine(W1, np.zeros(W1.shape[1]))
        return Network([hidden, Sigmoid(), Affine(W2, np.zeros(10))], dtype=np.float64)

    nets = {
        "100 equal neurons": net(W1.repeat(width, 1), W2.repeat(width, 0)),
        # 100 times the weight of each, and rates that make its steps theirs taken together.
        "1 neuron": net(W1, width * W2),
        "100 random neurons": net(
            0.01 * np.random.randn(n, width), 0.01 * np.random.randn(width, 10)
        ),
    }
    rates = {"W1": 1 / width, "b1": 1 / width, "W2": float(width), "b2": 1.0}
    losses: dict[str, list[float]] = {}
    ranks: dict[str, list[int]] = {}
    every = lab.pick(50, 4)
    for name, one in nets.items():
        lab.reseed(1)

        def scaled(params: object, grads: dict[str, Array], name: str = name) -> None:
            for key in grads if name == "1 neuron" else ():
                grads[key] *= rates[key]

        def look(step: int, name: str = name, one: Network = one) -> None:
            if step % every == 0:
                ranks.setdefault(name, []).append(_rank(one.params["W1"]))

        steps = lab.steps(1000, quick=4, what=name)
        losses[name] = train(one, SGD(lr=lr), x, t, steps, add=scaled, after=look)
    right = {name: one.accuracy(x_test, t_test) for name, one in nets.items()}
    equal = nets["100 equal neurons"].params["W1"]
    spread = float(np.ptp(equal, axis=1).max())
    apart = float(np.abs(np.subtract(losses["100 equal neurons"], losses["1 neuron"])).max())
    figure = style.new_figure(9, 3.6, f"Equal initial weights, {lab.data_name}")
    with style.styled():
        left, middle = figure.subplots(1, 2)
        widths = {"100 equal neurons": 4.0, "1 neuron": 1.8, "100 random neurons": 1.2}
        colours = (style.SKY, style.BLACK, style.ORANGE)
        for (name, curve), line, colour in zip(losses.items(), ("-", "--", "-"), colours):
            left.plot(curve, line, label=name, linewidth=widths[name], color=colour)
            at = np.arange(len(ranks[name])) * every
            middle.plot(at, ranks[name], line, linewidth=widths[name], color=colour, label=name)
        left.set(xlabel="step", ylabel="training loss", title="the loss of each step")
        left.set_ylim(0, 3.2)
        left.legend(loc="upper right")
        middle.set(xlabel="step", ylabel="rank", title="rank of W1, 784 x 100", yscale="log")
        middle.set(ylim=(0.8, 160), yticks=[1, 10, 100], yticklabels=["1", "10", "100"])
        middle.legend(loc="center right")
    return Result(
        figure,
        {"losses": losses, "ranks": ranks, "every": every, "accuracy": right,
         "largest_difference_of_columns": spread, "loss_apart_from_one_neuron": apart},
        "Neurons that begin equal get equal gradients and stay equal: the rank of W1 ends at "
        f"{ranks['100 equal neurons'][-1]}, the columns differ by {spread:.1g} at most, and the "
        f"loss is that of a single neuron to {apart:.1g}. They reach "
        f"{100 * right['100 equal neurons']:.1f} % of the test images, 100 random neurons "
        f"{100 * right['100 random neurons']:.1f} %, with rank {ranks['100 random neurons'][-1]}.",
    )  # fmt: skip


def _rank(W: Array) -> int:
    """How many columns are left when what earlier ones explain is taken away (Gram-Schmidt)."""
    rest = np.array(W, np.float64)
    squares = np.square(rest).sum(axis=0)
    least, rank = 1e-16 * squares.max(), 0
    while squares.max() > least:
        one = rest[:, squares.argmax()]
        one = one / np.sqrt(np.square(one).sum())
        rest -= one[:, None] * (one[:, None] * rest).sum(axis=0)
        squares = np.square(rest).sum(axis=0)
        rank += 1
    return rank
