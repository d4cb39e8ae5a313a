"""How large texts are, estimated without a font: rather too wide than too narrow."""

from __future__ import annotations

from collections.abc import Sequence

FONT, SMALL, SIGN = 13, 11, 17  # sizes of the first line of a node, of all others, of a sign
LINE = 16  # from one line to the next
RADIUS = 15  # of a circle

# Widths in parts of the font size: of the widest of the usual fonts without serifs.
_NARROW = dict.fromkeys("ijlI.,:;'!|()[]/\\ tf", 0.36) | {"r": 0.42, "-": 0.42}
_WIDE = dict.fromkeys("mwMW@%", 0.96) | dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ&+<>=~×→", 0.76)
_WIDTHS = _NARROW | _WIDE


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return about how many pixels a text takes."""
    em = sum(_WIDTHS.get(c, 0.62 if ord(c) < 0x2E80 else 1.0) for c in text)
    return em * size * (1.08 if bold else 1.0)


def node_size(lines: Sequence[str], circle: bool) -> tuple[int, int]:
    """Return (width, height) of a node."""
    if circle:
        return max(2 * RADIUS, round(text_width(lines[0], SIGN)) + 8), 2 * RADIUS
    widths = [text_width(lines[0], FONT, bold=True), *(text_width(s, SMALL) for s in lines[1:])]
    return _even(max(widths) + 24), LINE * len(lines) + 14


def label_size(text: str, gradient: str, across: bool) -> tuple[int, int]:
    """Return (width, height) of what is written at an edge; (0, 0) for nothing.

    Across, the gradient is below the line and the text above it; else one is under the other.
    """
    texts = [s for s in (text, gradient) if s]
    if not texts:
        return 0, 0
    height = 2 * LINE + 6 if across else LINE * len(texts) + 2
    return _even(max(text_width(s, SMALL) for s in texts) + 10), height


def _even(size: float) -> int:
    return 2 * round(size / 2 + 0.5)
