"""Weights to store, and what must be true of a file that was loaded or refused."""

import os

import numpy as np
import pytest

from pynet.serialization import load_params

RNG = np.random.default_rng(0)
BOOK = {
    "W1": RNG.normal(size=(4, 1, 3, 3)),
    "b1": np.zeros(4),
    "W2": RNG.normal(size=(6, 5)).astype("f4"),
    "b2": np.zeros(5, "f4"),
}
VARIED = {
    **BOOK,
    "Fortran": np.asfortranarray(RNG.normal(size=(3, 5))),
    "transposed": RNG.normal(size=(2, 3, 4)).transpose(1, 0, 2),
    "every second": RNG.normal(size=8)[::2],
    "0-d": np.array(1.5),
    "empty": np.zeros((0, 3), "f4"),
    "half": np.arange(3, dtype="f2"),
    "bool": np.array([True, False]),
    "u8": np.array([2**64 - 1], "u8"),
    "i1": np.array([-1], "i1"),
    "big endian": np.arange(3, dtype=">f4"),
    "scalar": np.float32(2.5),
    "conv1/W": np.ones(1),
    "file": np.ones(2),
    "日本": np.ones(1),
}
ERROR = r"^\[load_params\] path: expected .*, got "


def same(loaded, arrays):
    assert sorted(loaded) == sorted(arrays)
    for name, array in arrays.items():
        native = np.asarray(array).astype(array.dtype.newbyteorder("="))
        assert type(loaded[name]) is np.ndarray
        assert (loaded[name].dtype, loaded[name].shape) == (native.dtype, native.shape), name
        assert loaded[name].tobytes() == native.tobytes(), name
        assert loaded[name].flags.writeable and loaded[name].flags.c_contiguous, name


def refused(tmp_path, data, message=""):
    path = tmp_path / "params.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=ERROR) as error:
        load_params(path)
    assert message in str(error.value)
    assert repr(str(path)) in str(error.value) and len(str(error.value)) < 1000


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def loads_or_is_refused(path):
    """Either numeric arrays or the documented error, nothing else."""
    try:
        arrays = load_params(path)
    except ValueError as error:
        assert str(error).startswith("[load_params] path: expected ") and ", got " in str(error)
        return False
    assert all(isinstance(k, str) and a.dtype.kind in "biuf" for k, a in arrays.items())
    assert sum(a.nbytes for a in arrays.values()) <= 10 * os.path.getsize(path)
    return True
