"""Dropout."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


def dropout(
    x: ArrayLike, ratio: float, *, seed: int, layer: int, step: int, inverted: bool = False
) -> tuple[Array, Array]:
    """Return x * mask, and the mask (uint8): 1 where u > ratio, with u uniform in [0, 1).

    u is a pure function of (seed, layer, step, position): the same call gives the same mask, for
    any number of threads. With `inverted` the kept values are divided by 1 - ratio.

    Raises ValueError for a ratio outside [0, 1], and for 1 with `inverted`.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", 2014; Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
    """
    return of(x).dropout(x, ratio, seed=seed, layer=layer, step=step, inverted=inverted)


def dropout_backward(
    dout: ArrayLike,
    mask: Array,
    *,
    scale: float = 1.0,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Return dx = dout * mask * scale. `add` adds into `out`.

    Raises ValueError when dout and mask differ in shape.
    """
    return of(dout).dropout_backward(dout, mask, scale=scale, out=out, add=add)
