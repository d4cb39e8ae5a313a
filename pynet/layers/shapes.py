"""Output sizes of windows that move over an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet._types import Pair, Shape
from pynet.checks import whole_number


def pair(value: Pair) -> tuple[int, int]:
    """Return (h, w) from one number for both, or from a pair."""
    h, w = (value, value) if isinstance(value, int | np.integer) else value
    return h, w


def checked_pair(where: str, value: Any, low: int = 1) -> tuple[int, int]:
    """Return (h, w) as `pair`; TypeError unless integers, ValueError below low or from 2**31."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    sides = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2:
        raise ValueError(f"{where}: expected an integer or two, got {value!r}")
    h, w = (whole_number(where, side, low, 2**31 - 1) for side in sides)
    return h, w


def check_windows(
    op: str, x_shape: Shape, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = 1
) -> None:
    """ValueError for a size out of range, and where x_shape is not (N, C, H, W)."""
    for name, value, least in (
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("pad", pad, 0),
        ("dilation", dilation, 1),
    ):
        checked_pair(f"[{op}] {name}", value, least)
    if len(x_shape) != 4:
        raise ValueError(f"[{op}] x: expected shape (N, C, H, W), got {x_shape}")


def out_size(
    op: str, x_shape: Shape, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = 1
) -> tuple[int, int]:
    """Return (OH, OW), with OH = (H + 2*pad - dilation*(FH-1) - 1) // stride + 1.

    Raises ValueError when x_shape is not (N, C, H, W) or a side would be below 1.
    """
    check_windows(op, x_shape, kernel, stride, pad, dilation)
    OH, OW = (
        (size + 2 * p - d * (f - 1) - 1) // s + 1
        for size, f, s, p, d in zip(
            x_shape[2:], pair(kernel), pair(stride), pair(pad), pair(dilation)
        )
    )
    if OH < 1 or OW < 1:
        raise ValueError(
            f"[{op}] x: expected an image that the {pair(kernel)} window fits into, got {x_shape}"
        )
    return OH, OW


_DEFAULTS = {"stride": 1, "pad": 0, "dilation": 1, "groups": 1}


def suffix(**options: object) -> str:
    """Return the options that differ from a convolution's defaults, as a repr shows them."""
    changed = {name: value for name, value in options.items() if value != _DEFAULTS[name]}
    return "".join(f", {name}={value}" for name, value in changed.items())
