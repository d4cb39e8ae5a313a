"""The book's helpers. A star import also brings `np`, as in the book."""

from __future__ import annotations

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike, Shape

__all__ = ["col2im", "conv_output_size", "im2col", "np", "shuffle_dataset", "smooth_curve"]


def smooth_curve(x: ArrayLike) -> Array:
    """Return x smoothed with a Kaiser window (length 11, beta 2) over the series and its mirror.

    The result is as long as x from 11 values on, shorter below that.

    Source: Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974.
    """
    x = np.asarray(x)
    length = 11
    mirrored = np.concatenate([x[length - 1 : 0 : -1], x, x[-1:-length:-1]])
    window = np.kaiser(length, 2)
    smooth = np.convolve(window / window.sum(), mirrored, mode="valid")
    return smooth[5 : len(smooth) - 5]


def shuffle_dataset(x: Array, t: Array) -> tuple[Array, Array]:
    """Return x and t in one random order, drawn from `np.random`.

    Raises ValueError when they differ in length.
    """
    if len(x) != len(t):
        raise ValueError(f"[shuffle_dataset] t: expected {len(x)} labels like x, got {len(t)}")
    order = np.random.permutation(len(x))
    return x[order], t[order]


def conv_output_size(input_size: int, filter_size: int, stride: int = 1, pad: int = 0) -> float:
    """Return (I + 2P - F) / S + 1: a float, not rounded down, as in the book."""
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(
    input_data: ArrayLike, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0
) -> Array:
    """Return the windows of input_data as the rows of a matrix.

    Shapes: input_data (N, C, H, W), result (N*OH*OW, C*FH*FW); rows in the order n, y, x and
    columns in the order c, fy, fx; OH = (H + 2*pad - FH) // stride + 1. Padding is 0.

    Raises ValueError when input_data is not 4-D or an output side is below 1.
    """
    return ops.im2col(input_data, filter_h, filter_w, stride=stride, pad=pad)


def col2im(
    col: ArrayLike,
    input_shape: Shape,
    filter_h: int,
    filter_w: int,
    stride: int = 1,
    pad: int = 0,
) -> Array:
    """Return the adjoint of `im2col`: rows go back to their windows, overlaps add up.

    Shapes: col (N*OH*OW, C*FH*FW), result as `input_shape` (N, C, H, W).

    Raises ValueError when the shapes do not belong together.
    """
    return ops.col2im(col, input_shape, filter_h, filter_w, stride=stride, pad=pad)
