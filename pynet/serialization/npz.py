"""npz files, read without pickle and without trust in the sizes that they claim."""

from __future__ import annotations

import errno
import math
import struct
import tokenize
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pynet.serialization.arrays import Arrays, FormatError, is_numeric

# Weights hardly shrink when they are packed, zeros shrink a thousandfold. What unpacks to more
# than this is no weight file, but may be made to fill the memory.
_UNPACKED, _UNPACKED_RATIO = 64 << 20, 20

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what np.savez and savez_compressed write
_HEADER_LIMIT = 2048  # of a member; 64 axes need less
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

# What zipfile, zlib and NumPy's parser of headers answer to damage; RuntimeError also stands for
# encrypted members and for nesting without end.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)


def write(stream: BinaryIO, arrays: Arrays) -> None:
    """As `np.savez(stream, **arrays)`, which cannot write an array named `file`.

    The members carry no time, so equal arrays give equal files.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as file:
                npy.write_array(file, array, allow_pickle=False)


def read(stream: BinaryIO, size: int) -> Arrays:
    """The arrays of an npz file of `size` bytes; FormatError if it is damaged."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _check_directory(members, size)
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member)
                for member in members
            }
    except FormatError:
        raise
    except _DAMAGE as error:
        # zipfile looks before the start of the file when an offset is wrong: that is EINVAL.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise FormatError(f"expected a whole npz file, got {error}") from error


def _check_directory(members: list[zipfile.ZipInfo], size: int) -> None:
    limit = _UNPACKED + _UNPACKED_RATIO * size
    total = sum(member.file_size for member in members)
    if total > limit:
        raise FormatError(f"expected at most {limit} bytes of arrays, got {total}")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if not name.endswith(".npy") or name in seen:
            raise FormatError(f"expected one NAME.npy for each array, got {name!r:.80}")
        seen.add(name)
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            raise FormatError(f"expected plain or deflated members, got {member!r:.200}")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise FormatError(f"expected npy version 1 or 2, got {version}")
        shape, fortran, dtype = _HEADERS[version](file, max_header_size=_HEADER_LIMIT)
        if not is_numeric(dtype):
            got = f"{dtype} for {member.filename!r:.80}"
            raise FormatError(f"expected bool, integers or floats, got {got}")
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes != member.file_size - file.tell():
            got = (
                f"shape {shape} of {dtype} for {member.filename!r:.80} of {member.file_size} bytes"
            )
            raise FormatError(f"expected data as in the header, got {got}")
        data = file.read(nbytes)  # zipfile compares the checksum at the end of the member
        if len(data) != nbytes:
            raise FormatError(
                f"expected {nbytes} bytes for {member.filename!r:.80}, got {len(data)}"
            )
    array: NDArray[Any] = np.ndarray(shape, dtype, data, order="F" if fortran else "C")
    return np.array(array, dtype.newbyteorder("="), order="C")
