"""Every op of the CUDA sources, on the executor of tests/cuda_host or a GPU, by the reference.

The same tables of cases as for the compiled core (tests/test_ops.py), the same bounds. A sanitizer
looks at every access: what it would find in large arrays, it finds in small ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import test_ops
from bounds import assert_close, call, expected
from cases import DTYPES, EXACT_OPS, OP_CASES, Case
from device_ops import DeviceOps, device_module, kind
from random_cases import random_case

from pynet import ops as core_ops
from pynet import reference

SHAPES_PER_OP = {"address": 4, "thread": 2, "gpu-small": 2}.get(kind(), 30)
LARGEST = {  # elements of an array
    "address": 1500,
    "thread": 700,
    "gpu-small": 700,
    "gpu": 1 << 40,  # all cases, as on the processor
}.get(kind(), 30_000)
MOST_WORK = 1 << 60 if kind() == "gpu" else 4_000_000  # products of a convolution, about


@pytest.fixture(scope="module")
def ops() -> Iterator[DeviceOps]:
    """Without Winograd, whose transforms round: on a GPU some cases are large enough for it."""
    module = device_module()
    before = module.winograd()
    module.set_winograd(False)
    yield DeviceOps(module)
    module.set_winograd(before)


def size(inputs: Any) -> int:
    args, kw = inputs
    return max(np.size(a) for a in (*args, *kw.values()) if isinstance(a, np.ndarray))


def is_small(case: Case, inputs: Any) -> bool:
    most = MOST_WORK // case.terms if "conv" in case.op else LARGEST
    return size(inputs) <= min(LARGEST, most)


def few(cases: list[Case]) -> list[Case]:
    """Small ones from both ends of a table."""
    small = [c for c in cases if size(c.inputs(c.rng(), np.float32)) <= 1000]
    return small[:4] + small[4:][-2:]


@pytest.fixture(scope="module")
def few_cases() -> dict[str, list[Case]]:
    return {op: few(cases) for op, cases in OP_CASES.items()}


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
        if is_small(case, inputs):
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
        if not is_small(case, inputs):
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
        if not is_small(case, inputs):
            continue
        first, second = (test_ops.bits(call(ops, op, *inputs)) for _ in range(2))
        assert first == second, str(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OP_CASES)
def test_arrays_at_any_address(
    ops: DeviceOps, few_cases: dict[str, list[Case]], op: str, dtype: Any
) -> None:
    """Where the wide loads of the kernels would not be aligned."""
    shifted = DeviceOps(ops.module, shift=1)
    for case in few_cases[op]:
        inputs = case.inputs(case.rng(), dtype)
        aligned, not_aligned = (test_ops.bits(call(o, op, *inputs)) for o in (ops, shifted))
        assert aligned == not_aligned, str(case)


def test_rows_beyond_the_largest_grid(ops: DeviceOps) -> None:
    """A warp takes several rows then, one after the other."""
    N, D = 16384 + 9, 65
    rng = np.random.default_rng(5)
    x, t = rng.standard_normal((N, D)).astype(np.float32), rng.integers(0, D, N)
    for actual, exact in zip(
        ops.softmax_cross_entropy(x, t), reference.softmax_cross_entropy(x, t), strict=True
    ):
        np.testing.assert_allclose(actual, exact, rtol=1e-5)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("shape", [(300, 5), (2, 3, 60, 60), (3, 2, 41, 43)])
def test_channels_of_several_parts(ops: DeviceOps, shape: tuple[int, ...], shift: int) -> None:
    """Sums that several blocks share, from images in packs of 16 bytes and one by one."""
    device = DeviceOps(ops.module, shift)
    rng = np.random.default_rng(6)
    x, dout = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    gamma, beta = rng.standard_normal((2, shape[1])).astype(np.float32)
    np.testing.assert_allclose(device.sum_channels(x), reference.sum_channels(x), atol=2e-3)
    forward, exact = (
        o.batch_norm(x, gamma, beta, None, None, relu=True) for o in (device, reference)
    )
    for a, b in zip(forward, exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    y, mean, std = forward
    for extra in ({}, {"y": y}):
        backward, exact = (
            o.batch_norm_backward(dout, x, gamma, mean, std, **extra) for o in (device, reference)
        )
        for a, b in zip(backward, exact, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("multiple", [1, 3])
@pytest.mark.parametrize("kernel", [3, 5])
def test_depthwise_filters_of_several_parts(ops: DeviceOps, kernel: int, multiple: int) -> None:
    """Gradients of filters that several blocks share, of one patch of taps and of four."""
    rng = np.random.default_rng(8)
    x, dout = rng.integers(-1, 2, (2, 2, 54, 50)), rng.integers(-1, 2, (2, 2 * multiple, 54, 50))
    args = (dout.astype(np.float32), x.astype(np.float32), (2 * multiple, 1, kernel, kernel))
    way = {"pad": kernel // 2, "groups": 2}
    np.testing.assert_array_equal(ops.conv2d_dW(*args, **way), reference.conv2d_dW(*args, **way))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("W", [8, 6])
def test_windows_of_2x2(ops: DeviceOps, dtype: Any, W: int) -> None:
    """By packs of two rows and, where arrays are not aligned or rows no packs, window by window."""
    rng = np.random.default_rng(9)
    x = rng.choice([-1, 0, 1, np.nan], (2, 3, 6, W)).astype(dtype)
    dout, before = (rng.standard_normal(s).astype(dtype) for s in [(2, 3, 3, W // 2), x.shape])
    y, arg = core_ops.max_pool2d(x, 2)
    for device in (ops, DeviceOps(ops.module, shift=1)):
        for found, right in zip(device.max_pool2d(x, 2), (y, arg), strict=True):
            np.testing.assert_array_equal(found, right)
        mean, exact = (o.avg_pool2d(before, 2) for o in (device, core_ops))
        np.testing.assert_allclose(mean, exact, rtol=0, atol=4 * np.finfo(dtype).eps)
        for op, args, kw in [
            ("max_pool2d_backward", (dout, arg, x.shape, 2), {}),
            ("max_pool2d_backward", (dout, arg, x.shape, 2), {"y": y}),
            ("avg_pool2d_backward", (dout, x.shape, 2), {}),
        ]:
            for add in (False, True):
                found, exact = (
                    getattr(o, op)(*args, **kw, out=before.copy(), add=add)
                    for o in (device, core_ops)
                )
                np.testing.assert_array_equal(found, exact, err_msg=op)


class TestAsOnTheCore:
    """Tests of the core with the device's ops in their place, on a few cases."""

    @pytest.fixture(autouse=True)
    def on_the_device(
        self, ops: DeviceOps, few_cases: dict[str, list[Case]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(test_ops, "ops", ops)
        monkeypatch.setattr(test_ops, "OP_CASES", few_cases)

    @pytest.fixture
    def isa(self) -> str:
        return "cuda"

    test_out_receives_the_result = staticmethod(test_ops.test_out_receives_the_result)
    test_add_adds_into_out = staticmethod(test_ops.test_add_adds_into_out)
    test_any_memory_layout = staticmethod(test_ops.test_any_memory_layout)
    test_dtype_of_the_result = staticmethod(test_ops.test_dtype_of_the_result)
    test_an_infinity_stays_in_its_windows = staticmethod(
        test_ops.test_an_infinity_stays_in_its_windows
    )
