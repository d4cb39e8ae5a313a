"""The CUDA module has the ops of the core: the same names, signatures and messages.

Without a GPU too: what is asked here is answered before any array is looked at. The messages about
arrays are compared in tests/test_cuda_bad_input.py, where there are some.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bad_input_specimens import specimen
from device_ops import cuda_modules

import pynet
from pynet import _core, ops

# What only one of them has: the processor's instruction sets and threads, the GPU and its arrays.
OF_CORE = {"isa", "isas", "set_isa", "num_threads", "set_num_threads", "thread_info"}
OF_CUDA = {"DeviceArray", "device_info", "free_memory", "synchronize", "to_device"}
OF_CUDA |= {"precision", "set_precision"}


@pytest.fixture(params=cuda_modules(), ids=lambda module: module.__name__)
def cuda(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def names(module: ModuleType) -> set[str]:
    return {name for name in dir(module) if not name.startswith("_")}


def parameters(function: Any) -> str:
    """What the first line of a docstring says of a function, but for its result."""
    return str(function.__doc__).splitlines()[0].split(" -> ")[0]


def complaint(call: Callable[[], Any]) -> tuple[type, str]:
    with pytest.raises(Exception) as caught:
        call()
    return type(caught.value), str(caught.value)


def test_the_same_names(cuda: ModuleType) -> None:
    assert names(cuda) - OF_CUDA == names(_core) - OF_CORE
    assert OF_CUDA <= names(cuda)


@pytest.mark.parametrize("name", sorted(names(_core) - OF_CORE - {"Recording"}))
def test_the_same_signatures(cuda: ModuleType, name: str) -> None:
    assert parameters(getattr(cuda, name)) == parameters(getattr(_core, name))


def test_the_ops_return_the_same(cuda: ModuleType) -> None:
    for op in ops.__all__:
        theirs = getattr(_core, op).__doc__.replace("numpy.ndarray", "DeviceArray")
        assert getattr(cuda, op).__doc__ == theirs


def test_a_recording_has_the_same_methods(cuda: ModuleType) -> None:
    """But for the types of arguments: a step on the GPU takes arrays from either side."""
    mine, theirs = cuda.Recording, _core.Recording
    later = {"play_later", "settle", "set_gradients"}  # a step that nobody waits for
    assert names(mine) == names(theirs) | later | {"measure", "nodes"}
    for name in names(theirs):
        one, other = (re.sub(r": [\w.]+", "", parameters(getattr(c, name))) for c in (mine, theirs))
        assert one == other


@pytest.mark.parametrize("op", ops.__all__)
def test_arguments_that_find_no_place(cuda: ModuleType, op: str) -> None:
    x = np.ones((2, 2), np.float32)
    first = next(iter(specimen(op)))
    for args, kw in (
        ([], {}),
        ([x] * 40, {}),
        ([x], {first: x}),
        ([x], {"no_such_argument": x}),
    ):
        in_core = complaint(lambda args=args, kw=kw: getattr(_core, op)(*args, **kw))
        on_gpu = complaint(lambda args=args, kw=kw: getattr(cuda, op)(*args, **kw))
        assert on_gpu == in_core
        assert on_gpu[0] is TypeError and on_gpu[1].startswith(f"[{op}] ")


@pytest.mark.parametrize("op", ops.__all__)
@pytest.mark.parametrize("kind", [np.asarray, list, str])
def test_what_is_not_on_the_gpu_is_refused(cuda: ModuleType, op: str, kind: Any) -> None:
    arguments = {
        name: kind(value) if isinstance(value, np.ndarray) else value
        for name, value in specimen(op).items()
    }
    error, text = complaint(lambda: getattr(cuda, op)(**arguments))
    assert error is TypeError
    wanted = type(kind(np.ones(1))).__name__
    assert f": expected a DeviceArray, got {'numpy.' if kind is np.asarray else ''}{wanted}" in text
    assert text.startswith(f"[{op}] ") and "pynet.to_device()" in text


def test_what_both_have_says_the_same(cuda: ModuleType) -> None:
    for wrong in (
        lambda m: m.empty((2, -1)),
        lambda m: m.empty("ab"),
        lambda m: m.empty((2,) * 40),
        lambda m: m.empty((2,), "complex64"),
        lambda m: m.empty((2,), "no such dtype"),
        lambda m: m.set_winograd("perhaps"),
    ):
        assert complaint(lambda wrong=wrong: wrong(cuda)) == complaint(
            lambda wrong=wrong: wrong(_core)
        )


def test_nothing_ends_the_process(cuda: ModuleType) -> None:
    """Whatever is called without arguments works, or says what it lacks."""
    for name in sorted(names(cuda)):
        try:
            getattr(cuda, name)()
        except (TypeError, pynet.CudaError) as error:
            assert str(error)
