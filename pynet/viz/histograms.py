"""How the values in each layer are spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pynet._types import ArrayLike
from pynet.viz.style import BLUE


def draw_histograms(
    axes: Any,
    values: Mapping[str, ArrayLike],
    bins: int = 30,
    range: tuple[float, float] | None = None,
    most: float | None = None,
    color: str = BLUE,
) -> None:
    """Draw one histogram for each name, side by side, values upwards, counts to the right.

    A bin with the share `most` of the values fills the width, and so does one with more; `most`
    None means the share of the fullest bin. Values outside `range` count in the first and last
    bin; `range` None means from the least to the largest value of all.

    Raises ValueError when there are no values.
    """
    arrays = {name: np.asarray(array, np.float64).ravel() for name, array in values.items()}
    if not arrays or any(array.size == 0 for array in arrays.values()):
        raise ValueError("[draw_histograms] values: expected an array or more, each with values")
    if range is None:
        range = (min(a.min() for a in arrays.values()), max(a.max() for a in arrays.values()))
    for i, array in enumerate(arrays.values()):
        counts, edges = np.histogram(np.clip(array, *range), bins=bins, range=range)
        widths = 0.85 * np.minimum(counts / (most * array.size if most else counts.max()), 1)
        axes.fill_betweenx(
            edges.repeat(2)[1:-1], i, i + widths.repeat(2), color=color, linewidth=0.6
        )
    axes.set(xticks=np.arange(len(arrays)), xticklabels=list(arrays), xlim=(-0.1, len(arrays)))
