"""What gemm promises beyond its values: ReLU fused or not, nothing touched outside its arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import case_shapes as shapes
import numpy as np
import pytest
from cases import DTYPES

from pynet import _core

Array = Any


@pytest.fixture(params=_core.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


def operands(M: int, K: int, N: int, dtype: Any, trans: dict[str, bool]) -> tuple[Array, Array]:
    rng = np.random.default_rng(M + K + N)
    A = rng.standard_normal((K, M) if trans["trans_a"] else (M, K)).astype(dtype)
    B = rng.standard_normal((N, K) if trans["trans_b"] else (K, N)).astype(dtype)
    return A, B


TRANSPOSES = [{"trans_a": a, "trans_b": b} for a in (False, True) for b in (False, True)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_in_the_product_is_relu_after_it(isa: str, dtype: Any) -> None:
    """The same bits, with NaN, infinities and zeros of both signs among them."""
    for M, K, N in shapes.GEMM:
        for trans in TRANSPOSES:
            A, B = operands(M, K, N, dtype, trans)
            bias = np.random.default_rng(0).standard_normal(N).astype(dtype)
            A.flat[0], B.flat[-1] = np.nan, np.inf
            if trans["trans_a"]:
                A[:, -1] = 0
            else:
                A[-1] = -0.0  # and the other way round in B
            bias[-1:] = -0.0
            for options in ({}, {"bias": bias}, {"bias": bias, "alpha": -0.7}):
                apart = _core.relu(_core.gemm(A, B, **trans, **options))
                fused = _core.gemm(A, B, relu=True, **trans, **options)
                assert apart.tobytes() == fused.tobytes(), (M, K, N, trans, options)
                assert np.isnan(fused).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_outside_of_the_arrays(isa: str, dtype: Any) -> None:
    """Surrounded by NaN: none of it is read into the result, none of it overwritten."""

    def fenced(array: Array) -> tuple[Array, Array]:
        whole = np.full(array.size + 64, np.nan, dtype)
        inside = whole[32 : 32 + array.size].reshape(array.shape)
        inside[...] = array
        return whole, inside

    for M, K, N in shapes.GEMM:
        for trans in TRANSPOSES:
            A, B = operands(M, K, N, dtype, trans)
            _, A_inside = fenced(A)
            _, B_inside = fenced(B)
            around, C = fenced(np.zeros((M, N), dtype))
            _core.gemm(A_inside, B_inside, out=C, **trans)
            assert C.tobytes() == _core.gemm(A, B, **trans).tobytes(), (M, K, N, trans)
            assert np.isnan(around[:32]).all() and np.isnan(around[-32:]).all()
