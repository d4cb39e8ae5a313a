"""A drawing as SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pynet.graph.layout import Box, Point
from pynet.graph.sizes import FONT, LINE, RADIUS, SIGN, SMALL
from pynet.viz.style import ORANGE

if TYPE_CHECKING:
    from pynet.graph.drawing import Drawing, Edge, Node

INK = "#222222"
# Fill and border by kind: light tints of the pictures' colours.
PAINT = {
    "value": ("none", "none"),
    "weights": ("#DCEBF6", "#0072B2"),
    "activation": ("#DFF2EA", "#009E73"),
    "layer": ("#F4F4F4", "#777777"),
    "operation": ("#FFF1D6", "#B97E00"),
    "loss": ("#F9E1D2", "#D55E00"),
}


def render(drawing: Drawing) -> str:
    """Return the SVG document."""
    layout = drawing.layout()
    size = f'width="{layout.width}" height="{layout.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {layout.width} {layout.height}" '
        'font-family="Helvetica, Arial, sans-serif" text-anchor="middle" role="img">',
        f"<title>{escape(drawing.title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 10 8" refX="10" refY="4" markerWidth="9" '
        f'markerHeight="7" orient="auto"><path d="M0 0L10 4L0 8z" fill="{INK}"/></marker></defs>',
        f'<rect {size} fill="white"/>',
    ]
    for points in layout.edges:
        path = "".join(path_of(points, drawing.across))
        lines.append(
            f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="1.2" '
            'marker-end="url(#tip)"/>'
        )
    for edge, box in zip(drawing.edges, layout.labels):
        if box is not None:
            lines += _label(edge, box, drawing.across)
    for node, box in zip(drawing.nodes, layout.nodes):
        lines += _node(node, box)
    return "\n".join([*lines, "</svg>", ""])


def path_of(points: list[Point], across: bool) -> list[str]:
    """The pieces of an edge's path: straight on a rank, bent between two."""
    (x, y), *rest = points
    pieces = [f"M{x} {y}"]
    for i, (x2, y2) in enumerate(rest):
        if (x2, y2) == (x, y):  # an arrow takes its direction from the last piece
            continue
        if i % 2 == 0 or (y2 == y if across else x2 == x):
            pieces.append(f"L{x2} {y2}")
        elif across:
            pieces.append(f"C{(x + x2) // 2} {y} {(x + x2) // 2} {y2} {x2} {y2}")
        else:
            pieces.append(f"C{x} {(y + y2) // 2} {x2} {(y + y2) // 2} {x2} {y2}")
        x, y = x2, y2
    return pieces


def _label(edge: Edge, box: Box, across: bool) -> list[str]:
    texts = [(edge.text, INK), (edge.gradient, ORANGE)]
    if across:
        places = [box.y - 6, box.y + SMALL + 4]
        lines = []
    else:
        texts = [(text, colour) for text, colour in texts if text]
        top = box.y - LINE * (len(texts) - 1) / 2 + 0.36 * SMALL
        places = [round(top + LINE * i) for i in range(len(texts))]
        lines = [
            f'<rect x="{box.x - box.width // 2}" y="{box.y - box.height // 2}" '
            f'width="{box.width}" height="{box.height}" fill="white"/>'
        ]
    return lines + [
        f'<text x="{box.x}" y="{y}" font-size="{SMALL}" fill="{colour}">{escape(text)}</text>'
        for (text, colour), y in zip(texts, places)
        if text
    ]


def _node(node: Node, box: Box) -> list[str]:
    fill, border = PAINT[node.kind]
    paint = f'fill="{fill}" stroke="{border}" stroke-width="1.4"'
    left, top = box.x - box.width // 2, box.y - box.height // 2
    if node.round:
        shape = f'<rect x="{left}" y="{top}" width="{box.width}" height="{box.height}" '
        sign = f'<text x="{box.x}" y="{box.y + 6}" font-size="{SIGN}" fill="{INK}">'
        return [f'{shape}rx="{RADIUS}" {paint}/>', f"{sign}{escape(node.lines[0])}</text>"]
    lines = []
    if node.kind != "value":
        place = f'x="{left}" y="{top}" width="{box.width}" height="{box.height}"'
        lines.append(f'<rect {place} rx="6" {paint}/>')
    top = box.y - (LINE * len(node.lines) + 14) // 2  # the box may be higher than its text
    for i, line in enumerate(node.lines):
        y = top + 19 + LINE * i
        font = f'font-size="{SMALL}"' if i else f'font-size="{FONT}" font-weight="bold"'
        lines.append(f'<text x="{box.x}" y="{y}" {font} fill="{INK}">{escape(line)}</text>')
    return lines
