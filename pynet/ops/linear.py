"""The matrix product."""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


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
    """Return `out = alpha * op(A) @ op(B) + beta * out + bias`, then max(0, out) with `relu`.

    Shapes: op(A) (M, K), op(B) (K, N), bias (N,), out (M, N); op transposes with `trans_a`,
    `trans_b`. With A (n, M, K) and B (n, K, N) it is n products, out (n, M, N).

    Raises ValueError when shapes do not fit, or when `beta` is not 0 and `out` is missing;
    TypeError for complex, string and object arrays.

    Source: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.
    """
    # By position: each keyword costs as much as a product of ten rows.
    return of(A).gemm(A, B, bias, trans_a, trans_b, alpha, beta, relu, out)
