"""Bad input to the ops of the CUDA sources: the errors of the compiled core, to the letter.

The tables are those of tests/test_bad_input.py, as far as an array on a device can be like that:
there it is contiguous, writable, and of one of six data types.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import test_bad_input
from bad_input_specimens import specimen
from bad_inputs import OUTPUTS, calls, may_be_none
from device_ops import DeviceOps, device_module
from test_bad_input import LABELS, NO_OUTPUT, TOO_LARGE, Subject, memory_of

from pynet import _core, ops

KINDS = [np.dtype(kind) for kind in ("?", "u1", "i4", "i8", "f4", "f8")]
Failure = tuple[type[Exception], str] | None


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return device_module()


def fits(a: Any) -> bool:
    return type(a) is np.ndarray and a.dtype in KINDS and a.flags.carray


def array_names(op: str) -> list[str]:
    return [*OUTPUTS, *(name for name, a in specimen(op).items() if isinstance(a, np.ndarray))]


def to_device(module: ModuleType, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments on the device; arrays that share memory share it there."""
    memories: dict[int, Any] = {}
    there = dict(arguments)
    for name in array_names(op):
        a = arguments.get(name)
        if not isinstance(a, np.ndarray):
            continue
        whole = memory_of(a)
        if id(whole) not in memories:
            memories[id(whole)] = module.to_device(whole.ravel())
        begin = (a.ctypes.data - whole.ctypes.data) // a.itemsize
        there[name] = memories[id(whole)][begin : begin + a.size].reshape(a.shape)
    return there


def failure(module: ModuleType, op: str, arguments: dict[str, Any]) -> Failure:
    try:
        getattr(module, op)(**arguments)
        if module is not _core:
            module.synchronize()
    except Exception as error:
        return type(error), str(error)
    return None


def difference(module: ModuleType, op: str, arguments: dict[str, Any]) -> str | None:
    """What is wrong about the device's error, in words."""
    given = {name: arguments[name] for name in array_names(op) if name in arguments}
    strangers = {
        name: a
        for name, a in given.items()
        if not fits(a) and not (a is None and may_be_none(op, name))
    }
    if any(isinstance(a, np.ndarray) for a in strangers.values()):
        return None  # the device has no such array
    there = failure(module, op, to_device(module, op, arguments))
    if strangers:
        if there is None and op == "conv2d" and np.isscalar(strangers.get("b")):
            return None  # a bias may be a number
        form = rf"\[{op}\] ({'|'.join(strangers)}): expected .+, got .+"
        right = there is not None and re.fullmatch(form, there[1], re.DOTALL)
        return None if right else f"expected a refusal of {[*strangers]}, got {there}"
    if there is not None and there[0] is MemoryError:  # says which memory, and what is free there
        there = MemoryError, re.sub(r" on the GPU, which has \d+ free$", "", there[1])
    here = failure(_core, op, arguments)
    return None if here == there else f"expected {here}, got {there}"


def report(found: list[str | None]) -> None:
    wrong = [text for text in found if text]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(found)}", *wrong[:20]])


@pytest.mark.parametrize("op", ops.__all__)
def test_every_argument_of_every_op(module: ModuleType, op: str) -> None:
    subject = Subject(op)
    table = calls(op, subject.arguments, subject.results())
    found = []
    for call in table:
        text = difference(module, op, {**subject.arguments, **call.changes})
        found.append(text and f"{op}, {call.label}: {text}")
    report(found)


@pytest.mark.parametrize(("op", "arguments", "name"), NO_OUTPUT)
def test_sizes_that_do_not_fit(
    module: ModuleType, op: str, arguments: dict[str, Any], name: str
) -> None:
    report([difference(module, op, arguments)])


@pytest.mark.parametrize("op", ["softmax_cross_entropy", "softmax_cross_entropy_backward"])
@pytest.mark.parametrize(("t", "error", "message"), LABELS)
def test_labels(module: ModuleType, op: str, t: Any, error: Any, message: str) -> None:
    report([difference(module, op, {**specimen(op), "t": np.array(t)})])


@pytest.mark.parametrize(("op", "arguments"), TOO_LARGE)
def test_sizes_beyond_memory(module: ModuleType, op: str, arguments: dict[str, Any]) -> None:
    if all(fits(a) for a in arguments.values() if isinstance(a, np.ndarray)):
        found = failure(module, op, to_device(module, op, arguments))
        assert found is not None
        assert found[0] in (ValueError, MemoryError)
        assert re.match(rf"\[{op}\] \w+: expected .+, got .+", found[1])


class TestOnTheDevice:
    """Tests of the core, with the device's ops in its place."""

    @pytest.fixture(autouse=True)
    def ops(self, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(test_bad_input, "ops", DeviceOps(module))

    test_large_steps = staticmethod(
        test_bad_input.test_the_largest_strides_and_paddings_that_make_sense
    )
    test_padding = staticmethod(test_bad_input.test_a_window_that_is_almost_all_padding)
    test_nan_and_infinity_are_data = staticmethod(test_bad_input.test_nan_and_infinity_are_data)
