"""What comes into a layer or a network from outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import backend, devices
from pynet._types import Array, Shape
from pynet.checks import no_array, whole_number


def real_array(where: str, value: Any) -> Array:
    """Return `value` as an array of real numbers; `where` is as in "[Affine.forward] x".

    Raises TypeError for anything else, and for masked elements, which `np.asarray` would unmask.
    """
    if backend.on_device(value):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise no_array(where, value, error) from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{where}: expected real numbers, got dtype {array.dtype}")
    if type(value) is not np.ndarray and np.any(getattr(value, "mask", False)):
        raise TypeError(f"{where}: expected an array without masked elements, got {value!r}")
    return array


def parameter(value: Any) -> Any:
    """Return a parameter as an array, and None, which stands for one not made yet, as it is.

    Typed Any: that a layer without its parameters is never computed with is what `built` is for.
    """
    return value if value is None else devices.array(value)


def filled_array(where: str, value: Any) -> Array:
    """Return `value` as `real_array` does; ValueError where it has no element."""
    array = real_array(where, value)
    if array.size == 0:
        raise ValueError(f"{where}: expected at least one element, got shape {array.shape}")
    return array


def image_shape(where: str, x_shape: Shape) -> Shape:
    """Return x_shape; ValueError unless it is that of images (N, C, H, W)."""
    if len(x_shape) != 4 or min(x_shape) < 1:
        raise ValueError(f"{where}: expected shape (N, C, H, W), got {x_shape}")
    return x_shape


def sequence_array(where: str, value: Any) -> Array:
    """Return x as an array of shape (N, C, L); ValueError where it has another rank."""
    array = real_array(where, value)
    if array.ndim != 3:
        raise ValueError(f"{where}: expected shape (N, C, L), got {array.shape}")
    return array


def gradient_array(where: str, value: Any, shape: Shape, dtype: Any) -> Array:
    """Return dout as an array of this dtype, its own for None; ValueError for another shape."""
    array = real_array(where, value)
    if array.shape != shape:
        raise ValueError(f"{where}: expected shape {shape}, got {array.shape}")
    return array if dtype is None else array.astype(dtype, copy=False)


def batch_shape(where: str, x_shape: Shape) -> Shape:
    """Return x_shape; ValueError unless it is that of a batch of at least one sample and value.

    A layer that takes its sizes from its first input keeps them: better none than wrong ones.
    """
    if len(x_shape) < 1 or min(x_shape) < 1:
        raise ValueError(f"{where}: expected a batch of shape (N, ...), got {x_shape}")
    return x_shape


def sample_shape(where: str, input_dim: Any) -> Shape:
    """Return the shape of one sample; TypeError or ValueError for anything else."""
    if not isinstance(input_dim, tuple | list) or not input_dim:
        kind = ValueError if input_dim is None else TypeError
        raise kind(f"{where} input_dim: expected the shape of one sample, got {input_dim!r}")
    return tuple(whole_number(f"{where} input_dim", n) for n in input_dim)
