"""From a network or a calculation to its drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pynet._types import Shape
from pynet.graph.drawing import Drawing
from pynet.graph.number import Number
from pynet.layers import Concat, Layer, Residual, Sequential
from pynet.layers.inputs import sample_shape

if TYPE_CHECKING:
    from pynet.networks import Network

_SIDE = 1  # the weight of a way beside the main one
_JOIN = 100  # of the ways into a Concat
_MAIN = 1000
_LONGEST = 44  # letters of a layer's sizes


class _Port(NamedTuple):
    """Where a value comes from."""

    node: int
    shape: Shape


def of(thing: Network | Layer | Number, input_dim: Shape | None = None) -> Drawing:
    """Return the graph of a network, a layer, or a calculation with `Number`s.

    Of a network: its layers with their sizes, the shape of one sample at every arrow, shortcuts and
    branches as they run. Of a calculation: its operations, each value above its arrow and, once
    `backward()` has run, each gradient below.

    Args:
        thing: a `Network`, any `Layer` (Sequential, Residual, Concat ...) or a `Number`.
        input_dim: the shape of one sample, where the network does not know it.

    Raises TypeError for anything else, ValueError when input_dim is missing or does not fit.
    """
    if isinstance(thing, Number):
        return _calculation(thing)
    layer = thing if isinstance(thing, Layer) else getattr(thing, "_root", None)
    if not isinstance(layer, Layer):
        raise TypeError(
            f"[graph.of] thing: expected a Network, a Layer or a Number, got {type(thing).__name__}"
        )
    if input_dim is None:
        input_dim = getattr(thing, "input_dim", None)
    input_dim = sample_shape("[graph.of]", input_dim)
    drawing = Drawing(type(thing).__name__)
    port = _Port(drawing.add(["x"], "value"), (1, *input_dim))
    port = _layer(drawing, layer, port)
    loss: Any = getattr(thing, "last_layer", None)
    if loss is None:
        drawing.connect(port.node, drawing.add(["y"], "value"), _shape(port.shape))
        return drawing
    t = drawing.add(["t"], "value")
    node = drawing.add([type(loss).__name__], "loss")
    drawing.connect(port.node, node, _shape(port.shape))
    drawing.connect(t, node, weight=_SIDE)
    return drawing


# ---- networks ----------------------------------------------------------------------------------


def _layer(drawing: Drawing, layer: Layer, x: _Port, weight: int = _MAIN) -> _Port:
    """Draw a layer behind `x` and return where its output comes from."""
    if isinstance(layer, Sequential):
        for one in layer:
            x = _layer(drawing, one, x, weight)
        return x
    if isinstance(layer, Residual):
        y = _layer(drawing, layer.body, x)
        short = x if layer.shortcut is None else _layer(drawing, layer.shortcut, x, _SIDE)
        join = drawing.add(["+"], "operation")
        drawing.connect(y.node, join, _shape(y.shape))
        text = "shortcut" if short.node == x.node else _shape(short.shape)
        drawing.connect(short.node, join, text, weight=_SIDE)
        return _Port(join, y.shape)
    if isinstance(layer, Concat):
        ends = [_layer(drawing, branch, x) for branch in layer.branches]
        join = drawing.add(["Concat"], "layer")
        for end in ends:
            drawing.connect(end.node, join, _shape(end.shape), weight=_JOIN)
        return _Port(join, layer.describe(x.shape).out_shape)
    description = layer.describe(x.shape)
    node = drawing.add(_lines(layer, description.params), _kind(layer))
    drawing.connect(x.node, node, _shape(x.shape), weight=weight)
    return _Port(node, description.out_shape)


def _lines(layer: Layer, params: int) -> list[str]:
    """The layer's class, what its repr says, and how many parameters it has."""
    kind = type(layer).__name__
    inner = repr(layer).partition("(")[2].rpartition(")")[0]
    lines = [kind]
    if inner and "\n" not in inner:
        inner = inner.removeprefix("? -> ")  # a layer that does not know its input yet
        short = inner if len(inner) <= _LONGEST else inner[: _LONGEST - 1] + "…"
        lines.append(short.replace("->", "→"))
    if params:
        lines.append(f"{params:,} parameters")
    return lines


def _kind(layer: Layer) -> str:
    if "W" in layer.param_names:
        return "weights"
    return "activation" if "activation" in type(layer).__module__ else "layer"


def _shape(shape: Shape) -> str:
    return "×".join(map(str, shape[1:]))


# ---- calculations ------------------------------------------------------------------------------


def _calculation(result: Number) -> Drawing:
    order = result.graph()
    done = any(number.parts for number in order)
    drawing = Drawing(result.name or "calculation", across=True)
    uses = [id(one) for number in order for one in number.inputs]
    nodes: dict[int, int] = {}
    for number in order:
        if number.inputs:
            nodes[id(number)] = drawing.add([number.sign], "operation")
            parts = number.parts or (None,) * len(number.inputs)
            for one, part in zip(number.inputs, parts):
                gradient = "" if part is None else f"{part:g}"
                drawing.connect(nodes[id(one)], nodes[id(number)], f"{one.value:g}", gradient)
        else:
            lines = [number.name or f"{number.value:g}"]
            if done and uses.count(id(number)) > 1:
                lines.append(f"gradient {number.grad:g}")
            nodes[id(number)] = drawing.add(lines, "value")
    if result.inputs:
        end = drawing.add([result.name or "result"], "value")
        gradient = f"{result.grad:g}" if done else ""
        drawing.connect(nodes[id(result)], end, f"{result.value:g}", gradient)
    return drawing
