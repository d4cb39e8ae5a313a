"""Data larger than memory: a pair of .npy files, mapped instead of read."""

from __future__ import annotations

import numpy as np

from pynet._types import Array
from pynet.datasets.files import PathLike, as_path, complaint, open_file


def open_npy_pair(x_path: PathLike, t_path: PathLike) -> tuple[Array, Array]:
    """Open samples and targets in two .npy files without reading them.

    The arrays are read-only memory maps: a `Trainer`, `Network.accuracy` and `pynet.loader.batches`
    read the rows of one batch at a time, so the files may be larger than memory. Networks convert
    each batch to their own dtype; scale the values before they are written.

    `numpy.lib.format.open_memmap(path, "w+", dtype, shape)` makes such a file that can be filled
    piece by piece.

    Args:
        x_path: samples (N, ...).
        t_path: targets (N,) or (N, ...).

    Raises:
        FileNotFoundError, OSError: a file is missing or cannot be read.
        ValueError: a file is no .npy file of real numbers, or their lengths differ.
    """
    x, t = _map("x_path", x_path), _map("t_path", t_path)
    if len(x) != len(t):
        raise ValueError(
            complaint(
                *("open_npy_pair", as_path("open_npy_pair", "t_path", t_path)),
                *(f"one target for each of {len(x)} samples", f"{len(t)}"),
            )
        )
    return x, t


def _map(name: str, value: PathLike) -> Array:
    path = as_path("open_npy_pair", name, value)
    with open_file("open_npy_pair", path):
        pass
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            complaint("open_npy_pair", path, "a .npy file of numbers", f"'{error}'")
        ) from error
    if not isinstance(array, np.memmap) or array.dtype.kind not in "biuf" or array.ndim == 0:
        if not isinstance(array, np.ndarray):
            array.close()
            raise ValueError(complaint("open_npy_pair", path, "a .npy file", "an archive"))
        got = f"{array.dtype} {array.shape}"
        raise ValueError(complaint("open_npy_pair", path, "a .npy file of real numbers", got))
    return array
