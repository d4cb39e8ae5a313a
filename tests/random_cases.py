"""Random shapes, strides, pads and dilations for the ops whose arithmetic can be exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from case_shapes import Conv, Pool, pair
from cases import Case, conv_case, conv_pool_case, gemm_case, normal, pool_case, text
from cases_norm import taps


def random_case(op: str, rng: np.random.Generator) -> Case:
    """A case of an op in EXACT_OPS; call its `exact_inputs`."""
    if op == "gemm":
        return random_gemm(rng)
    if op == "conv2d_max_pool2d":
        conv = random_conv(rng, grouped=True)
        kernel = tuple(min(n, integer(rng, 1, 3)) for n in conv.out)
        return conv_pool_case(conv, kernel, relu=maybe(rng))
    if "conv" in op or "col" in op:
        conv = random_conv(rng, grouped=op.startswith("conv"))
        forward = op == "conv2d"
        return conv_case(op, conv, bias=forward and maybe(rng), relu=forward and maybe(rng))
    if "pool" in op:
        return random_pool(op, rng)
    if "resample" in op:
        return random_resample(op, rng)
    shape = tuple(integer(rng, 1, 40) for _ in range(2 if maybe(rng) else 4))
    shape = shape[:2] + tuple(-(-s // 4) for s in shape[2:])
    return Case(op, text(shape), (normal(*shape),))


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def maybe(rng: np.random.Generator) -> bool:
    return bool(rng.integers(2))


def size(rng: np.random.Generator) -> int:
    """Mostly small, sometimes beyond the tiles of the kernels, often next to a power of two."""
    top = int(rng.choice([2, 10, 40, 100]))
    return integer(rng, 1, top) if maybe(rng) else max(1, top // 2 * 2 + integer(rng, -1, 1))


def axes(rng: np.random.Generator, low: int, high: int) -> int | tuple[int, int]:
    """One value for both axes, or one for each."""
    h, w = integer(rng, low, high), integer(rng, low, high)
    return (h, w) if maybe(rng) else h


def random_gemm(rng: np.random.Generator) -> Case:
    options: dict[str, Any] = {"trans_a": maybe(rng), "trans_b": maybe(rng), "relu": maybe(rng)}
    options["alpha"] = float(rng.choice([1.0, 1.0, -1.0, 2.0, 0.5]))
    out = maybe(rng)
    if out:
        options["beta"] = float(rng.choice([0.0, 1.0, -2.0]))
    batch = integer(rng, 1, 4) if integer(rng, 0, 3) == 0 else 0
    M, K, N = size(rng), size(rng), size(rng)
    return gemm_case(M, K, N, batch, bias=maybe(rng), out=out, **options)


def random_conv(rng: np.random.Generator, grouped: bool) -> Conv:
    groups = integer(rng, 1, 4) if grouped and integer(rng, 0, 2) == 0 else 1
    C, FN = groups * integer(rng, 1, 9), groups * integer(rng, 1, 18)
    FH, FW = integer(rng, 1, 5), integer(rng, 1, 5)
    pad = axes(rng, 0, 3)
    dilation = axes(rng, 1, 3) if integer(rng, 0, 2) == 0 else 1
    (ph, pw), (dh, dw) = pair(pad), pair(dilation)
    H = max(1, dh * (FH - 1) + 1 - 2 * ph) + integer(rng, 0, 12)
    W = max(1, dw * (FW - 1) + 1 - 2 * pw) + integer(rng, 0, 20)
    return Conv(integer(rng, 1, 3), C, H, W, FN, FH, FW, axes(rng, 1, 3), pad, dilation, groups)


def random_pool(op: str, rng: np.random.Generator) -> Case:
    kernel = axes(rng, 1, 4)
    average = op.startswith("avg")
    if average:  # a mean is exact where it divides by a power of two
        kernel = (2 ** integer(rng, 0, 2), 2 ** integer(rng, 0, 2))
    fh, fw = pair(kernel)
    pad = (integer(rng, 0, fh - 1), integer(rng, 0, fw - 1))  # no window sees padding only
    stride = None if maybe(rng) else axes(rng, 1, 4)
    H = max(1, fh - 2 * pad[0]) + integer(rng, 0, 16)
    W = max(1, fw - 2 * pad[1]) + integer(rng, 0, 24)
    p = Pool(integer(rng, 1, 3), integer(rng, 1, 9), H, W, kernel, stride, pad)
    relu = op == "max_pool2d_backward" and maybe(rng)
    return pool_case(op, p, **({"y": normal(*p.y)} if relu else {}))


def random_resample(op: str, rng: np.random.Generator) -> Case:
    x = tuple(integer(rng, 1, top) for top in (3, 5, 20, 40))
    OH, OW, P, Q = (integer(rng, 1, top) for top in (20, 40, 4, 4))
    axes = (*taps(OH, x[2], P), *taps(OW, x[3], Q))
    label = text(x, (OH, OW), P=P, Q=Q)
    if op == "resample2d":
        return Case(op, label, (normal(*x), *axes), {"fill": float(rng.choice([0, 1, -2]))})
    return Case(op, label, (normal(*x[:2], OH, OW), *axes, x))
