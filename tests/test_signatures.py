"""How a call's arguments find their places (csrc/python/def_op.h)."""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pynet import _core

A = np.arange(6, dtype=np.float32).reshape(2, 3)
ONE = np.ones((2, 2), np.float32)


def test_arguments_by_position_by_name_and_by_default() -> None:
    expected = A @ A.T + 1
    bias = np.ones(2, np.float32)
    for y in (
        _core.gemm(A, A, bias, False, True),
        _core.gemm(A, A, bias, trans_b=True),
        _core.gemm(trans_b=True, bias=bias, B=A, A=A),
        _core.gemm(A, A, **{"".join(["trans", "_b"]): True, "bias": bias}),  # not interned
    ):
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("true", [True, np.True_, 1, np.ones((), np.int8), [0]])
def test_truth_is_what_python_calls_true(true: Any) -> None:
    if isinstance(true, list):
        with pytest.raises(TypeError, match=r"\[gemm\] trans_b: expected True or False, got \[0\]"):
            _core.gemm(A, A, trans_b=true)
    else:
        np.testing.assert_array_equal(_core.gemm(A, A, trans_b=true), A @ A.T)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _core.add(ONE), r"\[add\] b: expected an object, got nothing"),
        (lambda: _core.add(b=ONE), r"\[add\] a: expected an object, got nothing"),
        (lambda: _core.add(ONE, ONE, a=ONE), r"\[add\] a: expected one object, got two"),
        (lambda: _core.add(ONE, ONE, ONE), r"arguments: expected at most 2 by position, got 3"),
        (lambda: _core.add(ONE, ONE, to=ONE), r"\[add\] to: expected .*add\(a, b, \*, out=None\)"),
        (lambda: _core.gemm(*[ONE] * 10), r"arguments: expected at most 9 by position, got 10"),
        (lambda: _core.gemm(A, A, trans_a="no"), r"trans_a: expected True or False, got 'no'"),
        (lambda: _core.gemm(A, A, trans_a=A), r"trans_a: expected True or False, got array"),
    ],
)
def test_what_finds_no_place_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_calls_leave_no_reference_behind() -> None:
    x, out, wrong = np.ones((2, 2), np.float32), np.empty((2, 2), np.float32), np.ones(3)

    def calls() -> None:
        _core.gemm(x, x, out=out)
        _core.gemm(x, x)
        _core.sgd_update(out, x, 0.5)
        with pytest.raises(ValueError, match="expected"):
            _core.gemm(x, wrong, out=out)
        with pytest.raises(TypeError, match="expected"):
            _core.gemm(x, wrong, trans_a="no", out=out)

    calls()
    gc.collect()  # what other tests left behind holds None and True as well
    objects = (x, out, wrong, None, True, 1.0)
    before = [sys.getrefcount(o) for o in objects]
    for _ in range(1000):
        calls()
    gc.collect()
    after = [sys.getrefcount(o) for o in objects]
    assert all(abs(a - b) < 500 for a, b in zip(after, before)), (before, after)


def test_an_op_is_a_function_of_its_module() -> None:
    assert pickle.loads(pickle.dumps(_core.gemm)) is _core.gemm
    assert _core.gemm.__doc__ is not None and _core.gemm.__doc__.startswith("gemm(A, B, bias=None,")
