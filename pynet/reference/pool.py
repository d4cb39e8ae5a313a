"""Pooling: one number per window."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.reference._arrays import as_float, pair, store
from pynet.reference.activation import relu_backward
from pynet.reference.conv import add_windows, conv2d, windows


def max_pool2d(
    x: ArrayLike, kernel: Pair, *, stride: Pair | None = None, pad: Pair = 0
) -> tuple[Array, Array]:
    """The largest value of each window and its place in it, fy*FW + fx; the first of equals."""
    x = as_float(x)
    FH, FW = pair(kernel)
    stride = kernel if stride is None else stride
    col = _flat(windows(x, FH, FW, stride, pad, fill=-np.inf))
    arg = col.argmax(axis=-1)
    y = np.take_along_axis(col, arg[..., None], axis=-1)[..., 0]

    # Where all of a window is -inf, argmax may point at the padding: the first true pixel wins.
    inside = _flat(windows(np.ones((1, 1) + x.shape[2:]), FH, FW, stride, pad))
    arg = np.where(y == -np.inf, inside.argmax(axis=-1), arg)
    return y, arg.astype(np.int32)


def conv2d_max_pool2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None,
    kernel: Pair,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    relu: bool = False,
) -> tuple[Array, Array]:
    """Convolution, relu if asked for, and max pooling with windows side by side."""
    y = conv2d(x, W, b, stride=stride, pad=pad, dilation=dilation, groups=groups, relu=relu)
    return max_pool2d(y, kernel)


def max_pool2d_backward(
    dout: ArrayLike,
    arg: Array,
    x_shape: Shape,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    pad: Pair = 0,
    y: Array | None = None,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Gradient of max_pool2d: dout goes to the largest pixel; where windows overlap it adds up.

    Where x is relu(...), y lets through what relu_backward would: dout where y > 0.
    """
    dout = as_float(dout) if y is None else relu_backward(dout, y)
    FH, FW = pair(kernel)
    place = np.arange(FH * FW).reshape(FH, FW, 1, 1)
    dcol = np.where(arg[:, :, None, None] == place, dout[:, :, None, None], 0)
    return store(add_windows(dcol, x_shape, kernel if stride is None else stride, pad), out, add)


def avg_pool2d(
    x: ArrayLike,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    pad: Pair = 0,
    count_pad: bool = True,
) -> Array:
    """The mean of each window. count_pad: the padding counts as zeros, else not at all."""
    x = as_float(x)
    stride = kernel if stride is None else stride
    total = windows(x, *pair(kernel), stride, pad).sum(axis=(2, 3))
    return total / _window_sizes(x.shape, kernel, stride, pad, count_pad).astype(x.dtype)


def avg_pool2d_backward(
    dout: ArrayLike,
    x_shape: Shape,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    pad: Pair = 0,
    count_pad: bool = True,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Each pixel of a window receives the same share of its dout."""
    dout = as_float(dout)
    FH, FW = pair(kernel)
    stride = kernel if stride is None else stride
    share = dout / _window_sizes(x_shape, kernel, stride, pad, count_pad).astype(dout.dtype)
    dcol = np.broadcast_to(share[:, :, None, None], (*x_shape[:2], FH, FW, *dout.shape[2:]))
    return store(add_windows(dcol, x_shape, stride, pad), out, add)


def global_avg_pool2d(x: ArrayLike) -> Array:
    """The mean of each channel's image: (N, C, H, W) -> (N, C)."""
    return as_float(x).mean(axis=(2, 3))


def global_avg_pool2d_backward(
    dout: ArrayLike,
    x_shape: Shape,
    *,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Each pixel receives dout / (H W)."""
    dout = as_float(dout)
    _, _, H, W = x_shape
    return store(np.broadcast_to(dout[:, :, None, None] / (H * W), x_shape), out, add)


def _flat(values: Array) -> Array:
    """Windows (N, C, FH, FW, OH, OW) with their pixels as the last axis: (N, C, OH, OW, FH*FW)."""
    N, C, FH, FW, OH, OW = values.shape
    return values.transpose(0, 1, 4, 5, 2, 3).reshape(N, C, OH, OW, FH * FW)


def _window_sizes(x_shape: Shape, kernel: Pair, stride: Pair, pad: Pair, count_pad: bool) -> Array:
    """By how many pixels the mean of each window divides: (1, 1, OH, OW)."""
    image = np.ones((1, 1) + x_shape[2:])
    return windows(image, *pair(kernel), stride, pad, fill=float(count_pad)).sum(axis=(2, 3))
