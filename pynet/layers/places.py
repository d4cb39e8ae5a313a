"""One value for each channel, at every place of an image."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from pynet import backend, devices, ops
from pynet._types import Array, Shape


def ones(shape: Shape, dtype: np.dtype[Any], like: Array) -> Array:
    """Return ones where `like` is: the same array for the same shape, not to be written to."""
    return _ones(shape, dtype, backend.of(like) if backend.on_device(like) else None)


@lru_cache(maxsize=64)
def _ones(shape: Shape, dtype: np.dtype[Any], device: Any) -> Array:
    made = np.ones(shape, dtype)
    made.flags.writeable = False
    return made if device is None else devices.to_device(made)


def factors(values: Array, shape: Shape) -> tuple[Array, Array]:
    """Return the ones that `spread` multiplies by. Who keeps them lets a step be recorded."""
    channels, places = shape[0] * shape[1], math.prod(shape[2:])
    times = ones((channels // max(values.size, 1), 1), values.dtype, values)
    return times, ones((1, places), values.dtype, values)


def spread(values: Array, shape: Shape, by: tuple[Array, Array]) -> Array:
    """Return an array of `shape`, (N, C, ...), with one of the values in each channel.

    values: (N, C); or (C,) or a single number, the same for every sample; by: their `factors`. Two
    outer products: what is multiplied by 1 stays as it is.
    """
    times, places = by
    rows = ops.gemm(times, values.reshape(1, -1)).reshape(-1, 1)
    return ops.gemm(rows, places).reshape(shape)
