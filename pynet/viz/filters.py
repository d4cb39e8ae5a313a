"""What a convolution has learnt: its filters as images."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import ArrayLike
from pynet.viz.tiles import draw_tiles


def draw_filters(axes: Any, W: ArrayLike, columns: int = 10, channel: int = 0) -> None:
    """Draw one channel of the filters W (FN, C, FH, FW), each from its least to its largest weight.

    Raises ValueError for another shape, IndexError for a channel that is not there.
    """
    filters = np.asarray(W)
    if filters.ndim != 4:
        raise ValueError(f"[draw_filters] W: expected shape (FN, C, FH, FW), got {filters.shape}")
    if not 0 <= channel < filters.shape[1]:
        raise IndexError(
            f"[draw_filters] channel: expected 0 to {filters.shape[1] - 1}, got {channel}"
        )
    draw_tiles(axes, filters[:, channel], columns)
