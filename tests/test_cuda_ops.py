"""Every op of the CUDA sources, on the executor of tests/cuda_host, by the reference.

The same tables of cases as for the compiled core (tests/test_ops.py), the same bounds.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from bounds import assert_close, call, expected
from cases import DTYPES, EXACT_OPS, OP_CASES, Case
from device_ops import DeviceOps, host_module
from random_cases import random_case

from pynet import ops as core_ops
from pynet import reference

SHAPES_PER_OP = 50
LARGEST = 30_000  # elements of an array: each is a fiber's work


@pytest.fixture(scope="module")
def ops() -> DeviceOps:
    return DeviceOps(host_module())


def size(inputs: Any) -> int:
    args, kw = inputs
    return max(np.size(a) for a in (*args, *kw.values()) if isinstance(a, np.ndarray))


def wrong(
    ops: DeviceOps, case: Case, inputs: Any, outputs: Any, limits: Any, dtype: Any
) -> list[str]:
    try:
        results = call(ops, case.op, *inputs)
        for actual, exact, limit in zip(results, outputs, limits, strict=True):
            assert_close(actual, exact, limit, dtype, "result")
    except Exception as error:  # all cases are run, and all that is wrong is reported
        return [f"{case}: {type(error).__name__}: {error}"]
    return []


def report(found: list[str]) -> None:
    assert not found, "\n".join([f"{len(found)} wrong outputs", *found[:20]])


def test_every_op_is_there(ops: DeviceOps) -> None:
    for op in core_ops.__all__:
        assert callable(getattr(ops.module, op))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OP_CASES)
def test_equals_reference(ops: DeviceOps, op: str, dtype: Any) -> None:
    found = []
    for case in OP_CASES[op]:
        inputs = case.inputs(case.rng(), dtype)
        if size(inputs) <= LARGEST:
            found += wrong(ops, case, inputs, *expected(case, *inputs, dtype), dtype)
    report(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", EXACT_OPS)
def test_exact_on_random_shapes(ops: DeviceOps, op: str, dtype: Any) -> None:
    """Data in {-1, 0, 1}: no sum is rounded, so there is one right answer, whatever the order."""
    rng = np.random.default_rng(zlib.crc32(op.encode()))
    found = []
    for _ in range(SHAPES_PER_OP):
        case = random_case(op, rng)
        inputs = case.exact_inputs(rng, dtype)
        if size(inputs) > LARGEST:
            continue
        outputs = call(reference, op, *inputs)
        found += wrong(ops, case, inputs, outputs, [0.0] * len(outputs), dtype)
    report(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OP_CASES)
def test_two_runs_give_the_same_bits(ops: DeviceOps, op: str, dtype: Any) -> None:
    """The executor draws another order of blocks and threads each time."""
    for case in OP_CASES[op][:8]:
        inputs = case.inputs(case.rng(), dtype)
        if size(inputs) > LARGEST:
            continue
        first, second = (
            [np.asarray(r).tobytes() for r in call(ops, op, *inputs)] for _ in range(2)
        )
        assert first == second, str(case)
