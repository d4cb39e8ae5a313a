"""Many small images as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import Array, ArrayLike


def tile(images: ArrayLike, columns: int, *, scale_each: bool = True) -> Array:
    """Return images (N, H, W) side by side as one, `columns` to a row, with gaps of NaN.

    With `scale_each` every image goes from 0 to 1 by itself, else all of them together.

    Raises ValueError for another shape, or no image, or less than one column.
    """
    pixels = np.asarray(images, np.float64)
    if pixels.ndim != 3 or pixels.size == 0 or columns < 1:
        raise ValueError(
            f"[tile] images: expected (N, H, W) and a column or more, got {pixels.shape}, {columns}"
        )
    axes = (1, 2) if scale_each else None
    low, high = (f(pixels, axis=axes, keepdims=True) for f in (np.min, np.max))
    pixels = (pixels - low) / np.where(high > low, high - low, 1)
    N, H, W = pixels.shape
    rows = -(-N // columns)
    gap = max(1, round(max(H, W) / 12))
    out = np.full((rows * (H + gap) - gap, columns * (W + gap) - gap), np.nan)
    for i, image in enumerate(pixels):
        y, x = i // columns * (H + gap), i % columns * (W + gap)
        out[y : y + H, x : x + W] = image
    return out


def draw_tiles(axes: Any, images: ArrayLike, columns: int, cmap: str = "gray") -> None:
    """Draw images (N, H, W) into matplotlib axes, without ticks."""
    axes.imshow(tile(images, columns), cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
