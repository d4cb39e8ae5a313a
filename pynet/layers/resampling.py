"""Layers that make an image of another size out of old pixels: padding, upsampling.

Each says, along each axis, which old pixels make a new one and with what weights; the rest is
`ops.resample2d`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pynet import backend, devices, ops
from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.checks import one_of, real_number
from pynet.layers.base import Description, Layer
from pynet.layers.inputs import image_shape, real_array
from pynet.layers.shapes import checked_pair, pair


class Taps(NamedTuple):
    """The old pixels of each new one along one axis, and their weights: (new size, pixels)."""

    indices: Array
    weights: Array


class Resampling(Layer, ABC):
    """What layers share that say how long an axis becomes, and what its pixels are made of."""

    fill = 0.0  # what lies outside of the image

    def __init__(self) -> None:
        self._x_shape: Shape | None = None
        self._taps: tuple[Array, ...] = ()
        self._grid: tuple[Array, ...] = ()  # the same where x is

    @abstractmethod
    def _axis(self, size: int, axis: int) -> Taps:
        """The taps of an axis of this size: axis 0 is that of the rows, 1 that of the columns."""

    @abstractmethod
    def _out(self, size: int, axis: int) -> int:
        """How long it becomes; ValueError where it cannot."""

    def forward(self, x: ArrayLike) -> Array:
        x = real_array(f"[{type(self).__name__}.forward] x", x)
        self.describe(x.shape)  # or raises
        self._grid = self._tables(x)
        rows, row_weights, columns, column_weights = self._grid
        y = ops.resample2d(x, rows, row_weights, columns, column_weights, fill=self.fill)
        self._x_shape = x.shape
        return y

    def _tables(self, x: Array) -> tuple[Array, ...]:
        """Both axes' taps in the dtype of x.

        Where they equal those of the last pass they are the same arrays: a recorded step goes on
        reading them.
        """
        dtype = np.float64 if x.dtype == np.float64 else np.float32
        rows, columns = self._axis(x.shape[2], 0), self._axis(x.shape[3], 1)
        tables = [a.astype(dtype) if a.dtype.kind == "f" else a for a in (*rows, *columns)]
        same = [
            old.dtype == new.dtype and np.array_equal(old, new)
            for old, new in zip(self._taps, tables)
        ]
        if same and all(same) and backend.on_device(self._grid[0]) == backend.on_device(x):
            return self._grid
        self._taps = tuple(tables)
        return tuple(devices.beside(table, x) for table in tables)

    def backward(self, dout: ArrayLike) -> Array:
        x_shape: Shape = self._saved(self._x_shape)
        rows, row_weights, columns, column_weights = self._grid
        return ops.resample2d_backward(dout, rows, row_weights, columns, column_weights, x_shape)

    def describe(self, x_shape: Shape) -> Description:
        N, C, H, W = image_shape(f"[{type(self).__name__}.forward] x", x_shape)
        return Description((N, C, self._out(H, 0), self._out(W, 1)))


# ---- padding -----------------------------------------------------------------------------------

# Where the pixel at i = -before .. size + after - 1 comes from; `size` means outside.
_SOURCES: dict[str, Callable[[Array, int], Array]] = {
    "constant": lambda i, size: np.where((i >= 0) & (i < size), i, size),
    "reflect": lambda i, size: size - 1 - np.abs(size - 1 - np.abs(i)),
    "edge": lambda i, size: np.clip(i, 0, size - 1),
}


@lru_cache(maxsize=256)
def _pad_taps(size: int, before: int, after: int, mode: str) -> Taps:
    indices = _SOURCES[mode](np.arange(-before, size + after), size)[:, None]
    return Taps(indices.astype(np.int32), np.ones(indices.shape, np.float32))


class Padding(Resampling):
    """Put a margin around the image: x (N, C, H, W), y (N, C, top + H + bottom, left + W + right).

    `pad` is one number for all sides, (rows, columns), or (top, bottom, left, right). In the margin
    is `value` in mode 'constant'; 'edge' repeats the outermost pixels; 'reflect' mirrors the image
    at them. Backward gives dout back to where each pixel came from.

    Raises ValueError for sizes below 0, another mode, and in mode 'reflect' for a margin that the
    image is too small for.
    """

    def __init__(
        self,
        pad: int | tuple[int, ...],
        mode: str = "constant",
        value: float = 0.0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        sides = tuple(pad) if isinstance(pad, tuple | list) else (pad,) * 4
        if len(sides) == 2:
            sides = (sides[0], sides[0], sides[1], sides[1])
        if len(sides) != 4 or not all(
            isinstance(n, int | np.integer) and 0 <= n < 2**31 for n in sides
        ):
            raise ValueError(
                f"[{name}] pad: expected one, two or four integers of at least 0, got {pad!r}"
            )
        self.pad = pad
        self.mode = one_of(f"[{name}] mode", mode, _SOURCES)
        self.fill = real_number(f"[{name}] value", value)
        self._sides = sides[:2], sides[2:]

    def _axis(self, size: int, axis: int) -> Taps:
        return _pad_taps(size, *self._sides[axis], self.mode)

    def _out(self, size: int, axis: int) -> int:
        if self.mode == "reflect" and max(self._sides[axis]) >= size:
            raise ValueError(
                f"[{type(self).__name__}.forward] x: expected sides above the padding "
                f"{self.pad} to reflect, got {size}"
            )
        return size + sum(self._sides[axis])

    def __repr__(self) -> str:
        if self.mode == "constant":
            return f"Padding({self.pad}{f', value={self.fill:g}' if self.fill else ''})"
        return f"Padding({self.pad}, {self.mode!r})"


class ZeroPadding(Padding):
    """`Padding` with zeros."""

    def __init__(self, pad: int | tuple[int, ...]) -> None:
        super().__init__(pad)

    def __repr__(self) -> str:
        return f"ZeroPadding({self.pad})"


# ---- upsampling --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _nearest_taps(size: int, scale: int) -> Taps:
    indices = (np.arange(size * scale) // scale)[:, None]
    return Taps(indices.astype(np.int32), np.ones(indices.shape, np.float32))


@lru_cache(maxsize=256)
def _bilinear_taps(size: int, scale: int) -> Taps:
    place = (np.arange(size * scale) + 0.5) / scale - 0.5  # of the new pixel's centre
    place = np.clip(place, 0, size - 1)
    first = np.minimum(place.astype(np.int32), max(size - 2, 0))
    share = place - first
    indices = np.stack([first, np.minimum(first + 1, size - 1)], axis=1)
    return Taps(indices.astype(np.int32), np.stack([1 - share, share], axis=1))


_UPSAMPLING = {"nearest": _nearest_taps, "bilinear": _bilinear_taps}


class Upsampling(Resampling):
    """Enlarge the image by whole numbers: x (N, C, H, W), y (N, C, H*scale, W*scale).

    Mode 'nearest' repeats each pixel, 'bilinear' weighs the four nearest by their distance, the
    centres of pixels being at half numbers. `scale` is a number or a (height, width) pair.

    Raises ValueError for a scale below 1 or another mode.

    Source: Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", 2016.
    """

    def __init__(self, scale: Pair = 2, mode: str = "nearest") -> None:
        super().__init__()
        checked_pair("[Upsampling] scale", scale)
        self.scale = scale
        self.mode = one_of("[Upsampling] mode", mode, _UPSAMPLING)

    def _axis(self, size: int, axis: int) -> Taps:
        return _UPSAMPLING[self.mode](size, pair(self.scale)[axis])

    def _out(self, size: int, axis: int) -> int:
        return size * pair(self.scale)[axis]

    def __repr__(self) -> str:
        return f"Upsampling({self.scale}{', ' + repr(self.mode) if self.mode != 'nearest' else ''})"
