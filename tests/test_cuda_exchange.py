"""How other libraries take a `DeviceArray`, and how theirs are taken.

With the executor of tests/cuda_host, or on a GPU.
"""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pytest
from device_ops import counted_waits, on_device_module
from test_cuda_array import draw, equal

import pynet
from pynet import ops

pytestmark = pytest.mark.usefixtures("device")
device, waits = on_device_module, counted_waits

CUDA = 2  # DLPack's number of the kind of device


class Foreign:
    """An array of another library, with one of the two protocols."""

    def __init__(self, array, protocol, **changes):
        self.array, self.changes = array, changes
        if protocol == "interface":
            self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changes}
        else:
            self.__dlpack_device__ = array.__dlpack_device__
            self.__dlpack__ = array.__dlpack__


both = pytest.mark.parametrize("protocol", ["interface", "dlpack"])


@both
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_an_array_of_another_library_is_taken_without_a_copy(protocol, dtype):
    here = draw(3, 4, dtype=dtype)
    own = pynet.to_device(here)
    taken = pynet.to_device(Foreign(own, protocol))
    equal(taken, here)
    taken[0] = 1
    here[0] = 1
    equal(own, here)
    if dtype == "float32":
        np.testing.assert_array_equal(ops.add(taken, taken).to_numpy(), here + here)


@both
def test_its_memory_lives_as_long_as_ours(device, protocol):
    gc.collect()
    before = device.memory()["in_use"]
    taken = pynet.to_device(Foreign(pynet.to_device(draw(64, 64)), protocol))
    gc.collect()
    equal(taken, draw(64, 64))
    assert device.memory()["in_use"] > before
    del taken
    gc.collect()
    assert device.memory()["in_use"] == before


def test_a_capsule_that_nobody_takes(device):
    gc.collect()
    before = device.memory()["in_use"]
    capsule = pynet.to_device(draw(64, 64)).__dlpack__()
    assert device.memory()["in_use"] > before
    del capsule
    assert device.memory()["in_use"] == before


def test_a_capsule_can_be_taken_once():
    class Same:
        def __init__(self, array):
            self.capsule = array.__dlpack__()

        def __dlpack_device__(self):
            return (CUDA, 0)

        def __dlpack__(self, **kwargs):
            return self.capsule

    same = Same(pynet.to_device(draw(2, 3)))
    pynet.to_device(same)
    with pytest.raises(ValueError, match="incorrect name"):
        pynet.to_device(same)


# ---- who waits for whom ------------------------------------------------------------------------
# The streams of pynet wait for no default stream, and no other library knows them.


@both
def test_nobody_gets_memory_back_that_is_still_in_use(waits, protocol):
    own = pynet.to_device(draw(64, 64))
    taken = pynet.to_device(Foreign(own, protocol))
    with waits(1 if protocol == "interface" else 2):  # ours, and the consumer of own.__dlpack__()
        del taken
        gc.collect()
    capsule = own.__dlpack__()
    with waits(1):
        del capsule


def test_other_libraries_are_told_of_our_stream(waits):
    class Telling(Foreign):
        def __dlpack__(self, *, stream):
            streams.append(stream)
            return self.array.__dlpack__(stream=-1)

        def __dlpack_device__(self):
            return (CUDA, 0)

    streams: list[int] = []
    own = pynet.to_device(draw(3, 4))
    mine = own.__cuda_array_interface__["stream"]
    both_protocols = Telling(own, "interface")
    with waits(0):
        taken = pynet.to_device(both_protocols)
    assert streams == [mine]
    equal(taken, draw(3, 4))


def test_what_says_nothing_of_streams_is_waited_for(waits):
    own = pynet.to_device(draw(3, 4))
    said = own.__cuda_array_interface__

    class Old:
        __cuda_array_interface__ = {**said, "version": 2}

    class Nothing:
        __cuda_array_interface__ = {**said, "stream": None}

    del Old.__cuda_array_interface__["stream"]
    for made, times in ((Old, 1), (Nothing, 0)):
        with waits(times):
            taken = pynet.to_device(made())
        equal(taken, draw(3, 4))
        del taken


def test_who_looks_at_an_array_finds_it_finished(waits):
    own = pynet.to_device(draw(3, 4))
    with waits(1):
        assert own.__cuda_array_interface__["stream"]


def test_what_the_interface_says():
    there = pynet.to_device(draw(3, 4))
    said = there.__cuda_array_interface__
    assert said["version"] == 3 and said["shape"] == (3, 4) and said["typestr"] == "<f4"
    assert said["strides"] is None and said["data"][1] is False and said["stream"]
    assert there[1:].__cuda_array_interface__["data"][0] == said["data"][0] + 16
    empty = there[:0].__cuda_array_interface__
    assert empty["data"] == (0, False) and empty["shape"] == (0, 4)


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


@pytest.mark.parametrize(
    ("dtype", "code"),
    [("bool", 6), ("uint8", 1), ("int32", 0), ("int64", 0), ("float32", 2), ("float64", 2)],
)
def test_what_dlpack_says(dtype, code):
    there = pynet.to_device(draw(3, 4, dtype=dtype))
    assert there.__dlpack_device__() == (CUDA, 0)
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    capsule = there.__dlpack__(stream=-1, max_version=(1, 0), dl_device=(CUDA, 0), copy=False)
    tensor = DLTensor.from_address(get(capsule, b"dltensor"))
    assert tensor.data == there.__cuda_array_interface__["data"][0]
    assert (tuple(tensor.device), tensor.ndim, tensor.lanes) == ((CUDA, 0), 2, 1)
    assert (tensor.code, tensor.bits) == (code, 8 * np.dtype(dtype).itemsize)
    assert tensor.shape[:2] == [3, 4] and not tensor.strides and tensor.byte_offset == 0
    other = DLTensor.from_address(get(keep := there.__dlpack__(copy=True), b"dltensor"))
    assert other.data != tensor.data and keep


def test_dlpack_goes_to_no_other_device():
    with pytest.raises(BufferError, match=r"dl_device: expected \(2, 0\)"):
        pynet.to_device(draw(2, 3)).__dlpack__(dl_device=(1, 0))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"strides": (4, 12)}, ValueError, "expected elements in C order"),
        ({"typestr": "<c8"}, TypeError, "expected bool, uint8"),
        ({"mask": 1}, TypeError, "without masked elements"),
    ],
)
def test_what_is_refused_of_another_library(changes, error, message):
    with pytest.raises(error, match=message):
        pynet.to_device(Foreign(pynet.to_device(draw(3, 4)), "interface", **changes))


def test_another_gpu_is_refused():
    class There(Foreign):
        def __dlpack_device__(self):
            return (CUDA, 1)

    there = There(pynet.to_device(draw(3, 4)), "interface")
    with pytest.raises(ValueError, match="expected an array on GPU 0, got one on GPU 1"):
        pynet.to_device(there)


def test_an_array_that_may_only_be_read():
    own = pynet.to_device(draw(3, 4))
    place = own.__cuda_array_interface__["data"][0]
    taken = pynet.to_device(Foreign(own, "interface", data=(place, True)))
    with pytest.raises(ValueError, match="expected a writable array, got a read-only one"):
        taken[0] = 1
    with pytest.raises(BufferError, match="read-only"):
        taken.__dlpack__()
    assert taken[1:].__cuda_array_interface__["data"][1] is True
