"""What a layer sees: its output for one image."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import ArrayLike
from pynet.viz.style import HEAT
from pynet.viz.tiles import draw_tiles


def draw_feature_maps(axes: Any, y: ArrayLike, columns: int = 8, most: int = 16) -> None:
    """Draw the first `most` channels of one image's output y, (C, H, W) or (1, C, H, W).

    Raises ValueError for another shape.
    """
    maps = np.asarray(y)
    if maps.ndim == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.ndim != 3:
        raise ValueError(
            f"[draw_feature_maps] y: expected the output of one image, got {maps.shape}"
        )
    draw_tiles(axes, maps[:most], columns, HEAT)
