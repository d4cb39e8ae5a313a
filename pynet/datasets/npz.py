"""A user's own data in one .npz file, read without pickle and without trust in its sizes."""

from __future__ import annotations

import errno
import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from pynet._types import Array
from pynet.datasets.arrays import (
    MAX_CLASSES,
    Split,
    check_split,
    one_hot_rows,
    prepare_images,
    stratified_split,
)
from pynet.datasets.files import PathLike, allocate, as_path, complaint, fill, open_file

_OP = "load_npz"
# What zipfile raises: RuntimeError for encrypted members, NotImplementedError for unknown methods,
# UnicodeDecodeError for damaged member names.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)


def load_npz(
    path: PathLike,
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    test_fraction: float = 0.25,
    seed: int = 0,
    max_bytes: int = 4 << 30,
) -> Split:
    """Your own data: a file made with `np.savez(path, x=..., t=...)`, as (train), (test).

    x is (N, D), (N, H, W) or (N, C, H, W) of any real number type, NaN and infinity included; t
    is N class numbers from 0 of any integer type, or one-hot rows (N, D). With `x_test` and
    `t_test` in the file these are the test part; without them x and t are split by
    `stratified_split`. Other arrays in the file are not read.

    Args:
        path: the file, from `np.savez` or `np.savez_compressed`.
        normalize: True gives float32, uint8 pixels divided by 255 and other types unscaled;
            False gives the type of the file.
        flatten: True gives (N, D); False makes (N, 1, H, W) of (N, H, W) and leaves the others.
        one_hot_label: True gives float64 (N, classes), False class numbers (N,).
        test_fraction: share of the test part when the file has none.
        seed: of the split.
        max_bytes: what the arrays may need, unpacked; a small file can claim any size.

    Raises:
        ValueError: no .npz file, a damaged one, pickled objects in it, arrays that are missing,
            of the wrong type or do not fit together.
        TypeError: an argument of the wrong type.
        OSError: no such file (FileNotFoundError), or not readable.
        MemoryError: the arrays do not fit into memory.
    """
    file = as_path(_OP, "path", path)
    check_split(_OP, test_fraction, seed)
    arrays = _read_arrays(file, max_bytes)
    x, t, width = _check_pair(file, arrays, "x", "t")
    if "x_test" not in arrays:
        if len(x) < 2:
            raise ValueError(complaint(_OP, file, "at least 2 samples to split", "1"))
        train, test = stratified_split(t, test_fraction, seed)
        x_train, t_train, x_test, t_test = x[train], t[train], x[test], t[test]
        classes = width or int(t.max()) + 1
    else:
        x_train, t_train = x, t
        x_test, t_test, test_width = _check_pair(file, arrays, "x_test", "t_test")
        _check_alike(file, x, x_test)
        classes = width or test_width or int(max(t.max(), t_test.max())) + 1
        for name, labels, own in (("t", t, width), ("t_test", t_test, test_width)):
            if (own or classes) != classes or int(labels.max()) >= classes:
                got = f"{own or int(labels.max()) + 1}"
                raise ValueError(complaint(_OP, file, f"{name} of {classes} classes", got))
    if one_hot_label:
        t_train, t_test = one_hot_rows(t_train, classes), one_hot_rows(t_test, classes)
    return (
        (prepare_images(x_train, normalize, flatten), t_train),
        (prepare_images(x_test, normalize, flatten), t_test),
    )


def _read_arrays(path: Path, max_bytes: int) -> dict[str, Array]:
    """The arrays x, t, x_test and t_test, as far as they are there."""
    arrays = {}
    with open_file(_OP, path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                _check_count(file, archive)
                for name, info in _check_directory(path, archive, max_bytes).items():
                    with archive.open(info) as stream:
                        arrays[name] = _read_npy(path, name, stream, info.file_size)
        except _DAMAGE as error:
            got = f"a damaged or other one: {error}"
            raise ValueError(complaint(_OP, path, "an .npz file (np.savez)", got)) from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # a seek to where a damaged directory points
                raise
            got = "a damaged one: it points outside itself"
            raise ValueError(complaint(_OP, path, "an .npz file (np.savez)", got)) from error
    return arrays


def _check_count(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """BadZipFile when damaged lengths in the directory have swallowed entries of it."""
    file.seek(-22 - len(archive.comment), os.SEEK_END)  # the end record, whose bytes 10, 11 count
    count = int.from_bytes(file.read(12)[10:], "little")
    if count not in (len(archive.infolist()), 0xFFFF):  # the latter: too many for 16 bits
        raise zipfile.BadZipFile(f"{len(archive.infolist())} members where {count} are announced")


def _check_directory(
    path: Path, archive: zipfile.ZipFile, max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    """The members to read, by array name, once their sizes are known to be bearable."""
    names = [info.filename for info in archive.infolist()]
    wanted = {}
    for name in ("x", "t", "x_test", "t_test"):
        if names.count(f"{name}.npy") > 1:
            raise ValueError(complaint(_OP, path, f"one array {name}", "several"))
        if f"{name}.npy" in names:
            wanted[name] = archive.getinfo(f"{name}.npy")
    pairs = {"x", "t"}, {"x", "t", "x_test", "t_test"}
    if set(wanted) not in pairs:
        present = ", ".join(name.removesuffix(".npy") for name in names[:20]) or "an empty file"
        expected = "arrays x and t, and x_test and t_test or neither"
        raise ValueError(complaint(_OP, path, expected, present))
    for name, info in wanted.items():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            expected = f"{name} stored or deflated, as np.savez and np.savez_compressed do"
            raise ValueError(complaint(_OP, path, expected, f"method {info.compress_type}"))
    total = sum(info.file_size for info in wanted.values())
    if total > max_bytes:
        expected = f"at most {max_bytes} bytes of arrays (max_bytes)"
        raise ValueError(complaint(_OP, path, expected, str(total)))
    return wanted


def _read_npy(path: Path, name: str, stream: IO[bytes], size: int) -> Array:
    """One array of real numbers; its size is compared with the member's before it is allocated."""
    try:
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran_order, dtype = read_header(stream)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        raise
    except Exception as error:  # NumPy parses the header as a Python literal
        got = f"a damaged header: {error}"
        raise ValueError(complaint(_OP, path, f"{name} in the .npy format", got)) from error
    if dtype.hasobject or dtype.kind not in "biuf" or dtype.itemsize > 8:
        got = "pickled objects" if dtype.hasobject else str(dtype)
        raise ValueError(complaint(_OP, path, f"{name} of a real number type", got))
    count = math.prod(shape)
    header = stream.tell()
    if min(shape, default=1) < 1 or count * dtype.itemsize != size - header:
        got = f"shape {shape} of {dtype} in {size - header} bytes"
        raise ValueError(complaint(_OP, path, f"{name} with data as in its header", got))
    data = allocate(_OP, path, size - header)
    came = fill(stream, data)  # with the last byte zipfile compares the checksum
    if came < len(data):
        raise ValueError(complaint(_OP, path, f"{len(data)} bytes of {name}", str(came)))
    array = data.view(dtype).reshape(shape, order="F" if fortran_order else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("="))


def _check_pair(
    path: Path, arrays: dict[str, Array], x_name: str, t_name: str
) -> tuple[Array, Array, int | None]:
    """x, class numbers (N,), and the number of classes where one-hot rows tell it."""
    x, t = arrays[x_name], arrays[t_name]
    if x.ndim not in (2, 3, 4):
        expected = f"{x_name} of shape (N, D), (N, H, W) or (N, C, H, W)"
        raise ValueError(complaint(_OP, path, expected, str(x.shape)))
    if t.shape[:1] != (len(x),):
        expected = f"{t_name} of {len(x)} labels like {x_name}"
        raise ValueError(complaint(_OP, path, expected, f"shape {t.shape}"))
    if t.ndim == 2 and t.shape[1] > 1:
        if not (np.isin(t, (0, 1)).all() and (np.count_nonzero(t, axis=1) == 1).all()):
            expected = f"{t_name} with one 1 and else 0 in each row"
            raise ValueError(complaint(_OP, path, expected, f"other rows, {t.dtype} {t.shape}"))
        return x, t.argmax(axis=1), t.shape[1]
    if t.ndim != 1 or t.dtype.kind not in "iu":
        expected = f"{t_name} with integer class numbers (N,) or one-hot rows (N, D)"
        raise ValueError(complaint(_OP, path, expected, f"{t.dtype} {t.shape}"))
    if int(t.min()) < 0 or int(t.max()) >= MAX_CLASSES:
        expected = f"{t_name} from 0 to {MAX_CLASSES - 1}"
        raise ValueError(complaint(_OP, path, expected, f"{t.min()} to {t.max()}"))
    return x, t, None


def _check_alike(path: Path, x: Array, x_test: Array) -> None:
    """The same shape but N, and pixels in both or in neither (they are scaled)."""
    if x.shape[1:] != x_test.shape[1:] or (x.dtype == np.uint8) != (x_test.dtype == np.uint8):
        expected = f"x_test like x, {x.dtype} (N, {', '.join(map(str, x.shape[1:]))})"
        raise ValueError(complaint(_OP, path, expected, f"{x_test.dtype} {x_test.shape}"))
