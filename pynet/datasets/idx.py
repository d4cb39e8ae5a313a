"""IDX files, the format of MNIST (LeCun, Cortes and Burges, 1998): plain or gzip-compressed.

Bytes 0 and 1 are 0, byte 2 is the element type (08 uint8, 09 int8, 0B int16, 0C int32,
0D float32, 0E float64), byte 3 the number of dimensions; then one big-endian uint32 for each
dimension, then the elements, big-endian, in C order.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pynet._types import Array
from pynet.datasets.arrays import MAX_CLASSES, one_hot_rows, prepare_images
from pynet.datasets.files import (
    DEFLATE_LIMIT,
    PathLike,
    Stream,
    allocate,
    as_path,
    complaint,
    fill,
    open_file,
)

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 4


def read_idx(path: PathLike, *, op: str = "read_idx") -> Array:
    """Read one IDX file into a fresh array in native byte order.

    Whether it is compressed is seen from its first bytes, not from its name. Nothing is
    allocated before the header has been compared with the size of the file, and decompression
    stops at the size that the header gives.

    Raises:
        ValueError: wrong magic number, impossible dimensions, truncated or corrupt file, bytes
            after the end.
        OSError: no such file (FileNotFoundError), or not readable.
        MemoryError: the array does not fit into memory.
    """
    file = as_path(op, "path", path)
    with open_file(op, file) as raw:
        file_size = os.fstat(raw.fileno()).st_size
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not compressed:
            return _read(op, file, raw, file_size, compressed=False)
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(op, file, stream, file_size, compressed=True)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            got = f"a damaged one: {error}"
            raise ValueError(complaint(op, file, "a whole gzip file", got)) from error


def _read(op: str, path: Path, stream: Stream, file_size: int, *, compressed: bool) -> Array:
    dtype, dims = _read_header(op, path, stream)
    size = math.prod(dims) * dtype.itemsize  # Python integers: no overflow
    wanted = f"{size} bytes after the header, whose dimensions are {dims}"
    rest = file_size - 4 - 4 * len(dims)
    if not compressed and rest != size:
        raise ValueError(complaint(op, path, wanted, f"{rest} bytes"))
    if compressed and size > DEFLATE_LIMIT * file_size:
        got = f"a gzip file of only {file_size} bytes"
        raise ValueError(complaint(op, path, wanted, got))
    data = allocate(op, path, size)
    came = fill(stream, data)
    if came < size:
        raise ValueError(complaint(op, path, wanted, f"{came} bytes"))
    if stream.read(1):  # this read also makes gzip compare its checksum
        raise ValueError(complaint(op, path, wanted, "more"))
    elements = data.view(dtype).reshape(dims)
    return elements.astype(dtype.newbyteorder("="), copy=False)


def _read_header(op: str, path: Path, stream: Stream) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        got = magic.hex(" ") or "an empty file"
        raise ValueError(complaint(op, path, "an IDX header 00 00 TYPE DIMENSIONS", got))
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise ValueError(complaint(op, path, f"1 to {_MAX_DIMENSIONS} dimensions", str(magic[3])))
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        got = f"{len(sizes)} bytes"
        raise ValueError(complaint(op, path, f"{4 * magic[3]} bytes of dimensions", got))
    dims = struct.unpack(f">{magic[3]}I", sizes)
    if 0 in dims:
        raise ValueError(complaint(op, path, "dimensions above 0", str(dims)))
    return np.dtype(_DTYPES[magic[2]]), dims


def read_pair(
    images: PathLike, labels: PathLike, *, op: str, classes: int | None = None
) -> tuple[Array, Array]:
    """Images (N, H, W) or (N, C, H, W) and their class numbers (N,), as they are in the files."""
    x_path, t_path = as_path(op, "images", images), as_path(op, "labels", labels)
    t = read_idx(t_path, op=op)
    if t.ndim != 1 or t.dtype.kind not in "iu":
        raise ValueError(complaint(op, t_path, "integers (N,)", f"{t.dtype} {t.shape}"))
    limit = classes or MAX_CLASSES
    if int(t.min()) < 0 or int(t.max()) >= limit:
        got = f"labels {t.min()} to {t.max()}"
        raise ValueError(complaint(op, t_path, f"labels 0 to {limit - 1}", got))
    x = read_idx(x_path, op=op)
    if x.ndim not in (3, 4):
        expected = "images (N, H, W) or (N, C, H, W)"
        raise ValueError(complaint(op, x_path, expected, f"{x.dtype} {x.shape}"))
    if len(t) != len(x):
        expected = f"{len(x)} labels like the images in {x_path.name}"
        raise ValueError(complaint(op, t_path, expected, str(len(t))))
    return x, t


def load_idx(
    images: PathLike,
    labels: PathLike,
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
) -> tuple[Array, Array]:
    """Read any pair of IDX files, plain or gzip-compressed, as (x, t).

    Args:
        images: file with (N, H, W) or (N, C, H, W) of any IDX element type.
        labels: file with N integer class numbers from 0.
        normalize: True gives float32, uint8 pixels divided by 255 and other types unscaled;
            False gives the type of the file.
        flatten: True gives (N, C*H*W), False (N, C, H, W).
        one_hot_label: True gives float64 (N, largest class + 1), False the integers of the file.

    Raises: as `read_idx`, and ValueError when the two do not belong together.
    """
    x, t = read_pair(images, labels, op="load_idx")
    if one_hot_label:
        t = one_hot_rows(t, int(t.max()) + 1)
    return prepare_images(x, normalize, flatten), t
