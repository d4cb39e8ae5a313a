"""Opening data files: every failure names the file, what was expected and what came."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

PathLike = str | os.PathLike[str]


class Stream(Protocol):
    """What a plain, a gzip and a zip stream have in common."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


CHUNK = 1 << 20

# Deflate needs at least one bit for a copy of 258 bytes, and a little more than one in practice:
# https://zlib.net/zlib_tech.html gives 1032 to 1 as the limit. What claims more is damaged.
DEFLATE_LIMIT = 1032


def complaint(op: str, path: Path, expected: str, got: str) -> str:
    """Message in the form `[op] file: expected ..., got ... (in folder)`."""
    return f"[{op}] {path.name}: expected {expected}, got {got} (in {path.parent})"


def as_path(op: str, name: str, value: PathLike) -> Path:
    """`value` as a `Path`, with `~` expanded; TypeError when it is no path."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"[{op}] {name}: expected a path, got {value!r}")
    return Path(os.path.expanduser(value))


@contextmanager
def open_file(op: str, path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read.

    Raises FileNotFoundError where there is none, OSError where it cannot be read or is not a
    regular file (reading a pipe could wait for ever).
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a folder" if path.is_dir() else "a device or pipe"
            raise OSError(complaint(op, path, "a file", kind))
        file = open(path, "rb")
    except FileNotFoundError as error:
        raise FileNotFoundError(complaint(op, path, "a file", "none")) from error
    except OSError as error:
        if error.errno is None:  # the complaint of above
            raise
        raise OSError(complaint(op, path, "a readable file", f"'{error.strerror}'")) from error
    with file:
        try:
            yield file
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(complaint(op, path, "a readable file", f"'{error.strerror}'")) from error


def allocate(op: str, path: Path, size: int) -> NDArray[np.uint8]:
    """`size` bytes; MemoryError in the project's form when there are not that many."""
    try:
        return np.empty(size, np.uint8)
    except MemoryError as error:
        raise MemoryError(complaint(op, path, f"{size} bytes of memory", "less")) from error


def fill(stream: Stream, data: NDArray[np.uint8]) -> int:
    """Read into `data` in chunks until it is full or the stream ends; the bytes that came."""
    view = data.data
    done = 0
    while done < len(view):
        chunk = stream.read(min(CHUNK, len(view) - done))
        if not chunk:
            break
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return done
