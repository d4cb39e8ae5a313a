"""Convolution as the book does it: windows to rows (im2col), one matrix product, and back."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.reference._arrays import as_float, floats, pair, store


def output_size(
    x_shape: Shape, FH: int, FW: int, stride: Pair, pad: Pair, dilation: Pair
) -> tuple[int, int]:
    """How many windows fit: OH = (H + 2 pad - dilation (FH - 1) - 1) // stride + 1."""
    _, _, H, W = x_shape
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(pad), pair(dilation)
    OH = (H + 2 * ph - dh * (FH - 1) - 1) // sh + 1
    OW = (W + 2 * pw - dw * (FW - 1) - 1) // sw + 1
    return OH, OW


def windows(
    x: Array,
    FH: int,
    FW: int,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    fill: float = 0.0,
) -> Array:
    """All windows of x, (N, C, FH, FW, OH, OW); outside of the image lies `fill`."""
    N, C, _, _ = x.shape
    OH, OW = output_size(x.shape, FH, FW, stride, pad, dilation)
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(pad), pair(dilation)
    image = np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)], constant_values=fill)

    found = np.empty((N, C, FH, FW, OH, OW), x.dtype)
    for fy in range(FH):
        rows = slice(fy * dh, fy * dh + sh * OH, sh)
        for fx in range(FW):
            columns = slice(fx * dw, fx * dw + sw * OW, sw)
            found[:, :, fy, fx] = image[:, :, rows, columns]
    return found


def add_windows(
    values: Array,
    x_shape: Shape,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
) -> Array:
    """The way back: windows (N, C, FH, FW, OH, OW) return to their places, overlaps add."""
    N, C, H, W = x_shape
    _, _, FH, FW, OH, OW = values.shape
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(pad), pair(dilation)

    image = np.zeros((N, C, H + 2 * ph, W + 2 * pw), values.dtype)
    for fy in range(FH):
        rows = slice(fy * dh, fy * dh + sh * OH, sh)
        for fx in range(FW):
            columns = slice(fx * dw, fx * dw + sw * OW, sw)
            image[:, :, rows, columns] += values[:, :, fy, fx]
    return image[:, :, ph : ph + H, pw : pw + W]


def im2col(
    x: ArrayLike, FH: int, FW: int, *, stride: Pair = 1, pad: Pair = 0, dilation: Pair = 1
) -> Array:
    """One row per window of x: (N, C, H, W) -> (N*OH*OW, C*FH*FW)."""
    values = windows(as_float(x), FH, FW, stride, pad, dilation)
    N, C, _, _, OH, OW = values.shape
    return store(values.transpose(0, 4, 5, 1, 2, 3).reshape(N * OH * OW, C * FH * FW))


def col2im(
    col: ArrayLike,
    x_shape: Shape,
    FH: int,
    FW: int,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
) -> Array:
    """The adjoint of im2col: (N*OH*OW, C*FH*FW) -> (N, C, H, W); where windows overlap they add."""
    N, C, _, _ = x_shape
    OH, OW = output_size(x_shape, FH, FW, stride, pad, dilation)
    values = as_float(col).reshape(N, OH, OW, C, FH, FW).transpose(0, 3, 4, 5, 1, 2)
    return store(add_windows(values, x_shape, stride, pad, dilation))


def conv2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    relu: bool = False,
    out: Array | None = None,
) -> Array:
    """Y = x * W + b: x (N, C, H, W), W (FN, C/groups, FH, FW), b (FN,) -> (N, FN, OH, OW).

    With relu it is max(0, y).
    """
    x, W, b = floats(x, W, 0 if b is None else b)
    FN, _, FH, FW = W.shape
    OH, OW = output_size(x.shape, FH, FW, stride, pad, dilation)

    parts = []
    for xg, Wg in zip(np.split(x, groups, axis=1), np.split(W, groups)):
        col = im2col(xg, FH, FW, stride=stride, pad=pad, dilation=dilation)
        parts.append(np.dot(col, Wg.reshape(FN // groups, -1).T))
    y = parts[0] if groups == 1 else np.concatenate(parts, axis=1)
    y = y + b
    if relu:
        y[y <= 0] = 0
    return store(y.reshape(len(x), OH, OW, FN).transpose(0, 3, 1, 2), out)


def conv2d_dx(
    dout: ArrayLike,
    W: ArrayLike,
    x_shape: Shape,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """The gradient of conv2d's input: dout W, taken from rows back to windows of the image."""
    W = as_float(W)
    dout = np.asarray(dout, W.dtype)
    N, C, H, width = x_shape
    _, _, FH, FW = W.shape

    parts = []
    for dg, Wg in zip(np.split(dout, groups, axis=1), np.split(W, groups)):
        rows = dg.transpose(0, 2, 3, 1).reshape(-1, len(Wg))
        dcol = np.dot(rows, Wg.reshape(len(Wg), -1))
        xg_shape = (N, C // groups, H, width)
        parts.append(col2im(dcol, xg_shape, FH, FW, stride=stride, pad=pad, dilation=dilation))
    return store(parts[0] if groups == 1 else np.concatenate(parts, axis=1), out, add)


def conv2d_dW(
    dout: ArrayLike,
    x: ArrayLike,
    W_shape: Shape,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """The gradient of conv2d's filters: every window weighted by the dout it led to."""
    x = as_float(x)
    dout = np.asarray(dout, x.dtype)
    FN, _, FH, FW = W_shape

    parts = []
    for dg, xg in zip(np.split(dout, groups, axis=1), np.split(x, groups, axis=1)):
        col = im2col(xg, FH, FW, stride=stride, pad=pad, dilation=dilation)
        rows = dg.transpose(0, 2, 3, 1).reshape(-1, FN // groups)
        parts.append(np.dot(rows.T, col))
    return store(np.concatenate(parts).reshape(W_shape), out)


def conv2d_naive(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Array:
    """Convolution as it is defined, in seven loops: for reading, and to check conv2d by."""
    x, W, b = floats(x, W, 0 if b is None else b)
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(pad), pair(dilation)
    N, _, H, width = x.shape
    FN, CG, FH, FW = W.shape  # CG: the channels that one filter sees
    OH, OW = output_size(x.shape, FH, FW, stride, pad, dilation)

    y = np.zeros((N, FN, OH, OW), x.dtype)
    y += b.reshape(-1, 1, 1)
    for n in range(N):
        for fn in range(FN):
            first = fn // (FN // groups) * CG
            for oy in range(OH):
                for ox in range(OW):
                    for c in range(CG):
                        for fy in range(FH):
                            for fx in range(FW):
                                iy = oy * sh - ph + fy * dh
                                ix = ox * sw - pw + fx * dw
                                if 0 <= iy < H and 0 <= ix < width:
                                    y[n, fn, oy, ox] += x[n, first + c, iy, ix] * W[fn, c, fy, fx]
    return y
