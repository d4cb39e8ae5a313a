"""Decision boundaries: what one layer can separate, and what two can."""

from __future__ import annotations

import numpy as np

from pynet.lab.experiment import Lab, Result
from pynet.layers import Affine, Tanh
from pynet.networks import Network
from pynet.optimizers import Adam
from pynet.viz import style


def xor(lab: Lab) -> Result:
    """Train a perceptron and a two-layer net on XOR and draw where each says 1."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    t = np.array([0, 1, 1, 0])
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 1.5, 80), np.linspace(-0.5, 1.5, 80)), -1)
    nets = {
        "one layer": Network([Affine.sized(2)], input_dim=(2,)),
        "two layers": Network([Affine.sized(8), Tanh(), Affine.sized(2)], input_dim=(2,)),
    }
    figure = style.new_figure(8, 3.8, "XOR: where the net says 1 (shaded)")
    right = {}
    with style.styled():
        for axes, (name, net) in zip(figure.subplots(1, 2), nets.items()):
            optimizer = Adam(lr=0.05)
            for _ in lab.steps(500, quick=10, what=name):
                optimizer.update(net.params, net.gradient(x, t))
            right[name] = int(np.sum(net.predict(x).argmax(axis=1) == t))
            says = net.predict(grid.reshape(-1, 2)).argmax(axis=1).reshape(80, 80)
            axes.contourf(
                *(grid[..., 0], grid[..., 1], says),
                levels=[-0.5, 0.5, 1.5],
                colors=["w", style.SKY],
            )
            for label, colour, mark in ((0, style.BLUE, "o"), (1, style.ORANGE, "s")):
                points = x[t == label]
                axes.plot(*points.T, mark, color=colour, markersize=9, label=f"target {label}")
            axes.set(title=f"{name}: {right[name]} of 4 right", xlabel="x1", ylabel="x2")
            axes.legend(loc="center")
    return Result(
        figure,
        {"right": right},
        "A single layer cuts the plane with one straight line, and no line has both orange squares "
        f"on one side and both blue dots on the other: it got {right['one layer']} of 4 right. "
        f"With a hidden layer the border bends, and {right['two layers']} of 4 are right.",
    )
