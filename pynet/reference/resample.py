"""Images of another size: every new pixel a weighted sum of old ones, axis by axis."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike, Shape
from pynet.reference._arrays import as_float, store


def resample2d(
    x: ArrayLike,
    rows: Array,
    row_weights: ArrayLike,
    columns: Array,
    column_weights: ArrayLike,
    *,
    fill: float = 0.0,
    out: Array | None = None,
) -> Array:
    """New row i = sum of row_weights[i,p] x[rows[i,p]]; then the columns in the same way.

    With one more row and column of `fill` behind the image, index H (W) needs no special case.
    """
    x = as_float(x)
    x = np.pad(x, [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=fill)
    y = _take(x, rows, row_weights, axis=2)
    return store(_take(y, columns, column_weights, axis=3), out)


def resample2d_backward(
    dout: ArrayLike,
    rows: Array,
    row_weights: ArrayLike,
    columns: Array,
    column_weights: ArrayLike,
    x_shape: Shape,
    *,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """The adjoint: columns first, then rows, each dout added to the pixels that made it."""
    N, C, H, W = x_shape
    dout = as_float(dout)
    dx = _put(dout, columns, column_weights, axis=3, size=W + 1)
    dx = _put(dx, rows, row_weights, axis=2, size=H + 1)
    return store(dx[:, :, :H, :W], out, add)


def _take(x: Array, indices: Array, weights: ArrayLike, axis: int) -> Array:
    """Along one axis: the sum over p of weights[i,p] x[indices[i,p]]."""
    weights = np.asarray(weights, x.dtype)
    line = (-1, 1) if axis == 2 else (1, -1)
    terms = (
        weights[:, p].reshape(line) * x.take(indices[:, p], axis) for p in range(weights.shape[1])
    )
    return sum(terms, start=np.zeros(1, x.dtype))


def _put(dout: Array, indices: Array, weights: ArrayLike, axis: int, size: int) -> Array:
    """The adjoint of _take."""
    weights = np.asarray(weights, dout.dtype)
    dx = np.zeros((*dout.shape[:axis], size, *dout.shape[axis + 1 :]), dout.dtype)
    to, of = np.moveaxis(dx, axis, 0), np.moveaxis(dout, axis, 0)
    for p in range(weights.shape[1]):
        np.add.at(to, indices[:, p], weights[:, p].reshape(-1, 1, 1, 1) * of)
    return dx
