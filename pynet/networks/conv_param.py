"""What the book's convolutional nets are told about their sizes, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pynet.layers.inputs import sample_shape

_KEYS = ("filter_num", "filter_size", "pad", "stride")


def image_sides(where: str, input_dim: Any) -> tuple[int, int, int]:
    """Return C, H and W; TypeError or ValueError for what is no shape of an image."""
    shape = sample_shape(where, input_dim)
    if len(shape) != 3:
        raise ValueError(f"{where} input_dim: expected an image (C, H, W), got {shape}")
    C, H, W = shape
    return C, H, W


def conv_sizes(where: str, param: Any) -> tuple[int, int, int, int]:
    """Return FN, size, pad and stride of the book's dict; ValueError where one is missing."""
    if not isinstance(param, Mapping) or any(key not in param for key in _KEYS):
        got = dict(param) if isinstance(param, Mapping) else type(param).__name__
        raise ValueError(f"{where}: expected a dict of {', '.join(_KEYS)}, got {got}")
    FN, size, pad, stride = (param[key] for key in _KEYS)
    return FN, size, pad, stride
