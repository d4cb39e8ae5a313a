"""How far a result may be from the exact one: rounding errors, bounded op by op.

The exact result is the reference's in float64. A sum of n terms, added in any order, is off by at
most n u sum|terms| (u = eps/2); errors of random sign stay below 8 sqrt(n) u sum|terms| with a
probability that is 1 for all purposes (Higham and Mary, 2019). So a bound is

    growth(terms) * eps * magnitude

where the magnitude is what the sum of absolute values would be: for a linear op, the op itself
with every argument replaced by its absolute value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cases import IN_PLACE, Case
from cases_activation import magnitude as activation

from pynet import reference
from pynet.reference.loss import label_rows

Outputs = list[Any]
# Ops that move, select or round once: equal to the reference in the same dtype, bit for bit.
EXACT = {
    "im2col",
    "max_pool2d",
    "relu",
    "relu_backward",
    "add",
    "scale",
    "clip",
    "dropout",
    "dropout_backward",
}


def call(module: Any, op: str, args: tuple[Any, ...], kw: dict[str, Any]) -> Outputs:
    """All that a call gives: what it returns, then the arguments that it changes.

    What it may change is copied first. It must leave its other arguments alone, and hand `out`
    back as its result.
    """
    changed = IN_PLACE.get(op, ())
    mine = [a.copy() if i in changed and a is not None else a for i, a in enumerate(args)]
    keywords = {k: v.copy() if k == "out" else v for k, v in kw.items()}
    before = [a.copy() if isinstance(a, np.ndarray) else None for a in args]
    result = getattr(module, op)(*mine, **keywords)

    for i, (old, new) in enumerate(zip(before, args)):
        if old is not None:
            same = np.array_equal(old, new, equal_nan=old.dtype.kind == "f")
            assert same, f"{op} has written into argument {i}"
    results = list(result) if isinstance(result, tuple) else [] if result is None else [result]
    if keywords.get("out") is not None:
        assert results[0] is keywords["out"], f"{op} has not returned out"
    return results + [mine[i] for i in changed if mine[i] is not None]


def convert(arguments: Any, dtype: Any) -> Any:
    """The floating arrays of a tuple or dict in another dtype."""
    if isinstance(arguments, dict):
        return {k: convert(v, dtype) for k, v in arguments.items()}
    if isinstance(arguments, tuple):
        return tuple(convert(a, dtype) for a in arguments)
    if isinstance(arguments, np.ndarray) and arguments.dtype.kind == "f":
        return arguments.astype(dtype)
    return arguments


def expected(
    case: Case, args: tuple[Any, ...], kw: dict[str, Any], dtype: Any
) -> tuple[Outputs, Outputs]:
    """The outputs of a case computed in `dtype`, and how far each may be off."""
    if case.op in EXACT:
        outputs = call(reference, case.op, args, kw)
        return outputs, [0.0] * len(outputs)
    args, kw = convert(args, np.float64), convert(kw, np.float64)
    outputs = call(reference, case.op, args, kw)
    with np.errstate(invalid="ignore"):  # 0 * inf, where the exact result is 0
        magnitudes = MAGNITUDES.get(case.op, absolute)(case.op, args, kw, outputs)
    terms = case.terms if isinstance(case.terms, tuple) else (case.terms,) * len(outputs)
    info = np.finfo(dtype)
    # Below the smallest normal number there are fewer digits, or none.
    return outputs, [
        growth(n) * info.eps * np.where(np.isfinite(m), m, np.abs(e)) + 4 * info.tiny
        for n, m, e in zip(terms, magnitudes, outputs, strict=True)
    ]


def growth(terms: int) -> float:
    """Roundings behind one element, in units of eps; 8 for the steps before and after the sum."""
    return 8 + min(terms, 8 * terms**0.5)


def assert_close(actual: Any, exact: Any, bound: Any, dtype: Any, name: str) -> None:
    """Same kind, dtype and shape; NaN and infinities in the same places; the rest within bound."""
    if isinstance(exact, float):
        assert type(actual) is float, f"{name}: expected a float, got {type(actual)}"
    else:
        wanted = np.dtype(dtype) if exact.dtype.kind == "f" else exact.dtype
        assert isinstance(actual, np.ndarray), f"{name}: expected an array, got {type(actual)}"
        assert actual.dtype == wanted, f"{name}: expected {wanted}, got {actual.dtype}"
        assert actual.shape == exact.shape, f"{name}: expected {exact.shape}, got {actual.shape}"
        assert actual.flags.c_contiguous, f"{name}: not C-contiguous"
    a, e = np.asarray(actual, np.float64), np.asarray(exact, np.float64)
    finite = np.isfinite(e)
    assert np.array_equal(a[~finite], e[~finite], equal_nan=True), f"{name}: {a} is not {e}"
    a, e, limit = a[finite], e[finite], np.broadcast_to(bound, e.shape)[finite]
    wrong = ~(np.abs(a - e) <= limit)  # NaN is wrong as well
    if wrong.any():
        worst = int(np.argmax(np.where(wrong, np.abs(a - e), 0)))
        where = tuple(map(int, np.argwhere(finite)[worst]))
        raise AssertionError(
            f"{name}: {wrong.sum()} of {finite.size} values are off, the worst at {where}: "
            f"got {a[worst]}, expected {e[worst]} +- {limit[worst]}"
        )


# ---- magnitudes --------------------------------------------------------------------------------

Magnitude = Callable[[str, tuple[Any, ...], dict[str, Any], Outputs], Outputs]


def absolute(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    """For linear ops: the op over absolute values."""
    size = {
        k: abs(v) if k in ("alpha", "beta", "scale", "fill") else v for k, v in positive(kw).items()
    }
    return call(reference, op, positive(args), size)


def against_gradient(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    """For updates p - lr g: the same, with the sign of g that makes everything add up."""
    p, g, *rest = positive(args)
    return call(reference, op, (p, -g, *rest), kw)


def lars_update(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    """The decay adds to the step where p and g have one sign; then p itself is moved against it."""
    p, g, *rest = positive(args)
    _, v = call(reference, op, (-p, -g, *rest), kw)
    return [p + v, v]


def relative(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    """For formulas that keep relative precision: the result."""
    return [np.abs(e) for e in out]


def positive(arguments: Any) -> Any:
    """Every array, in a tuple or dict, without its signs."""
    if isinstance(arguments, dict):
        return {k: positive(v) for k, v in arguments.items()}
    if isinstance(arguments, tuple):
        return tuple(positive(a) for a in arguments)
    return np.abs(arguments) if isinstance(arguments, np.ndarray) else arguments


def distance(x: np.ndarray) -> np.ndarray:
    """|x - max| per row: the exponents of softmax, whose rounding errors become relative ones."""
    return np.abs(x - x.max(axis=-1, keepdims=True))


def softmax(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    return [out[0] * (1 + distance(args[0]))]


def log_softmax(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    return [1 + distance(args[0]) + np.abs(out[0])]


def softmax_backward(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    dout, y = args
    return [y * (np.abs(dout) + (np.abs(dout) * y).sum(axis=-1, keepdims=True))]


def log_softmax_backward(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    dout, y = args
    total = np.abs(dout).sum(axis=-1, keepdims=True)
    return [np.abs(dout) + np.exp(y) * (1 + np.abs(y)) * total]


def softmax_cross_entropy(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    rows = np.atleast_2d(args[0])
    t = label_rows(args[1], rows)
    far = distance(rows)
    terms = np.where(t == 0, 0, t * (1 + far + np.log(rows.shape[1])))
    return [terms.sum() / len(rows), out[1] * (1 + distance(args[0]))]


def softmax_cross_entropy_backward(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    rows = np.atleast_2d(args[0])
    t = label_rows(args[1], rows)
    size = np.abs(rows) * t.sum(axis=1, keepdims=True) + t
    return [abs(kw.get("scale", 1.0)) / len(rows) * size.reshape(args[0].shape)]


def sigmoid_cross_entropy(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    x, t = np.abs(args[0]), np.abs(args[1])
    return [(x + x * t + np.log1p(np.exp(-x))).sum() / len(x), out[1]]


def tanh_backward(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    dout, y = args
    return [np.abs(dout) * (1 + y * y)]


def adam_update(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    p, g, m, *_, iter = args
    lr, beta1, beta2 = args[len(out) + 1 : len(out) + 4]
    rate = lr * np.sqrt(1 - beta2**iter) / (1 - beta1**iter)
    moved = np.abs(m) + (1 - beta1) * np.abs(g)
    # of nadam, whose m and g have factors of their own, this is the larger one
    return [np.abs(p) + rate * moved / (np.sqrt(out[-1]) + 1e-7), moved, *out[2:]]


def adadelta_update(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    p = args[0]
    return [np.abs(p) + np.abs(out[0] - p), out[1], out[2]]


def rprop_update(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    return [np.abs(args[0]) + out[2], np.abs(out[1]), out[2]]


def average_update(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    return [np.abs(args[0]) + np.abs(args[1])]


def batch_norm(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    x, gamma, beta, *running = args
    y, mean, std, *_ = out
    axes, shape = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    # The mean's error, and that of x - mean or of x * (gamma/std), grow with the size of x.
    size = np.abs(x).mean(axis=axes) + np.abs(mean)
    slope = (np.abs(gamma) / std).reshape(shape)
    result = [slope * (np.abs(x) + size.reshape(shape)) + np.abs(beta).reshape(shape), size, std]
    if running[0] is not None:
        result += [np.abs(running[0]) + size, running[1] + std**2]
    return result


def batch_norm_backward(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    dout, x, gamma, mean, std = (np.abs(a) for a in args)
    dout = dout * (kw["y"] > 0) if "y" in kw else dout
    axes, shape = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    m = x.size // x.shape[1]
    xn = (x + mean.reshape(shape)) / std.reshape(shape)
    dgamma, dbeta = (dout * xn).sum(axis=axes), dout.sum(axis=axes)
    means = (dbeta.reshape(shape) + xn * dgamma.reshape(shape)) / m
    return [(gamma / std).reshape(shape) * (dout + means), dgamma, dbeta]


def group_norm(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs) -> Outputs:
    x, gamma, beta, *_ = args
    _, mean, std = out
    shape, rows = (1, -1) + (1,) * (x.ndim - 2), (*mean.shape, -1)
    size = np.abs(x).reshape(rows).mean(axis=2) + np.abs(mean)
    spread = (np.abs(x).reshape(rows) + size[:, :, None]) / std[:, :, None]
    y = np.abs(gamma).reshape(shape) * spread.reshape(x.shape) + np.abs(beta).reshape(shape)
    return [y, size, std]


def group_norm_backward(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    dout, x, gamma, mean, std = (np.abs(a) for a in args[:5])
    axes, shape, rows = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2), (*mean.shape, -1)
    xn = (x.reshape(rows) + mean[:, :, None]) / std[:, :, None]
    d = (gamma.reshape(shape) * dout).reshape(rows)
    means = d.mean(axis=2)[:, :, None] + xn * (d * xn).mean(axis=2)[:, :, None]
    dx = ((d + means) / std[:, :, None]).reshape(x.shape)
    return [dx, (dout * xn.reshape(x.shape)).sum(axis=axes), dout.sum(axis=axes)]


def local_response_norm(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    y, scale = np.abs(out[0]), out[1]
    return [y * (1 + kw.get("beta", 0.75) * (1 + np.abs(np.log(scale)))), scale]


def local_response_norm_backward(
    op: str, args: tuple[Any, ...], kw: dict[str, Any], out: Outputs
) -> Outputs:
    dout, x, y, scale = positive(args)
    beta = kw.get("beta", 0.75)
    direct = dout * scale**-beta
    (dx,) = call(reference, op, (dout, x, -y, scale), kw)  # both parts with one sign
    return [dx + direct * beta * (1 + np.abs(np.log(scale)))]


MAGNITUDES: dict[str, Magnitude] = {
    **dict.fromkeys(["sigmoid", "tanh", "sigmoid_backward", "norm", "squared_error"], relative),
    **dict.fromkeys(["sigmoid_cross_entropy_backward", "squared_error_backward"], relative),
    **dict.fromkeys(["sgd_update", "momentum_update", "nesterov_update"], against_gradient),
    **dict.fromkeys(["adagrad_update", "rmsprop_update"], against_gradient),
    "activation": activation,
    "activation_backward": activation,
    "tanh_backward": tanh_backward,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "softmax_backward": softmax_backward,
    "log_softmax_backward": log_softmax_backward,
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax_cross_entropy_backward": softmax_cross_entropy_backward,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    **dict.fromkeys(["adam_update", "adamw_update"], adam_update),
    **dict.fromkeys(["nadam_update", "amsgrad_update"], adam_update),
    "adadelta_update": adadelta_update,
    "rprop_update": rprop_update,
    "average_update": average_update,
    "lars_update": lars_update,
    "batch_norm": batch_norm,
    "batch_norm_backward": batch_norm_backward,
    "group_norm": group_norm,
    "group_norm_backward": group_norm_backward,
    "local_response_norm": local_response_norm,
    "local_response_norm_backward": local_response_norm_backward,
}
