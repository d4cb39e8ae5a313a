"""Chapter 5: computational graphs and the chain rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import graph
from pynet.diagnosis import ChainRule, chain_rule
from pynet.graph import Number
from pynet.lab.experiment import Lab, Result
from pynet.layers import Affine, IdentityWithLoss, Layer, Sigmoid
from pynet.networks import Network
from pynet.viz import style


def apple_graph(lab: Lab) -> Result:
    """Compute the book's two prices and their gradients, and draw the graphs."""
    tax = Number(1.1, "tax")
    apples = {"apple": Number(100, "apple"), "apples": Number(2, "number of apples")}
    oranges = {"orange": Number(150, "orange"), "oranges": Number(3, "number of oranges")}
    both = {**apples, **oranges, "tax": tax}
    small = (apples["apple"] * apples["apples"] * tax).named("price")
    large = apples["apples"] * apples["apple"] + oranges["orange"] * oranges["oranges"]
    large = (large * tax).named("price")
    numbers: dict[str, dict[str, Any]] = {}
    figure = style.new_figure(
        8, 5.6, "Above each arrow the value, below it the gradient of the price"
    )
    with style.styled():
        for axes, price in zip(figure.subplots(2, 1, height_ratios=(1, 1.5)), (small, large)):
            figure.canvas.draw()  # the sizes of the axes are known from here on
            price.backward()
            graph.of(price).plot(axes)
            used = {name: one for name, one in both.items() if one in price.graph()}
            numbers["apples" if price is small else "apples and oranges"] = {
                "price": price.value,
                "gradients": {name: one.grad for name, one in used.items()},
            }
    first = numbers["apples"]["gradients"]
    return Result(
        figure,
        numbers,
        f"Forward, from left to right, the price of two apples is {small.value:g}, that of two "
        f"apples and three oranges {large.value:g}. Backward each node hands on its own derivative "
        "times what it was given: if an apple cost 1 more, the price would rise by "
        f"{first['apple']:g}, for one more apple by {first['apples']:g}.",
    )


def chain(lab: Lab) -> Result:
    """Take the gradient of the first weight of a 3- and a 4-layer chain apart."""
    traces: dict[int, ChainRule] = {}
    numerical: dict[int, float] = {}
    figure = style.new_figure(
        9.5, 4.4, "The chain rule: the gradient on its way to the first weight"
    )
    x, t = np.array([[1.0]]), np.array([[0.0]])
    with style.styled():
        for axes, depth in zip(figure.subplots(1, 2, sharey=True, width_ratios=(6, 8)), (3, 4)):
            layers: list[Layer] = []
            for _ in range(depth):
                layers += [Affine([[1.5]], [0.0]), Sigmoid()]
            net = Network(layers[:-1], IdentityWithLoss(), input_dim=(1,), dtype=np.float64)
            trace = traces[depth] = chain_rule(net, x, t)
            numerical[depth] = float(net.numerical_gradient(x, t)["W1"].item())
            sizes = [abs(factor.product.item()) for factor in trace.factors]
            axes.plot(sizes, "o-", color=style.BLUE)
            for i, factor in enumerate(trace.factors):
                slope = factor.what.startswith("dSigmoid")
                axes.annotate(
                    f"× {factor.jacobian.item():.3g}" if i else f"{factor.jacobian.item():.3g}",
                    (i, sizes[i]),
                    xytext=(0, -16 if slope else 8),
                    textcoords="offset points",
                    ha="center",
                    color=style.ORANGE if slope else style.BLACK,
                    fontweight="bold" if slope else "normal",
                )
            names = [factor.what for factor in trace.factors]
            axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
            axes.set(title=f"{depth} layers: {trace.gradient:.4g}", yscale="log", ylim=(0.003, 3))
            axes.set_xlim(-0.5, len(names) - 0.5)
        figure.axes[0].set_ylabel("product of the factors so far")
    found = {
        f"{depth} layers": {
            "factors": {factor.what: factor.jacobian.item() for factor in trace.factors},
            "products": [factor.product.item() for factor in trace.factors],
            "gradient": trace.gradient,
            "backpropagation": trace.backpropagation,
            "numerical": numerical[depth],
        }
        for depth, trace in traces.items()
    }
    difference = max(abs(trace.gradient - trace.backpropagation) for trace in traces.values())
    steepest = max(
        factor.jacobian.item()
        for trace in traces.values()
        for factor in trace.factors
        if factor.what.startswith("dSigmoid")
    )
    return Result(
        figure,
        found,
        f"The gradient of the first weight is the product of the factors below the axis: "
        f"{traces[3].gradient:.3g} with three layers, {traces[4].gradient:.3g} with four, as "
        f"backpropagation has it ({difference:.1g} apart). The bold factors are the sigmoids' "
        f"slopes, here {steepest:.3g} at most and never above 0.25: each layer more makes "
        "the product smaller unless its weight makes up for it.",
    )
