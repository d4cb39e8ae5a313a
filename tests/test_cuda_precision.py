"""Products and convolutions on tensor cores, or the executor's: float32 read with fewer digits.

Numbers with few digits are exact in every precision, so there the answer is one. On random numbers
the error is bounded by the digits that are left: 2^-11 of each factor in TF32, 2^-8 in bfloat16; in
three products of TF32 it is that of float32.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from device_ops import DeviceOps, device_module

from pynet import reference

# Of the sum of |a| |b|: both factors are rounded, and the sum is one of float32.
ERROR = {"tf32x3": 2.0**-20, "tf32": 2.0**-10, "bfloat16": 2.0**-7}
SHAPES = [(1, 1, 1), (17, 9, 33), (64, 64, 16), (65, 130, 40), (5, 200, 300)]


@pytest.fixture(scope="module")
def ops() -> DeviceOps:
    return DeviceOps(device_module())


@pytest.fixture(params=ERROR)
def precision(request: pytest.FixtureRequest, ops: DeviceOps) -> Iterator[str]:
    ops.module.set_precision(request.param)
    yield request.param
    ops.module.set_precision("float32")


def test_the_name_is_checked(ops: DeviceOps) -> None:
    assert ops.module.precision() == "float32"
    with pytest.raises(ValueError, match=r"\[set_precision\] name: expected one of .* got 'half'"):
        ops.module.set_precision("half")
    assert ops.module.precision() == "float32"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_whole_numbers_are_exact(
    ops: DeviceOps, precision: str, shape: tuple[int, int, int], transposed: bool
) -> None:
    M, N, K = shape
    rng = np.random.default_rng(M + N + K)
    A = rng.integers(-2, 3, (K, M) if transposed else (M, K)).astype(np.float32)
    B = rng.integers(-2, 3, (K, N)).astype(np.float32)
    bias = rng.integers(-2, 3, N).astype(np.float32)
    C = ops.gemm(A, B, bias, transposed)
    assert np.array_equal(C, reference.gemm(A, B, bias, transposed))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_error_of_random_numbers(
    ops: DeviceOps, precision: str, shape: tuple[int, int, int]
) -> None:
    M, N, K = shape
    rng = np.random.default_rng(M * N * K)
    A = rng.standard_normal((M, K)).astype(np.float32)
    B = rng.standard_normal((K, N)).astype(np.float32)
    exact = A.astype(np.float64) @ B.astype(np.float64)
    error = np.abs(ops.gemm(A, B) - exact) / (np.abs(A).astype(np.float64) @ np.abs(B))
    assert error.max() <= ERROR[precision]
    if precision != "tf32x3" and K > 1:  # and it does read fewer digits
        assert error.max() > 2.0**-20


def errors(ops: DeviceOps, A: np.ndarray, B: np.ndarray) -> tuple[float, float]:
    """The largest error of a product, and of one whose sums are rounded to float32 at each step."""
    exact = A.astype(np.float64) @ B.astype(np.float64)
    sums = np.zeros(exact.shape, np.float32)
    for column, row in zip(A.T, B):
        sums += np.outer(column, row)
    return float(np.abs(ops.gemm(A, B) - exact).max()), float(np.abs(sums - exact).max())


def assert_as_exact_as_float32(ops: DeviceOps, A: np.ndarray, B: np.ndarray) -> None:
    ops.module.set_precision("tf32x3")
    try:
        mine, in_float32 = errors(ops, A, B)
    finally:
        ops.module.set_precision("float32")
    assert mine <= 2 * in_float32


def test_three_products_are_as_exact_as_float32(ops: DeviceOps) -> None:
    """Tensor cores cut sums off, which adds up over a long K: threads add them instead."""
    rng = np.random.default_rng(2)
    A = rng.random((33, 4000)).astype(np.float32)  # positive, so that sums grow
    B = rng.random((4000, 40)).astype(np.float32)
    assert_as_exact_as_float32(ops, A, B)


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor as a GPU of compute capability 9.0."""
    monkeypatch.setenv("PYNET_EXECUTOR_CAPABILITY", "90")


# Tiles of 128 x 256, at least 64 of them, with edges; the second operand lies either way.
LARGE = (1000, 2047, 259)


def test_packed_operands_of_whole_numbers(ops: DeviceOps, precision: str, hopper: None) -> None:
    """Large products pack their operands first, where warpgroups multiply."""
    M, N, K = LARGE
    rng = np.random.default_rng(3)
    A = rng.integers(-2, 3, (M, K)).astype(np.float32)
    B = rng.integers(-2, 3, (N, K)).astype(np.float32)
    bias = rng.integers(-2, 3, N).astype(np.float32)
    assert np.array_equal(
        ops.gemm(A, B, bias, False, True), reference.gemm(A, B, bias, False, True)
    )


def test_error_of_packed_operands(ops: DeviceOps, precision: str, hopper: None) -> None:
    M, N, K = LARGE
    rng = np.random.default_rng(4)
    A = rng.standard_normal((K, M)).astype(np.float32)
    B = rng.standard_normal((K, N)).astype(np.float32)
    exact = A.T.astype(np.float64) @ B
    error = np.abs(ops.gemm(A, B, None, True) - exact) / (
        np.abs(A.T).astype(np.float64) @ np.abs(B)
    )
    assert error.max() <= ERROR[precision]
    assert precision == "tf32x3" or error.max() > 2.0**-20


def test_packed_operands_are_as_exact_as_float32(ops: DeviceOps, hopper: None) -> None:
    rng = np.random.default_rng(5)
    A = rng.random((1024, 300)).astype(np.float32)
    B = rng.random((300, 1024)).astype(np.float32)
    assert_as_exact_as_float32(ops, A, B)


def test_float64_keeps_its_digits(ops: DeviceOps, precision: str) -> None:
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((20, 30)), rng.standard_normal((30, 10))
    assert np.allclose(ops.gemm(A, B), A @ B, rtol=1e-13, atol=1e-13)


def test_convolutions(ops: DeviceOps, precision: str) -> None:
    """Forward and both gradients are products of the same kind: those of dilated filters are, so
    few taps side by side would be convolved directly."""
    rng = np.random.default_rng(1)
    x = rng.integers(-2, 3, (2, 3, 7, 6)).astype(np.float32)
    W = rng.integers(-2, 3, (5, 3, 3, 3)).astype(np.float32)
    b = rng.integers(-2, 3, 5).astype(np.float32)
    way = {"stride": (2, 2), "pad": (2, 1), "dilation": (2, 1), "groups": 1}
    y = reference.conv2d(x, W, b, **way)
    assert np.array_equal(ops.conv2d(x, W, b, **way), y)
    dout = rng.integers(-2, 3, y.shape).astype(np.float32)
    for op, second, shape in (("conv2d_dx", W, x.shape), ("conv2d_dW", x, W.shape)):
        found = getattr(ops, op)(dout, second, shape, **way)
        assert np.array_equal(found, getattr(reference, op)(dout, second, shape, **way)), op
