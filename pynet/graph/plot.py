"""A drawing in matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pynet.graph.sizes import FONT, LINE, SIGN, SMALL
from pynet.graph.svg import INK, PAINT
from pynet.viz.style import ORANGE

if TYPE_CHECKING:
    from pynet.graph.drawing import Drawing


def draw(drawing: Drawing, axes: Any) -> None:
    """Draw the layout, a pixel of the SVG as 1/100 inch where the axes are as large as it."""
    from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path

    layout = drawing.layout()
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="equal")
    axes.axis("off")
    box = axes.get_window_extent()
    points = min(box.width / layout.width, box.height / layout.height) * 72 / axes.figure.dpi

    def write(x: float, y: float, text: str, size: float, colour: str = INK, **font: Any) -> None:
        settings: Any = {"ha": "center", "va": "center", "color": colour, **font}
        axes.text(x, y, text.replace("$", r"\$"), fontsize=size * points, **settings)

    for line in layout.edges:
        vertices, codes = [line[0]], [Path.MOVETO]
        for i, (a, b) in enumerate(zip(line, line[1:])):
            if a == b:
                continue
            if i % 2 == 0:
                vertices, codes = [*vertices, b], [*codes, Path.LINETO]
                continue
            middle = (a[0] + b[0]) / 2 if drawing.across else (a[1] + b[1]) / 2
            bends = [(middle, a[1]), (middle, b[1])] if drawing.across else (
                [(a[0], middle), (b[0], middle)]
            )  # fmt: skip
            vertices, codes = [*vertices, *bends, b], [*codes, *[Path.CURVE4] * 3]
        axes.add_patch(
            FancyArrowPatch(
                path=Path(vertices, codes),
                arrowstyle="-|>",
                mutation_scale=9,
                color=INK,
                linewidth=1,
            )
        )
    for edge, label in zip(drawing.edges, layout.labels):
        if label is None:
            continue
        up = LINE * 0.62 if drawing.across or (edge.text and edge.gradient) else 0
        paper = None if drawing.across else {"facecolor": "w", "edgecolor": "none", "pad": 1}
        write(label.x, label.y - up, edge.text, SMALL, bbox=paper)
        if edge.gradient:
            write(label.x, label.y + up, edge.gradient, SMALL, ORANGE, bbox=paper)
    for node, place in zip(drawing.nodes, layout.nodes):
        fill, border = PAINT[node.kind]
        corner = (place.x - place.width / 2, place.y - place.height / 2)
        width, height = place.width, place.height
        if node.round:
            axes.add_patch(Ellipse((place.x, place.y), width, height, fc=fill, ec=border))
        elif node.kind != "value":
            shape = "round,pad=0,rounding_size=6"
            axes.add_patch(FancyBboxPatch(corner, width, height, shape, fc=fill, ec=border))
        for i, text in enumerate(node.lines):
            font = SIGN if node.round else SMALL if i else FONT
            y = place.y if node.round else place.y + LINE * (i - (len(node.lines) - 1) / 2)
            weight = "normal" if i or node.round else "bold"
            write(place.x, y, text, font, fontweight=weight)
