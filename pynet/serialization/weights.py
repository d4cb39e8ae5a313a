"""Weight files: a dict name -> array as safetensors, npz or the book's pickle."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any, BinaryIO

from numpy.typing import NDArray

from pynet.serialization import checkpoint
from pynet.serialization.arrays import Arrays, FormatError, check_arrays
from pynet.serialization.files import PathLike, check_path, open_file, write_atomic

_PICKLE_BEGINNINGS = (b"\x80", b"(d", b"}")  # protocols 2 and later; 0; 1
_PICKLE_ENDINGS = (".pkl", ".pickle")
_ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")  # the second: no arrays


def save_params(path: PathLike, params: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to a file whose kind follows from its name.

    `.safetensors` is written as by `save_checkpoint`, without metadata; `.npz` as by
    `numpy.savez`; `.pkl` as the book does, a pickle of a dict name -> ndarray, which the book's
    own `load_params` reads. All are written atomically (see `write_atomic`).

    Raises:
        ValueError: another ending, or a name that the file cannot hold.
        TypeError: not a dict of str -> array of bool, integers or floats.
        OSError: the file could not be written; the old one is in place.
    """
    op = "save_params"
    name = check_path(op, path)
    kind = _ending(name)
    if kind not in (".safetensors", ".npz", *_PICKLE_ENDINGS):
        expected = "a name that ends in .safetensors, .npz or .pkl"
        raise ValueError(f"[{op}] path: expected {expected}, got {name!r}")
    arrays = check_arrays(op, "params", params)
    if kind == ".safetensors":
        write_atomic(name, checkpoint.encode(op, arrays, {}), op=op)
    elif kind == ".npz":
        from pynet.serialization import npz  # zipfile costs a tenth of NumPy's import

        write_atomic(name, lambda stream: npz.write(stream, arrays), op=op)
    else:
        write_atomic(name, pickle.dumps(arrays), op=op)


def load_params(path: PathLike) -> Arrays:
    """Read a weight file, `.safetensors`, `.npz` or the book's `.pkl`: name -> new array.

    What kind it is, the content decides before the name. No file can run code: pickles are read by
    an interpreter that knows NumPy's arrays and nothing else. Of a checkpoint this returns the
    arrays.

    Raises:
        ValueError: none of these, damaged, or a pickle that holds anything but arrays of numbers.
        OSError: no such file (FileNotFoundError), or not readable.
    """
    op = "load_params"
    with open_file(op, path) as (stream, size):
        try:
            return _read(op, path, stream, size)
        except FormatError as error:
            raise ValueError(f"[{op}] path: {error} in {os.fspath(path)!r}") from error


def _read(op: str, path: PathLike, stream: BinaryIO, size: int) -> Arrays:
    head = stream.read(9)
    stream.seek(0)
    length = checkpoint.header_length(head, size)
    # The length first: that of a small safetensors file can look like the start of a pickle.
    if length is not None and head[8:] == b"{":
        data = stream.read(size)
        if checkpoint.has_digest(data[8 : 8 + length]):
            return checkpoint.decode(op, path, data)[0]
        return checkpoint.decode_arrays(op, path, data)
    if head.startswith(_ZIP_BEGINNINGS):
        from pynet.serialization import npz

        return npz.read(stream, size)
    if head.startswith(_PICKLE_BEGINNINGS) or _ending(path) in _PICKLE_ENDINGS:
        from pynet.serialization import book_pickle

        return book_pickle.read(stream, size)
    raise FormatError(f"expected safetensors, npz or pickle, got {size} bytes of something else")


def _ending(path: PathLike) -> str:
    return os.path.splitext(path)[1].lower()
