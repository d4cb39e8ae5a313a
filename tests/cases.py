"""The one table of cases: shapes, strides, pads and options of every op.

Correctness, exactness, bits per thread count, gradients and speed all draw from it. A case makes
its own inputs, so that one loop serves all ops:

    for case in OP_CASES["conv2d"]:
        args, kw = case.inputs(case.rng(), np.float32)
        y = getattr(ops, case.op)(*args, **kw)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import case_shapes as shapes
import cases_activation
import cases_norm
import numpy as np
from case_parts import (
    Case,
    Draw,
    Source,
    labels,
    normal,
    one_hot,
    positive,
    soft,
    text,
    through,
    values,
)
from case_shapes import Conv, Pool

from pynet import reference

DTYPES = (np.float32, np.float64)
# Ops whose every result is exact for the inputs of `exact_inputs`, in whatever order they add.
EXACT_OPS = (
    "gemm conv2d conv2d_dx conv2d_dW conv2d_max_pool2d im2col col2im max_pool2d "
    "max_pool2d_backward avg_pool2d avg_pool2d_backward resample2d resample2d_backward sum "
    "sum_channels"
).split()
# Positions of the arguments that an op changes; it may write to no other.
IN_PLACE = {
    "batch_norm": (3, 4),
    **dict.fromkeys(["sgd_update", "average_update"], (0,)),
    **dict.fromkeys(["momentum_update", "nesterov_update", "lars_update"], (0, 2)),
    **dict.fromkeys(["adagrad_update", "rmsprop_update"], (0, 2)),
    **dict.fromkeys(["adam_update", "adamw_update", "nadam_update"], (0, 2, 3)),
    **dict.fromkeys(["adadelta_update", "rprop_update"], (0, 2, 3)),
    "amsgrad_update": (0, 2, 3, 4),
}


# ---- matrix product, convolution, pooling ------------------------------------------------------


def gemm_case(
    M: int, K: int, N: int, batch: int = 0, bias: bool = False, out: bool = False, **options: Any
) -> Case:
    lead = (batch,) if batch else ()
    A = (K, M) if options.get("trans_a") else (M, K)
    B = (N, K) if options.get("trans_b") else (K, N)
    kwargs: dict[str, Any] = {**options}
    if bias:
        kwargs["bias"] = normal(N)
    if out:
        kwargs["out"] = normal(*lead, M, N)
    label = text((*lead, M, K, N), **kwargs)
    return Case("gemm", label, (normal(*lead, *A), normal(*lead, *B)), kwargs, terms=K)


def gemm_cases() -> Iterator[Case]:
    for trans_a, trans_b in product([False, True], repeat=2):
        options = {"trans_a": True} if trans_a else {}
        options |= {"trans_b": True} if trans_b else {}
        for M, K, N in shapes.GEMM:
            yield gemm_case(M, K, N, **options)
        for batch, M, K, N in shapes.GEMM_BATCHED:
            yield gemm_case(M, K, N, batch, **options)
    for M, K, N in [
        (1, 20, 10),
        (7, 30, 33),
        (64, 300, 10),
        (130, 257, 70),
        (40, 800, 50),
        (2, 2000, 70),
        (9, 1, 21),
    ]:
        yield gemm_case(M, K, N, bias=True)
        yield gemm_case(M, K, N, relu=True)
        yield gemm_case(M, K, N, bias=True, relu=True, alpha=-0.5)
        yield gemm_case(M, K, N, out=True, beta=1.0)
        yield gemm_case(M, K, N, bias=True, out=True, beta=-2.0, relu=True, trans_b=True)
        yield gemm_case(M, K, N, 3, bias=True, out=True, beta=0.5, alpha=0.25, trans_a=True)


def conv_case(op: str, c: Conv, bias: bool = False, relu: bool = False) -> Case:
    """One of the five ops over the sizes of one convolution; im2col and col2im do not use FN."""
    OH, OW = c.out
    CG = c.C // c.groups
    x, W, dout = normal(*c.x), normal(*c.filters), normal(*c.y)
    col = normal(c.N * OH * OW, c.C * c.FH * c.FW)
    args, terms = {
        "conv2d": ((x, W, normal(c.FN)) if bias else (x, W), CG * c.FH * c.FW),
        "conv2d_dx": ((dout, W, c.x), c.FN // c.groups * c.FH * c.FW),
        "conv2d_dW": ((dout, x, c.filters), c.N * OH * OW),
        "im2col": ((x, c.FH, c.FW), 1),
        "col2im": ((col, c.x, c.FH, c.FW), c.FH * c.FW),
    }[op]
    kwargs = {
        **(c.kwargs if op.startswith("conv2d") else c.window),
        **({"relu": True} if relu else {}),
    }
    label = text(c.x, c.filters, *["bias"] * bias, **kwargs)
    return Case(op, label, args, kwargs, terms)


def conv_cases() -> Iterator[Case]:
    for c in shapes.CONV:
        yield conv_case("conv2d", c)
        yield conv_case("conv2d", c, bias=True)
        yield conv_case("conv2d", c, bias=True, relu=True)
        yield conv_case("conv2d_dx", c)
        yield conv_case("conv2d_dW", c)
        if c.groups == 1:
            yield conv_case("im2col", c)
            yield conv_case("col2im", c)
    yield Case("conv2d", "scalar bias", (normal(2, 3, 6, 5), normal(4, 3, 2, 2), 0.5), terms=12)


def conv_pool_case(c: Conv, kernel: shapes.Pair, relu: bool = True) -> Case:
    args = (normal(*c.x), normal(*c.filters), normal(c.FN), kernel)
    options = {**c.kwargs, **({"relu": True} if relu else {})}
    label = text(c.x, c.filters, kernel=kernel, **options)
    return Case("conv2d_max_pool2d", label, args, options, terms=c.C // c.groups * c.FH * c.FW)


def conv_pool_cases() -> Iterator[Case]:
    for c in shapes.CONV:
        for kernel in [2, (1, 2), 3, 1]:
            if all(k <= n for k, n in zip(shapes.pair(kernel), c.out)):
                yield conv_pool_case(c, kernel)
                yield conv_pool_case(c, kernel, relu=False)
                break


def pool_case(op: str, p: Pool, **options: Any) -> Case:
    """One of the four ops over the sizes of one pooling."""

    def winners(d: Draw) -> np.ndarray:
        return reference.max_pool2d(normal(*p.x)(d), p.kernel, **p.kwargs)[1]

    args: tuple[Any, ...] = {
        "max_pool2d": (normal(*p.x), p.kernel),
        "max_pool2d_backward": (normal(*p.y), winners, p.x, p.kernel),
        "avg_pool2d": (normal(*p.x), p.kernel),
        "avg_pool2d_backward": (normal(*p.y), p.x, p.kernel),
    }[op]
    fh, fw = shapes.pair(p.kernel)
    kwargs = {**p.kwargs, **options}
    return Case(op, text(p.x, kernel=p.kernel, **kwargs), args, kwargs, terms=fh * fw)


def pool_cases() -> Iterator[Case]:
    for p in shapes.POOL:
        yield pool_case("max_pool2d", p)
        yield pool_case("max_pool2d_backward", p)
        for op in ["avg_pool2d", "avg_pool2d_backward"]:
            yield pool_case(op, p)
            yield pool_case(op, p, count_pad=False)
    for p in shapes.POOL:
        yield pool_case("max_pool2d_backward", p, y=normal(*p.y))
    for name, image in shapes.SPECIAL_IMAGES.items():
        yield Case("max_pool2d", name, (values([[image]]), 2))
        yield Case("max_pool2d", f"{name}, padded", (values([[image]]), 3), {"pad": 1})
        wide = np.tile(image, (3, 12)).tolist()
        for pad in (0, 1):
            options = {"stride": 2, "pad": pad}
            yield Case("max_pool2d", f"{name}, wide, pad {pad}", (values([[wide]]), 3), options)
    for s in shapes.CHANNELS:
        if len(s) == 4:
            yield Case("global_avg_pool2d", text(s), (normal(*s),), terms=s[2] * s[3])
            yield Case("global_avg_pool2d_backward", text(s), (normal(*s[:2]), s))


# ---- element by element ------------------------------------------------------------------------


def activation_cases() -> Iterator[Case]:
    for op in ["relu", "sigmoid", "tanh"]:
        forward = getattr(reference, op)
        for s in shapes.ARRAYS:
            yield Case(op, text(s), (normal(*s, scale=3),))
            y = through(forward, normal(*s))
            yield Case(f"{op}_backward", text(s), (normal(*s), y))
        yield Case(op, "special", (values(shapes.SPECIAL_VALUES),))
        yield Case(op, "small", (normal(77, scale=1e-6),))


def elementwise_cases() -> Iterator[Case]:
    for s in shapes.ARRAYS:
        yield Case("add", text(s), (normal(*s), normal(*s)))
        yield Case("scale", text(s), (normal(*s), 0.3))
        yield Case("clip", text(s), (normal(*s), -0.5, 0.7))
        yield Case("sum", text(s), (normal(*s),), terms=int(np.prod(s)))
        yield Case("norm", text(s), (normal(*s),), terms=int(np.prod(s)))
    for s in shapes.CHANNELS:
        yield Case("sum_channels", text(s), (normal(*s),), terms=int(np.prod(s)) // s[1])


def dropout_cases() -> Iterator[Case]:
    for s in shapes.ARRAYS:
        key = {"seed": 1, "layer": 2, "step": 3}
        yield Case("dropout", text(s), (normal(*s), 0.5), key)
        mask = through(lambda x: (x > 0).astype(np.uint8), normal(*s))
        yield Case("dropout_backward", text(s), (normal(*s), mask))
        yield Case("dropout_backward", text(s, scale=1.25), (normal(*s), mask), {"scale": 1.25})
    for ratio, seed, layer, step in [
        (0.0, 0, 0, 0),
        (0.1, 2**32 + 7, 0, 1),
        (0.2, 2**64 - 1, 2**32 - 1, 2**32 - 1),
        (0.5, 12345, 3, 2**32 + 5),  # the step counts modulo 2^32
        (0.9, 2**31, 1, 10),
    ]:
        key = {"seed": seed, "layer": layer, "step": step}
        for inverted in [False, True]:
            kwargs = {**key, "inverted": inverted}
            yield Case("dropout", text(ratio=ratio, **kwargs), (normal(9, 37), ratio), kwargs)


def update_cases() -> Iterator[Case]:
    for s in shapes.ARRAYS:
        p, g, v = normal(*s), normal(*s), normal(*s)
        state = {"v": v, "h": positive(*s), "u": positive(*s), "0": through(np.zeros_like, p)}
        state["sign"] = through(np.sign, v)
        for op, names, numbers in shapes.UPDATES:
            args = (p, g, *(state[name] for name in names.split()), *numbers)
            yield Case(f"{op}_update", text(s, names or "p"), args)
        yield Case("adam_update", text(s, "late"), (p, g, v, state["h"], 0.1, 0.8, 0.99, 100_000))
        yield Case("adagrad_update", text(s, "of 0"), (p, state["0"], state["0"], 0.01))
        for label, pair in {"p of 0": (state["0"], g), "g of 0": (p, state["0"])}.items():
            yield Case("lars_update", text(s, label), (*pair, v, 0.1, 0.9, 0.01, 0.5))
    for n in (2 * 8192, 3 * 16384 + 5):  # several parts of the norms
        arrays = (normal(n), normal(n), normal(n))
        yield Case("lars_update", text((n,)), (*arrays, 0.1, 0.9, 0.01, 0.5))


# ---- softmax, losses, normalisation ------------------------------------------------------------


def softmax_cases() -> Iterator[Case]:
    for s in [*shapes.ROWS, (10,), (2, 3, 5), (2, 2, 3, 4)]:
        for op in ["softmax", "log_softmax"]:
            forward = getattr(reference, op)
            for scale in [1.0, 30.0, 1e4]:
                x = normal(*s, scale=scale)
                yield Case(op, text(s, scale=scale), (x,), terms=s[-1])
            y = through(forward, normal(*s))
            yield Case(f"{op}_backward", text(s), (normal(*s), y), terms=s[-1])
    for op in ["softmax", "log_softmax"]:
        yield Case(op, "special", (values(shapes.SPECIAL_ROWS),), terms=3)


def loss_cases() -> Iterator[Case]:
    for N, D in shapes.ROWS:
        for scale in [1.0, 1e4]:
            x, t = normal(N, D, scale=scale), labels(N, D)
            yield from cross_entropy(text((N, D), scale=scale), x, t, N, D)
        if N * D > 1:  # a (1, 1) label is a class number
            yield from cross_entropy(text((N, D), "soft"), normal(N, D), soft(N, D), N, D)
    N, D = 5, 7
    for kind in ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]:
        yield from cross_entropy(f"{kind} classes", normal(N, D), labels(N, D, kind), N, D)
    for kind in ["bool", "uint8", "int64", "float16", "float32", "float64"]:
        yield from cross_entropy(f"{kind} one-hot", normal(N, D), one_hot(N, D, kind), N, D)
    for name, x, t in [
        ("one row, (1,1) class", normal(1, D), np.array([[3]])),
        ("one score, (1,1) class", normal(1, 1), np.array([[0]])),
        ("1-D, one-hot", normal(D), np.eye(D)[2]),
        ("1-D, class", normal(D), np.array([4])),
        ("rows of any sum", normal(N, D), through(np.abs, normal(N, D, scale=3))),
        ("rows of zeros", normal(N, D), np.zeros((N, D))),
        ("special, classes", values(shapes.SPECIAL_ROWS[:-1]), np.array([1, 0, 0, 2, 1])),
        ("special, soft", values(shapes.SPECIAL_ROWS[:-1]), np.eye(3)[[1, 1, 0, 2, 2]] * 0.5),
        ("a row of -inf", values(shapes.SPECIAL_ROWS), np.array([1, 0, 0, 2, 1, 0])),
        ("-inf at the label", values(shapes.SPECIAL_ROWS[:-1]), np.array([1, 0, 1, 2, 0])),
    ]:
        yield from cross_entropy(name, x, t, N, D)
    for s in [(1, 1), (5, 7), (100, 10), (33,), (2, 3, 4, 5), (1000, 33)]:
        x, t = normal(*s, scale=5), through(reference.sigmoid, normal(*s))
        size = int(np.prod(s))
        yield Case("sigmoid_cross_entropy", text(s), (x, t), terms=(size, 1))
        yield Case("sigmoid_cross_entropy_backward", text(s), (t, t))
        yield Case("sigmoid_cross_entropy_backward", text(s, "x3"), (t, t), {"scale": 3.0})
        yield Case("squared_error", text(s), (normal(*s), normal(*s)), terms=size)
        yield Case("squared_error_backward", text(s), (normal(*s), normal(*s)))
        yield Case(
            "squared_error_backward", text(s, "x-2"), (normal(*s), normal(*s)), {"scale": -2.0}
        )
    far = values([[1e4, -1e4, 80.0], [-80.0, 0.0, 1e4]])
    yield Case("sigmoid_cross_entropy", "special", (far, np.array([[0, 0, 1], [1, 1, 1]])))


def cross_entropy(name: str, x: Source, t: Any, N: int, D: int) -> Iterator[Case]:
    """softmax_cross_entropy and its gradient, with the same labels."""
    y = through(reference.softmax, x)
    yield Case("softmax_cross_entropy", name, (x, t), terms=(N + D, D))
    for scale in [1.0, 0.7]:
        options = {"scale": scale} if scale != 1 else {}
        label = text(name, **options)
        yield Case("softmax_cross_entropy_backward", label, (y, t), options, terms=D)


OP_CASES: dict[str, list[Case]] = {}
for family in [
    gemm_cases,
    conv_cases,
    conv_pool_cases,
    pool_cases,
    activation_cases,
    cases_activation.rule_cases,
    elementwise_cases,
    dropout_cases,
    update_cases,
    softmax_cases,
    loss_cases,
    cases_norm.norm_cases,
    cases_norm.group_norm_cases,
    cases_norm.local_response_norm_cases,
    cases_norm.resample_cases,
]:
    for case in family():
        OP_CASES.setdefault(case.op, []).append(case)

ALL_CASES = [case for cases in OP_CASES.values() for case in cases]
