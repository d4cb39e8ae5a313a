"""Images of another size: what upsampling, padding and adaptive pooling have in common."""

from __future__ import annotations

from pynet._types import Array, ArrayLike, Shape
from pynet.backend import of


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
    """Return `y[n,c,i,j] = sum over p,q of v[i,p] * w[j,q] * x[n, c, rows[i,p], columns[j,q]]`.

    v are the `row_weights`, w the `column_weights`. An index of H in rows (of W in columns) is
    outside of the image, where every pixel counts as `fill`.

    Shapes: x (N, C, H, W), rows and row_weights (OH, P), columns and column_weights (OW, Q),
    y (N, C, OH, OW). rows and columns are integers; the weights do not decide the dtype.

    Raises ValueError when shapes do not fit, IndexError for an index below 0 or above H (W).
    """
    return of(x).resample2d(x, rows, row_weights, columns, column_weights, fill=fill, out=out)


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
    """Return dx: each dout goes back, with the same weights, to the pixels that made it.

    Shapes: dout (N, C, OH, OW), dx as `x_shape`. `add` adds into `out`.

    Raises ValueError when shapes do not fit, IndexError for an index below 0 or above H (W).
    """
    return of(dout).resample2d_backward(
        dout, rows, row_weights, columns, column_weights, x_shape, out=out, add=add
    )
