"""The matrix product."""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import floats, store


def gemm(
    A: ArrayLike,
    B: ArrayLike,
    bias: ArrayLike | None = None,
    trans_a: bool = False,
    trans_b: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
    relu: bool = False,
    out: Array | None = None,
) -> Array:
    """Matrix product: out = alpha op(A) op(B) + beta out + bias(N,), then ReLU if asked.

    op transposes if asked. With three axes it is a batch of products, one for each first index.
    """
    A, B, bias = floats(A, B, 0 if bias is None else bias)
    if trans_a:
        A = A.swapaxes(-1, -2)
    if trans_b:
        B = B.swapaxes(-1, -2)
    C = float(alpha) * np.matmul(A, B) + bias
    if beta != 0 and out is not None:
        C += float(beta) * out
    if relu:
        C[C <= 0] = 0
    return store(C, out)
