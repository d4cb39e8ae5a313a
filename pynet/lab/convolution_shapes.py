"""What padding, stride and dilation do to the size of the output."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pynet._types import Array
from pynet.lab.experiment import Lab, Result
from pynet.layers import Convolution, TransposedConvolution
from pynet.viz import style


class _Case(NamedTuple):
    title: str
    side: int
    options: dict[str, int]
    transposed: bool = False


_CASES = (
    _Case("no padding", 4, {}),
    _Case("pad 1", 4, {"pad": 1}),
    _Case("stride 2", 7, {"stride": 2}),
    _Case("dilation 2", 6, {"dilation": 2}),
    _Case("transposed, stride 2", 2, {"stride": 2}, True),
)
_FILTER = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]], np.float32)


def conv_shapes(lab: Lab) -> Result:
    """Draw five convolutions with the same 3x3 filter: what goes in, and what comes out."""
    rng = np.random.default_rng(lab.seed)
    text = " / ".join(" ".join(f"{w:g}" for w in row) for row in _FILTER)
    figure = style.new_figure(12.5, 5.6, f"One filter, {text}; outlined: what makes one number")
    rows: list[dict[str, Any]] = []
    with style.styled():
        grid = figure.subplots(2, len(_CASES))
        for case, above, below in zip(_CASES, *grid):
            x = rng.integers(1, 4, (case.side, case.side)).astype(np.float32)
            kind = TransposedConvolution if case.transposed else Convolution
            layer = kind(_FILTER[None, None], None, **case.options)
            y = layer.forward(x[None, None])[0, 0]
            pad, stride = case.options.get("pad", 0), case.options.get("stride", 1)
            reach = case.options.get("dilation", 1) * 2 + 1  # the filter's side in pixels
            size = (case.side - 1) * stride + reach if case.transposed else None
            if size is None:
                size = (case.side + 2 * pad - reach) // stride + 1
            rows.append({"case": case.title, "x": x.shape, "y": y.shape, "formula": size})
            _draw(above, np.pad(x, pad), f"{case.title}\n{_sides(x)} in", pad)
            _draw(below, y, f"{_sides(y)} out")
            wide, narrow = (below, above) if case.transposed else (above, below)
            _outline(wide, reach)
            _outline(narrow, 1)
            for i, j in np.ndindex(3, 3):  # the pixels that the filter touches
                step = (reach - 1) // 2
                dot = {"facecolor": style.SKY, "alpha": 0.35, "linewidth": 0}
                wide.add_patch(_square(j * step, i * step, 1, **dot))
    sizes = ", ".join(f"{row['case']}: {row['x'][0]} to {row['y'][0]}" for row in rows)
    return Result(
        figure,
        {"filter": _FILTER, "cases": rows, "all_as_the_formula": _all_right(rows)},
        "Each number below is the sum of the window outlined above, weighted by the filter; in the "
        "last column it is the other way round, and one pixel stamps the filter into a larger "
        f"image. The sides ({sizes}) are (H + 2P - F)/S + 1, rounded down, with F = 5 where the "
        "filter is spread by a dilation of 2, and (H - 1)S + F where it is transposed.",
    )


def _all_right(rows: list[dict[str, Any]]) -> bool:
    """Whether each output has the size that the formula says."""
    return all(row["y"] == (row["formula"],) * 2 for row in rows)


def _sides(image: Array) -> str:
    return " x ".join(map(str, image.shape))


def _draw(axes: Any, image: Array, title: str, pad: int = 0) -> None:
    """The numbers of an image in squares, all pictures at the same scale; a margin is gray."""
    H, W = image.shape
    inside = np.zeros(image.shape, bool)
    inside[pad : H - pad, pad : W - pad] = True
    for i, j in np.ndindex(H, W):
        colour = "white" if inside[i, j] else style.LIGHT
        axes.add_patch(_square(j, i, 1, facecolor=colour, edgecolor=style.GRAY, linewidth=0.6))
        axes.text(j + 0.5, i + 0.5, f"{image[i, j]:g}", ha="center", va="center", fontsize=9)
    axes.set(xlim=(W / 2 - 3.6, W / 2 + 3.6), ylim=(7.1, -0.1), aspect="equal", title=title)
    axes.axis("off")


def _outline(axes: Any, side: int) -> None:
    axes.add_patch(_square(0, 0, side, fill=False, edgecolor=style.ORANGE, linewidth=2.2))


def _square(x: float, y: float, side: float, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), side, side, **look)
