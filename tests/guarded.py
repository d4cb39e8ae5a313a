"""Arrays with a page on either side that ends the process when it is touched."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys

import numpy as np

_keep = []  # the memory of all arrays, for the life of the process
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def guarded(a: np.ndarray, at_end: bool) -> np.ndarray:
    """A copy of `a` that ends, or begins, at a page nobody may read or write."""
    page = mmap.PAGESIZE
    inside = -(-max(a.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, inside + 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (address, address + page + inside):
        if _libc.mprotect(guard, page, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    _keep.append(memory)
    first = page + (inside - a.nbytes if at_end else 0)
    copy = np.frombuffer(memory, a.dtype, a.size, first).reshape(a.shape)
    copy[...] = a
    return copy


def assert_survives(code: str) -> None:
    """Run Python code that touches guarded arrays in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
