"""What every file of arrays holds: real numbers of the common types, under names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynet import backend, devices

Arrays = dict[str, NDArray[Any]]

# As in dtype.str, without the byte order.
NUMERIC = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})


class FormatError(ValueError):
    """A file is not what it should be: "expected ..., got ..."; the caller adds which file."""


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Bool, integers and floats up to 64 bits: what every file format here can hold."""
    return dtype.str[1:] in NUMERIC


def check_arrays(op: str, argument: str, arrays: object) -> Arrays:
    """The arrays as every format can write them: C order, native bytes, no subclass.

    Raises:
        TypeError: not a mapping of str to ndarray, or a type that is not numeric.
        ValueError: a name that not every format can hold.
    """
    if not isinstance(arrays, Mapping):
        got = type(arrays).__name__
        raise TypeError(f"[{op}] {argument}: expected a dict of arrays, got {got}")
    checked = {}
    for name, given in arrays.items():
        array = devices.to_numpy(given) if backend.on_device(given) else given
        if not isinstance(name, str):
            raise TypeError(f"[{op}] {argument}: expected names of type str, got {name!r}")
        # "__metadata__" is the one name that safetensors keeps for itself.
        if not name or "\0" in name or name == "__metadata__" or not _is_unicode(name):
            raise ValueError(f"[{op}] {argument}: expected a plain name, got {name!r}")
        if not isinstance(array, (np.ndarray, np.generic)):
            got = type(array).__name__
            raise TypeError(f"[{op}] {argument}: expected an array for {name!r}, got {got}")
        if not is_numeric(array.dtype):
            expected = f"bool, integers or floats of at most 64 bits for {name!r}"
            raise TypeError(f"[{op}] {argument}: expected {expected}, got {array.dtype}")
        checked[name] = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
    return checked


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
