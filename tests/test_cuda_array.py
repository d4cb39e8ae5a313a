"""`DeviceArray`: what it can do, and what it refuses.

With the executor of tests/cuda_host, or on a GPU.
"""

from __future__ import annotations

import copy
import operator
import pickle

import numpy as np
import pytest
from device_ops import on_device_module

import pynet
from pynet import ops

pytestmark = pytest.mark.usefixtures("device")
device = on_device_module


def draw(*shape, dtype=np.float32):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def equal(there, here):
    assert there.shape == here.shape and there.dtype == here.dtype
    np.testing.assert_array_equal(there.to_numpy(), here)


# ---- in and out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int32", "int64", "uint64", "float32", "float64"]
)
def test_there_and_back(dtype):
    here = draw(3, 4, dtype=dtype)
    there = pynet.to_device(here)
    equal(there, here)
    assert (there.ndim, there.size, there.nbytes, len(there)) == (2, 12, here.nbytes, 3)
    assert repr(there) == f"DeviceArray(shape=(3, 4), dtype={dtype})"
    assert pynet.to_device(there) is there and pynet.to_numpy(here) is here


@pytest.mark.parametrize(
    ("dtype", "held"),
    [
        *(("float16", "float32"), ("int8", "int32"), ("int16", "int32"), ("uint16", "int32")),
        *(("uint32", "int64"), (">f4", "float32"), (">i8", "int64")),
    ],
)
def test_types_that_the_device_has_not(dtype, held):
    here = draw(3, 4, dtype=dtype)
    equal(pynet.to_device(here), here.astype(held))


@pytest.mark.parametrize("here", [draw(4, 6)[:, ::2], draw(4, 6).T, np.asfortranarray(draw(4, 6))])
def test_any_layout(here):
    equal(pynet.to_device(here), here)


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([1j]), np.array([None])])
def test_what_is_no_real_number(value):
    with pytest.raises(TypeError, match=r"\[DeviceArray\] dtype: expected bool, uint8"):
        pynet.to_device(value)


# ---- parts -------------------------------------------------------------------------------------

KEYS = {
    "a row": 2,
    "the last": -1,
    "rows": slice(1, 3),
    "no row": slice(3, 1),
    "all": slice(None),
    "itself": ...,
    "nothing": (),
    "a NumPy integer": np.int64(1),
}
COPIED = {
    "row numbers": np.array([3, 0, 0]),
    "from the end": np.array([-1, -4]),
    "a list": [1, 2],
    "none": np.array([], np.int64),
    "columns": (slice(None), slice(1, 4)),
    "no column": (slice(None), slice(0, 0)),
}


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 2, 3), (4, 6, 1)])
@pytest.mark.parametrize("key", [*KEYS.values(), *COPIED.values()], ids=[*KEYS, *COPIED])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_a_part(key, shape, dtype):
    here = draw(*shape, dtype=dtype)
    equal(pynet.to_device(here)[key], here[key])


@pytest.mark.parametrize("key", [*KEYS.values(), COPIED["columns"]], ids=[*KEYS, "columns"])
@pytest.mark.parametrize("to_device", [False, True])
def test_assigning_to_a_part(key, to_device):
    here = draw(4, 6, 2)
    there = pynet.to_device(here)
    value = np.arange(here[key].size, dtype=np.float64).reshape(here[key].shape)
    there[key] = pynet.to_device(value) if to_device else value
    here[key] = value
    equal(there, here)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_one_number_everywhere(key):
    here = draw(4, 6)
    there = pynet.to_device(here)
    there[key] = 2.5
    here[key] = 2.5
    equal(there, here)
    there.fill(7)
    equal(there, np.full((4, 6), 7, np.float32))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_part_is_the_same_memory(key):
    there = pynet.to_device(draw(4, 6))
    part = there[key]
    part[...] = -1
    here = draw(4, 6)
    here[key] = -1
    equal(there, here)


def test_rows_by_numbers_on_the_device():
    here, numbers = draw(5, 3), np.array([4, 0, 2])
    equal(pynet.to_device(here)[pynet.to_device(numbers)], here[numbers])
    rows = pynet.to_device(here)[pynet.to_device(np.array([0, 5]))]
    with pytest.raises(IndexError, match=r"index: expected numbers in 0 \.\. 4, got 5 as elem"):
        pynet.synchronize()
    pynet.synchronize()
    assert rows.shape == (2, 3)


def test_an_array_without_rows_has_none_to_give():
    none, numbers = pynet.to_device(np.zeros((0, 3))), pynet.to_device(np.array([0]))
    _ = none[numbers]
    with pytest.raises(IndexError, match="index"):
        pynet.synchronize()


@pytest.mark.parametrize(
    ("key", "error"),
    [
        *((4, IndexError), (-5, IndexError), (np.array([0, 4]), IndexError)),
        *(([-5], IndexError), (slice(0, 4, 2), ValueError), (True, TypeError), (1.0, TypeError)),
        *(((0, 0), TypeError), (None, TypeError), (np.array([True] * 4), TypeError)),
        *(("a", TypeError), (np.array([[0]]), TypeError), ((slice(1, 2), slice(1, 2)), TypeError)),
    ],
    ids=repr,
)
def test_other_parts_are_refused(key, error):
    with pytest.raises(error, match=r"\[DeviceArray\] index: expected "):
        pynet.to_device(draw(4, 6))[key]


def test_values_that_do_not_fit():
    there = pynet.to_device(draw(4, 6))
    for key, value in ((0, np.ones(5)), (..., np.ones((6, 4))), (COPIED["columns"], np.ones(3))):
        with pytest.raises(ValueError, match=r"\[DeviceArray\] value: expected shape"):
            there[key] = value
    with pytest.raises(TypeError, match="value: expected"):
        there[0] = "one"
    equal(there, draw(4, 6))


@pytest.mark.parametrize("shape", [(24,), (2, 12), (-1, 6), (4, -1), (4, 6, 1)])
def test_reshape(shape):
    here = draw(4, 6)
    there = pynet.to_device(here)
    equal(there.reshape(*shape), here.reshape(shape))
    equal(there.reshape(shape), here.reshape(shape))
    there.reshape(24)[3] = -1
    assert there.to_numpy()[0, 3] == -1


@pytest.mark.parametrize("shape", [(5, 5), (-1, 5), (-1, -1), (-2, 12), (-4, -6)])
def test_reshape_to_what_does_not_fit(shape):
    with pytest.raises(ValueError, match=r"\[reshape\] shape: expected 24 elements like \(4, 6\)"):
        pynet.to_device(draw(4, 6)).reshape(shape)


# ---- NumPy does not compute with it ------------------------------------------------------------

OPERATORS = {
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs")},
    **{
        name: lambda x, name=name: getattr(operator, name)(x, x)
        for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "pow")
        + ("eq", "ne", "lt", "le", "gt", "ge", "iadd", "isub", "imul", "itruediv")
    },
    "a number first": lambda x: 2 * x,
    "a number behind": lambda x: x + 1,
    "an array first": lambda x: np.ones((2, 3)) - x,
    "an array behind": lambda x: x == np.ones((2, 3)),
    "float": float,
    "int": int,
    "bool": bool,
    "in": lambda x: 1 in x,
    "np.asarray": np.asarray,
    "np.array": np.array,
    "np.add": lambda x: np.add(x, 1),
    "np.add with out": lambda x: np.add(1, 1, out=x),
    "np.exp": np.exp,
    "np.sum": np.sum,
    "np.where": lambda x: np.where(x, 1, 0),
    "np.concatenate": lambda x: np.concatenate([x, x]),
    "np.sum of an array where": lambda x: np.sum(np.ones((2, 3)), where=x),
    "np.asarray of a type": lambda x: np.asarray(x, np.float64),
    "np.shape of two": lambda x: np.size(x, 0),
    "assert_array_equal": lambda x: np.testing.assert_array_equal(x, np.ones((2, 3))),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_arithmetic_is_refused(name):
    there = pynet.to_device(np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"x\.to_numpy\(\)"):
        OPERATORS[name](there)
    equal(there, np.ones((2, 3)))


def test_methods_of_numpys_arrays():
    there = pynet.to_device(np.ones((2, 3)))
    with pytest.raises(AttributeError, match=r"no attribute 'argmax': x\.to_numpy\(\)"):
        there.argmax(axis=1)
    assert not hasattr(there, "mask")


def test_numpy_may_ask_for_the_shape():
    there = pynet.to_device(draw(2, 3))
    assert (np.shape(there), np.ndim(there), np.size(there)) == ((2, 3), 2, 6)


def test_the_core_refuses_it_and_the_device_refuses_numpys():
    here, there = draw(2, 3), pynet.to_device(draw(2, 3))
    with pytest.raises(TypeError, match=r"\[add\] b: expected an array .*, got DeviceArray"):
        ops.add(here, there)
    with pytest.raises(TypeError, match=r"\[add\] b: expected a DeviceArray, .*pynet\.to_device"):
        ops.add(there, here)


# ---- copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: x.copy()])
def test_a_copy_is_apart(duplicate):
    here = draw(2, 3)
    there = pynet.to_device(here)
    other = duplicate(there)
    other[...] = 0
    equal(there, here)


def test_a_pickle():
    here = draw(2, 3)
    equal(pickle.loads(pickle.dumps(pynet.to_device(here))), here)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_another_type(dtype):
    here = draw(2, 3)
    there = pynet.to_device(here)
    equal(there.astype(dtype), here.astype(dtype))
    assert there.astype(np.float32) is not there
    assert there.astype(np.float32, copy=False) is there
    there.astype(np.float32, copy=False)[...] = 0
    equal(there, np.zeros_like(here))
