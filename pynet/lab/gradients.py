"""Gradients: by differences and by backpropagation, as arrows, and what descent makes of them."""

from __future__ import annotations

import time

import numpy as np

from pynet._types import Array
from pynet.gradient import gradient_descent_path, numerical_gradient_2d
from pynet.lab.experiment import Lab, Result
from pynet.lab.training import train
from pynet.networks import TwoLayerNet
from pynet.optimizers import SGD
from pynet.viz import style


def numerical_and_analytic(lab: Lab) -> Result:
    """Compute the gradient of two-layer nets of growing size both ways: difference and time."""
    (x, t), _ = lab.mnist()
    x, t = x[:10].astype(np.float64), t[:10]
    hidden = lab.pick([1, 2, 5, 10, 20, 50], [1, 2])
    sizes, seconds, gaps = [], [], []
    for n in lab.over(hidden, "hidden neurons"):
        net = TwoLayerNet(784, n, 10, dtype=np.float64)
        begin = time.perf_counter()
        differences = net.numerical_gradient(x, t)
        middle = time.perf_counter()
        repeats = lab.pick(50, 2)
        for _ in range(repeats):
            grads = net.gradient(x, t)
        end = time.perf_counter()
        sizes.append(sum(p.size for p in net.params.values()))
        seconds.append((middle - begin, (end - middle) / repeats))
        gaps.append(max(float(np.abs(differences[k] - grads[k]).max()) for k in grads))
    slow, fast = np.array(seconds).T
    ratio = slow / fast
    figure = style.new_figure(10, 3.8, "Numerical gradient against backpropagation, nets 784-n-10")
    with style.styled():
        left, right = figure.subplots(1, 2)
        left.loglog(sizes, slow, "o-", color=style.ORANGE, label="central differences")
        left.loglog(sizes, fast, "s--", color=style.BLUE, label="backpropagation")
        left.set(xlabel="parameters", ylabel="seconds for one gradient", title="Time")
        left.legend(loc="center right")
        right.loglog(sizes, gaps, "o-", color=style.GREEN)
        right.set(xlabel="parameters", ylabel="greatest difference of an element")
        right.set(title="Agreement (float64, h = 0.0001)", ylim=(min(gaps) / 10, max(gaps) * 10))
    return Result(
        figure,
        {
            "parameters": sizes,
            "seconds_numerical": slow,
            "seconds_backpropagation": fast,
            "ratio": ratio,
            "greatest_difference": gaps,
        },
        f"Both ways give the same gradient: no element differs by more than {max(gaps):.0e}. "
        f"But differences need two forward passes for each parameter, so that with {sizes[-1]:,} "
        f"parameters they take {ratio[-1]:,.0f} times as long as backpropagation "
        f"({slow[-1]:.2g} s against {1e3 * fast[-1]:.2g} ms); with {sizes[0]:,} it was "
        f"{ratio[0]:,.0f} times.",
    )


def gradient_field(lab: Lab) -> Result:
    """Draw the gradient field of x0^2 + x1^2 and the paths of descent with five rates."""

    def f(x: Array) -> float:
        return float(np.sum(x**2))

    steps = lab.pick(100, 20)
    # All begin at distance 5, at different places so that the paths can be told apart.
    begins = {1e-10: (-3, 4), 0.01: (-3, 4), 0.1: (4, 3), 0.95: (-5, 0), 10: (-3, 4)}
    paths = {rate: gradient_descent_path(f, x, rate, steps) for rate, x in begins.items()}
    ends = {rate: float(np.linalg.norm(points[-1])) for rate, points in paths.items()}
    styles = dict(zip(paths, zip(style.MARKS, style.LINES, style.COLOURS)))
    figure = style.new_figure(11, 4.6, "Gradient descent on f = x0² + x1²")
    with style.styled():
        left, right = figure.subplots(1, 2)
        ticks = np.arange(-4.5, 5, 0.75)
        grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
        arrows = -numerical_gradient_2d(f, grid)
        left.quiver(*grid.T, *arrows.T, angles="xy", color=style.GRAY, width=0.003)
        for rate in (0.01, 0.1, 0.95):
            mark, line, colour = styles[rate]
            points = paths[rate][:31]
            left.plot(*points.T, mark + line, color=colour, linewidth=1, label=f"rate {rate:g}")
        left.set(xlabel="x0", ylabel="x1", aspect="equal", xlim=(-5.3, 5.3), ylim=(-5.3, 5.3))
        left.set_title("Arrows: minus the gradient; lines: the first 30 steps")
        left.legend(loc="lower right", frameon=True, framealpha=0.9)
        for rate, points in paths.items():
            mark, line, colour = styles[rate]
            distance = np.linalg.norm(points, axis=1)
            right.semilogy(distance, mark + line, color=colour, markevery=10, label=f"{rate:g}")
        right.set(xlabel="step", ylabel="distance from the minimum", ylim=(1e-10, 1e16))
        right.set_title("Too small stands still, too large diverges")
        right.legend(title="learning rate", loc="center", bbox_to_anchor=(0.6, 0.66), ncols=3)
    return Result(
        figure,
        {"steps": steps, "end": {r: p[-1] for r, p in paths.items()}, "distance_at_the_end": ends},
        "Here the gradient's arrows point to the minimum from everywhere and grow shorter towards "
        "it; a rate just below 1 jumps to the other side at each step, and still arrives. "
        f"After {steps} steps the distance, 5 at first, is {ends[0.1]:.1e} at rate 0.1, "
        f"{ends[0.01]:.2g} at 0.01, still {ends[1e-10]:.3g} at 1e-10 (stands still) and "
        f"{ends[10]:.0e} at 10: it diverges, until x is so large that adding the h of the "
        "difference no longer changes it.",
    )


def random_search_weights(lab: Lab) -> Result:
    """Give gradient descent and two random searches of the weights the same number of passes."""
    (x, t), (x_test, t_test) = lab.mnist()
    x, t = x[:1000], t[:1000]
    passes = lab.pick(6000, 60)
    net = TwoLayerNet(784, 20, 10, weight_init_std=0.05)
    begin = net.params.flat.copy()
    curves: dict[str, list[float]] = {}
    accuracy: dict[str, float] = {}

    def search(name: str, draw: str) -> None:
        best, weights = np.inf, begin
        curve: list[float] = []
        for _ in lab.steps(6000, 60, name):
            noise = np.random.normal(0, 1, len(begin)).astype(np.float32)
            net.params.flat[:] = 0.05 * noise if draw == "anew" else weights + 0.01 * noise
            loss = net.loss(x, t)
            if loss < best:
                best, weights = loss, net.params.flat.copy()
            curve.append(best)
        net.params.flat[:] = weights
        curves[name] = curve
        accuracy[name] = net.accuracy(x_test, t_test)

    search("random weights, best so far", "anew")
    search("random steps, kept if better", "near the best")
    net.params.flat[:] = begin
    # A gradient counts as three passes: forward, and two products of its size for each layer.
    name = "gradient descent"
    losses = train(net, SGD(lr=0.5), x, t, lab.steps(2000, 20, name), batch_size=len(x))
    curves[name] = losses
    accuracy[name] = net.accuracy(x_test, t_test)

    figure = style.new_figure(7.5, 4, f"Training loss by effort, net 784-20-10, {lab.data_name}")
    with style.styled():
        axes = figure.subplots()
        for (label, curve), colour, line in zip(curves.items(), style.COLOURS, style.LINES):
            ticks = np.arange(1, len(curve) + 1) * (3 if label == name else 1)
            text = f"{label} ({100 * accuracy[label]:.1f} % of the test images right)"
            axes.loglog(ticks, curve, line, color=colour, label=text)
        axes.legend(loc="lower left")
        axes.set(xlabel="forward passes over 1,000 images (a gradient counts as 3)")
        axes.set(ylabel="loss of the training images")
    first, second, third = curves
    return Result(
        figure,
        {"passes": passes, "loss": {k: c[-1] for k, c in curves.items()}, "accuracy": accuracy},
        f"With the work of {passes:,} forward passes, drawing weights at random gets the loss down "
        f"to {curves[first][-1]:.2f}, keeping those random steps that help to "
        f"{curves[second][-1]:.2f}, and following the gradient to {curves[third][-1]:.3f}. "
        f"In {len(begin):,} dimensions almost no random direction leads down far, and the "
        f"gradient is the one that does: {100 * accuracy[third]:.1f} % of the test images right, "
        f"against {100 * accuracy[first]:.1f} % and {100 * accuracy[second]:.1f} %.",
    )
