"""The types that signatures share."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import ArrayLike, DTypeLike, NDArray

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = int | tuple[int, int]  # one number for both axes, or (height, width)

__all__ = ["Array", "ArrayLike", "DTypeLike", "Pair", "Shape"]
