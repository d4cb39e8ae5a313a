"""Computational graphs, drawn as SVG or DOT.

    from pynet import graph

    graph.of(network).save("network.svg")

    apple, number, tax = graph.Number(100, "apple"), graph.Number(2, "number"), graph.Number(1.1)
    price = apple * number * tax
    price.backward()
    graph.of(price).save("apple.svg")

A notebook shows a drawing by itself.
"""

from pynet.graph.build import of
from pynet.graph.drawing import Drawing, Edge, Node
from pynet.graph.number import Number

__all__ = ["Drawing", "Edge", "Node", "Number", "of"]
