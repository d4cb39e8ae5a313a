"""Pooling to a size that is given, whatever the size of the image."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike, Pair
from pynet.layers.inputs import real_array
from pynet.layers.resampling import Resampling, Taps
from pynet.layers.shapes import checked_pair, pair


@lru_cache(maxsize=256)
def _windows(size: int, new: int, mean: bool) -> Taps:
    """Window i: the pixels floor(i*size/new) to ceil((i+1)*size/new) - 1, in rows of one length.

    What a shorter window lacks is, for a mean, a pixel outside; for a maximum its last one again.
    """
    i = np.arange(new)
    begin, end = i * size // new, -(-(i + 1) * size // new)
    longest = int((end - begin).max())
    indices = begin[:, None] + np.arange(longest)
    inside = indices < end[:, None]
    if mean:
        indices, weights = np.where(inside, indices, size), inside / (end - begin)[:, None]
    else:
        indices, weights = np.minimum(indices, end[:, None] - 1), np.ones(indices.shape)
    return Taps(indices.astype(np.int32), weights)


class _Adaptive(Resampling):
    """What adaptive poolings share."""

    def __init__(self, size: Pair) -> None:
        super().__init__()
        checked_pair(f"[{type(self).__name__}] size", size)
        self.size = size

    def _out(self, size: int, axis: int) -> int:
        return pair(self.size)[axis]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'x'.join(map(str, pair(self.size)))})"


class AdaptiveAveragePooling(_Adaptive):
    """y is the mean of each of OH x OW windows that share the image among them.

    Shapes: x (N, C, H, W), y (N, C, OH, OW) with `size` OH or (OH, OW). The window of row i goes
    from floor(i*H/OH) to ceil((i+1)*H/OH), its end not included; where OH does not divide H,
    windows overlap.

    Raises ValueError for a size below 1.

    Source: He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual
    Recognition", 2014.
    """

    def _axis(self, size: int, axis: int) -> Taps:
        return _windows(size, self._out(size, axis), True)


class AdaptiveMaxPooling(_Adaptive):
    """y is the maximum of each of OH x OW windows, those of `AdaptiveAveragePooling`.

    Of equal values the first in row order counts.

    Raises ValueError for a size below 1.

    Source: He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual
    Recognition", 2014.
    """

    def _axis(self, size: int, axis: int) -> Taps:
        """One row after the other of windows that no longer overlap."""
        taps = _windows(size, self._out(size, axis), False)
        return Taps(*(a.reshape(-1, 1) for a in taps))

    def forward(self, x: ArrayLike) -> Array:
        x = real_array("[AdaptiveMaxPooling.forward] x", x)
        spread = super().forward(x)
        OH, OW = pair(self.size)
        self._kernel = spread.shape[2] // OH, spread.shape[3] // OW
        y, self._arg = ops.max_pool2d(spread, self._kernel)
        self._spread = spread.shape
        return y

    def backward(self, dout: ArrayLike) -> Array:
        self._saved(self._x_shape)
        return super().backward(
            ops.max_pool2d_backward(dout, self._arg, self._spread, self._kernel)
        )
