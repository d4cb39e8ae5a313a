"""A graph to be drawn: nodes, edges, and the files they become."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from pynet.graph.layout import PORT_GAP, Layout, arrange
from pynet.graph.sizes import label_size, node_size
from pynet.serialization import write_atomic
from pynet.serialization.files import PathLike

# What a node is: values from outside, a layer with weights, an activation, a layer of another
# kind, an operation drawn as a circle (+, a multiplication), the loss.
KINDS = ("value", "weights", "activation", "layer", "operation", "loss")


class Node(NamedTuple):
    """A box with lines of text, the first one in bold; or a circle with a sign."""

    lines: tuple[str, ...]
    kind: str

    @property
    def round(self) -> bool:
        return self.kind == "operation"


class Edge(NamedTuple):
    """An arrow with a text, and a second one in another colour (the gradient).

    Of two ways round, that with the larger `weight` is the straighter one.
    """

    source: int
    target: int
    text: str = ""
    gradient: str = ""
    weight: int = 1000


class Drawing:
    """Nodes and edges; `save` writes them, a notebook shows them.

    Args:
        title: what it is, for a reader who cannot see it.
        across: whether arrows go from left to right, not from top to bottom.
    """

    def __init__(self, title: str, across: bool = False) -> None:
        self.title = _clean(title)
        self.across = across
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def add(self, lines: Sequence[str], kind: str = "layer") -> int:
        """Add a node and return its number.

        Raises ValueError for an unknown kind.
        """
        if kind not in KINDS:
            raise ValueError(
                f"[Drawing.add] kind: expected one of {', '.join(KINDS)}, got {kind!r}"
            )
        self.nodes.append(Node(tuple(map(_clean, lines)), kind))
        return len(self.nodes) - 1

    def connect(
        self, source: int, target: int, text: str = "", gradient: str = "", weight: int = 1000
    ) -> None:
        """Add an arrow from one node to a later one.

        Raises ValueError when there are no such nodes, or the second is not the later one.
        """
        if not 0 <= source < target < len(self.nodes):
            raise ValueError(
                "[Drawing.connect] source, target: expected the numbers of two nodes, the first "
                f"added before the second, got {source}, {target}"
            )
        self.edges.append(Edge(source, target, _clean(text), _clean(gradient), weight))

    def layout(self) -> Layout:
        """Return where everything goes: boxes that do not overlap, and lines between them."""
        sizes = [list(node_size(node.lines, node.round)) for node in self.nodes]
        for ends in zip(*((edge.source, edge.target) for edge in self.edges)):
            for i, count in Counter(ends).items():  # room for each arrow
                if not self.nodes[i].round:
                    sizes[i][self.across] = max(sizes[i][self.across], 2 * PORT_GAP * count)
        return arrange(
            [(width, height) for width, height in sizes],
            [label_size(edge.text, edge.gradient, self.across) for edge in self.edges],
            [(edge.source, edge.target, edge.weight) for edge in self.edges],
            self.across,
            [i for i, node in enumerate(self.nodes) if node.round],
        )

    def to_svg(self) -> str:
        """Return the drawing as an SVG document; the same graph gives the same text."""
        from pynet.graph.svg import render

        return render(self)

    def to_dot(self) -> str:
        """Return the graph in the DOT language, which Graphviz reads."""
        lines = ["digraph {", f"  rankdir={'LR' if self.across else 'TB'};"]
        lines.append(f"  label={_quoted(self.title)};")
        lines.append('  node [fontname="Helvetica"]; edge [fontname="Helvetica"];')
        for i, node in enumerate(self.nodes):
            shape = {"operation": "circle", "value": "plaintext"}.get(node.kind, "box")
            lines.append(f"  n{i} [label={_quoted(*node.lines)}, shape={shape}];")
        for edge in self.edges:
            texts = [text for text in (edge.text, edge.gradient) if text]
            label = f" [label={_quoted(*texts)}]" if texts else ""
            lines.append(f"  n{edge.source} -> n{edge.target}{label};")
        return "\n".join([*lines, "}", ""])

    def save(self, path: PathLike) -> None:
        """Write the drawing as FILE.svg or FILE.dot, atomically.

        Raises ValueError for another ending, OSError when the file cannot be written.
        """
        name = os.fspath(path)
        ending = os.path.splitext(str(name))[1].lower()
        if ending not in (".svg", ".dot"):
            raise ValueError(f"[Drawing.save] path: expected NAME.svg or NAME.dot, got {name!r}")
        text = self.to_svg() if ending == ".svg" else self.to_dot()
        write_atomic(path, text.encode(), op="Drawing.save")

    def plot(self, axes: Any) -> None:
        """Draw into matplotlib axes."""
        from pynet.graph.plot import draw

        draw(self, axes)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __repr__(self) -> str:
        return f"<Drawing {self.title}: {len(self.nodes)} nodes, {len(self.edges)} edges>"


def _clean(text: str) -> str:
    """Text without control characters, which XML forbids."""
    return "".join(c if c.isprintable() else " " for c in text)


def _quoted(*lines: str) -> str:
    """Lines of text as a string of the DOT language."""
    return '"' + "\\n".join(s.replace("\\", "\\\\").replace('"', '\\"') for s in lines) + '"'
