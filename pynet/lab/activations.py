"""All activation functions side by side."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.activations import ACTIVATIONS
from pynet.lab.experiment import Lab, Result
from pynet.layers import Affine, Layer, LogSoftmax, Maxout, PRelu, Sequential, Softmax, Softmin
from pynet.viz import style
from pynet.viz.activations import Curve, draw_activations

_OTHER_NUMBERS = {"swish": {"beta": 2.0}}  # than those that make it SiLU
_REMARKS = {"relu6": " (flat from 6 on)"}


def activations(lab: Lab) -> Result:
    """Draw every activation with its derivative, as the layers compute them."""
    x = np.linspace(-4, 4, lab.pick(401, 201))
    curves = {}
    for name, f in ACTIVATIONS.items():
        values = {**f.hyperparameters, **_OTHER_NUMBERS.get(name, {})}
        numbers = ", ".join(f"{v:.3g}" for v in values.values())
        title = f"{name} ({numbers})" if numbers else name + _REMARKS.get(name, "")
        curves[title] = Curve(x, f(x, **values), f.grad(x, **values))
    curves["prelu (0.25, learned)"] = through(PRelu(np.full(1, 0.25)), x)
    # x against a second score of 0; the lines 2ax - a^2 touch x^2 at a.
    two = Affine(np.array([[1.0, 0.0]]), None)
    kin = {"softmax": Softmax(), "log_softmax": LogSoftmax(), "softmin": Softmin()}
    for name, layer in kin.items():
        curves[f"{name} of (x, 0)"] = through(Sequential(two, layer), x)
    at = np.array([-1.5, -0.5, 0.5, 1.5])
    curves["maxout (4 lines)"] = through(Sequential(Affine(2 * at[None], -(at**2)), Maxout(4)), x)

    title = f"{len(curves)} activation functions, each with its derivative"
    figure = style.new_figure(10, 15, title)
    draw_activations(figure, curves, columns=4)
    ends = (0, len(x) - 1)
    flat = sum(all(abs(curve.slope[i]) < 0.05 for i in ends) for curve in curves.values())
    steepest = {name: float(np.abs(curve.slope).max()) for name, curve in curves.items()}
    return Result(
        figure,
        {
            "x": x,
            "y": {name: curve.y for name, curve in curves.items()},
            "slope": {name: curve.slope for name, curve in curves.items()},
            "steepest": steepest,
        },
        f"The dashed lines are what backpropagation multiplies by: the sigmoid's is never above "
        f"{steepest['sigmoid']:.2f} and only {ACTIVATIONS['sigmoid'].grad(4.0):.3f} at x = 4, "
        f"where the ReLU's is still {ACTIVATIONS['relu'].grad(4.0):.0f}. Of the {len(curves)}, "
        f"{flat} are nearly flat (slopes below 0.05) at both ends of the picture, so that through "
        "many layers little of a gradient is left.",
    )


def through(layer: Layer, x: Array) -> Curve:
    """The first output of a layer for x in its column, and the derivative of that by x."""
    column = x[:, None]
    y = layer(column)
    dout = np.zeros_like(y)
    dout[:, 0] = 1
    return Curve(x, y[:, 0], layer.backpropagate(dout)[:, 0])
