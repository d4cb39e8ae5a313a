"""Functions of one number with their derivatives, many small pictures of one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pynet._types import Array
from pynet.viz.style import BLACK, BLUE, ORANGE, styled


class Curve(NamedTuple):
    """A function and its derivative at the points x, in rising order."""

    x: Array
    y: Array
    slope: Array


def draw_activations(
    figure: Any, curves: Mapping[str, Curve], columns: int = 6, low: float = -2, high: float = 4
) -> None:
    """Draw each curve into a picture of its own with its name above, `columns` to a row.

    The function is solid, its derivative dashed; lines break where they jump. All have the same
    axes: x as in the first curve, y from `low` to `high`.

    Raises ValueError without a curve or a column.
    """
    if not curves or columns < 1:
        raise ValueError(
            f"[draw_activations] curves: expected one or more, and a column or more, "
            f"got {len(curves)}, {columns}"
        )
    rows = -(-len(curves) // columns)
    first = next(iter(curves.values())).x
    with styled():
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (name, curve) in zip(grid.flat, curves.items()):
            axes.axhline(0, color=BLACK, linewidth=0.5)
            axes.axvline(0, color=BLACK, linewidth=0.5)
            (y,) = axes.plot(curve.x, _broken(curve.y), "-", color=BLUE, linewidth=2)
            (slope,) = axes.plot(
                curve.x, _broken(curve.slope), "--", color=ORANGE, linewidth=1.5, dashes=(3, 1.5)
            )
            axes.set_title(name)
        for axes in grid.flat[len(curves) :]:
            axes.set_axis_off()
        grid[0, 0].set(xlim=(first[0], first[-1]), ylim=(low, high))
        grid[0, 0].set_yticks(np.arange(low, high + 1, 2))
        for axes in grid[:, 0]:
            axes.set_ylabel("y, dy/dx")
        below = len(curves) - columns * (rows - 1)
        for column in range(columns):
            axes = grid[rows - 1 if column < below else max(rows - 2, 0), column]
            axes.set_xlabel("x")
            axes.tick_params(labelbottom=True)
        figure.legend(
            (y, slope),
            ("y, the function", "dy/dx, its derivative"),
            loc="outside lower right",
            ncols=2,
            fontsize=10,
        )


def _broken(y: Array) -> Array:
    """Y with a gap (NaN) behind each point from which it jumps."""
    jumps = np.append(np.abs(np.diff(y)) > 0.15, False)
    return np.where(jumps, np.nan, y)
