"""Checkpoints: arrays and metadata in one safetensors file, of which no bit can change unseen.

The file is an ordinary safetensors file (https://github.com/huggingface/safetensors): 8 bytes
with the length of the header, the header in JSON, the data. Its metadata has one entry, `pynet`,
a JSON object:

    sha256   digest of the whole file, with zeros where the digest stands
    format   "pynet checkpoint"
    version  of the format
    library  the version of pynet that wrote it
    meta     what the caller stores

The digest covers the bytes and not what they mean, so it sees every change: of the data, of names,
types and shapes, of the metadata and also of a space in the header's padding. One entry and not
five because safetensors writes entries in random order; so equal contents give equal files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from pynet.serialization.arrays import Arrays, check_arrays, is_numeric
from pynet.serialization.files import PathLike, check_path, open_file, write_atomic

FORMAT, VERSION = "pynet checkpoint", 1

# Names and metadata; generous for the history of a long run, and small to allocate.
HEADER_LIMIT = 16 << 20

_BLANK = "0" * 64
# Written as a JSON string inside JSON, hence the backslashes. No name and no metadata of a caller
# can contain this: inside a string the first quotation mark would have a backslash too.
_DIGEST = re.compile(rb'"pynet":\s?"\{\\"sha256\\":\\"([0-9a-f]{64})\\"')
# What is left of that after any one bit is flipped: either of the two.
_TRACES = re.compile(rb'"pynet":\s?"|\{\\"sha256\\":\\"')


def save_checkpoint(
    path: PathLike,
    arrays: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    *,
    keep_previous: bool = False,
) -> None:
    """Write arrays and metadata to `path`, atomically and durably (see `write_atomic`).

    Args:
        path: the file, by custom `NAME.safetensors`.
        arrays: name -> array of bool, integers or floats; any shape and memory layout.
        meta: a dict of what JSON can hold: dicts with str keys, lists, str, int, float (NaN and
            infinity too), bool, None. Tuples come back as lists.
        keep_previous: the file that is replaced stays as `previous_path(path)`. At each instant,
            also of a power failure, one of the two can be loaded.

    Raises:
        TypeError: arrays or metadata of a type that the file cannot hold.
        ValueError: a name that the file cannot hold, or more than 16 MiB of names and metadata.
        OSError: the file could not be written; the old one is in place.
    """
    op = "save_checkpoint"
    data = encode(op, arrays, meta)
    write_atomic(path, data, keep=previous_path(path) if keep_previous else None, op=op)


def load_checkpoint(path: PathLike, *, fallback: bool = False) -> tuple[Arrays, dict[str, Any]]:
    """Read a file of `save_checkpoint`: (arrays, meta). The arrays are new and writable.

    Args:
        path: the file.
        fallback: where `path` is damaged or missing, read `previous_path(path)`, with a warning.

    Raises:
        ValueError: not a checkpoint, or not one bit as it was written.
        OSError: no such file (FileNotFoundError), or not readable.
    """
    try:
        return _load(path)
    except (ValueError, OSError) as error:
        if not fallback:
            raise
        previous = previous_path(path)
        try:
            loaded = _load(previous)
        except (ValueError, OSError):
            raise error from None
        warnings.warn(f"{error}; the previous one is used: {previous!r}", stacklevel=2)
        return loaded


def previous_path(path: PathLike) -> str:
    """Where `keep_previous` keeps the last file: NAME.previous.safetensors beside `path`."""
    stem, suffix = os.path.splitext(os.path.realpath(check_path("previous_path", path)))
    return f"{stem}.previous{suffix}"


def _load(path: PathLike) -> tuple[Arrays, dict[str, Any]]:
    op = "load_checkpoint"
    with open_file(op, path) as (stream, size):
        if header_length(stream.read(8), size) is None:
            got = f"{size} bytes with another beginning in {os.fspath(path)!r}"
            raise ValueError(f"[{op}] path: expected a whole checkpoint, got {got}")
        stream.seek(0)
        data = stream.read(size)
    return decode(op, path, data)


def header_length(head: bytes, size: int) -> int | None:
    """Length of the header of a safetensors file of `size` bytes, or None if it cannot be one."""
    length = int.from_bytes(head[:8], "little")
    return length if len(head) >= 8 and 2 <= length <= min(size - 8, HEADER_LIMIT) else None


def has_digest(header: bytes) -> bool:
    """Whether pynet wrote this header (which may be damaged), and not another program."""
    return _TRACES.search(header) is not None


def encode(op: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> bytearray:
    """The bytes of a checkpoint."""
    if not isinstance(meta, Mapping):
        raise TypeError(f"[{op}] meta: expected a dict, got {type(meta).__name__}")
    tensors = check_arrays(op, "arrays", arrays)
    entry: dict[str, object] = {
        "sha256": _BLANK,
        "format": FORMAT,
        "version": VERSION,
        "library": _library_version(),
    }
    try:
        entry["meta"] = _check_json(op, "meta", meta)
        text = json.dumps(entry, separators=(",", ":"))  # no spaces: as _DIGEST expects it
    except RecursionError as error:
        raise ValueError(f"[{op}] meta: expected a few levels, got endless nesting") from error
    data = bytearray(safetensors.numpy.save(tensors, metadata={"pynet": text}))
    length = int.from_bytes(data[:8], "little")
    if length > HEADER_LIMIT:
        expected = f"at most {HEADER_LIMIT} bytes of names and metadata"
        raise ValueError(f"[{op}] meta: expected {expected}, got {length}")
    found = _DIGEST.search(data, 8, 8 + length)
    if found is None:
        raise RuntimeError(f"[{op}] safetensors: expected its JSON header, got {data[:80]!r}")
    start, end = found.span(1)
    data[start:end] = hashlib.sha256(data).hexdigest().encode()
    return data


def decode(op: str, path: PathLike, data: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and metadata of `encode`; ValueError unless every bit is as it was written."""
    where = f"in {os.fspath(path)!r}"
    length = header_length(data, len(data)) or 0
    found = list(_DIGEST.finditer(data, 8, 8 + length))
    if len(found) != 1:
        got = f"{len(found) or 'none'} {where}"
        raise ValueError(f"[{op}] path: expected a checkpoint with one SHA-256, got {got}")
    start, end = found[0].span(1)
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(_BLANK.encode())
    digest.update(view[end:])
    stored = found[0][1].decode()
    if digest.hexdigest() != stored:
        got = f"{digest.hexdigest()[:12]}... {where}: the file is damaged"
        raise ValueError(f"[{op}] path: expected SHA-256 {stored[:12]}..., got {got}")
    try:
        entry = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["pynet"])
        form, number, meta = entry["format"], entry["version"], entry["meta"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        got = f"{error} {where}"
        raise ValueError(f"[{op}] path: expected metadata of pynet, got {got}") from error
    if (form, number) != (FORMAT, VERSION) or not isinstance(meta, dict):
        got = f"{form!r:.80} version {number!r:.80} {where}"
        raise ValueError(f"[{op}] path: expected {FORMAT!r} version {VERSION}, got {got}")
    return decode_arrays(op, path, data), meta


def decode_arrays(op: str, path: PathLike, data: bytes) -> Arrays:
    """The arrays of any safetensors file."""
    try:
        arrays = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, TypeError, LookupError, OverflowError) as error:
        got = f"{type(error).__name__}: {error} in {os.fspath(path)!r}"
        raise ValueError(f"[{op}] path: expected a safetensors file, got {got}") from error
    for name, array in arrays.items():
        if not is_numeric(array.dtype):
            got = f"{array.dtype} for {name!r} in {os.fspath(path)!r}"
            raise ValueError(f"[{op}] path: expected bool, integers or floats, got {got}")
    # Older versions of safetensors give read-only views of the bytes.
    return {k: v if v.flags.writeable else np.array(v) for k, v in arrays.items()}


def _check_json(op: str, place: str, value: object) -> object:
    """`value`, if JSON gives it back as it is; json alone turns the key 1 into "1"."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"[{op}] {place}: expected keys of type str, got {key!r}")
        return {key: _check_json(op, f"{place}[{key!r}]", value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [_check_json(op, f"{place}[{i}]", item) for i, item in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    expected = "a dict, list, str, int, float, bool or None (ndarrays go into arrays)"
    raise TypeError(f"[{op}] {place}: expected {expected}, got {type(value).__name__}")


def _library_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, needed late

    try:
        return version("pynet")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"
