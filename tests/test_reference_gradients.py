"""Every backward function of the reference against differences of the forward one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import OP_CASES, Case
from gradcheck import gradient_error, numerical_gradient

from pynet import reference as ref


def conv2d_gradients(dout: Any, x: Any, W: Any, b: Any = None, **kw: Any) -> dict[int, Any]:
    gradients = {0: ref.conv2d_dx(dout, W, x.shape, **kw)}
    gradients[1] = ref.conv2d_dW(dout, x, W.shape, **kw)
    return gradients if b is None else {**gradients, 2: ref.sum_channels(dout)}


def batch_norm_gradients(dout: Any, x: Any, gamma: Any, *rest: Any, **kw: Any) -> dict[int, Any]:
    y, mean, std = ref.batch_norm(x, gamma, *rest, **kw)
    train = kw.get("train", True)
    y = y if kw.get("relu") else None
    return dict(enumerate(ref.batch_norm_backward(dout, x, gamma, mean, std, train=train, y=y)))


def group_norm_gradients(dout: Any, x: Any, gamma: Any, *rest: Any, **kw: Any) -> dict[int, Any]:
    _, mean, std = ref.group_norm(x, gamma, *rest, **kw)
    return dict(enumerate(ref.group_norm_backward(dout, x, gamma, mean, std, *rest[1:])))


def local_response_norm_gradients(dout: Any, x: Any, k: float = 2, **kw: Any) -> dict[int, Any]:
    y, scale = ref.local_response_norm(x, k=k, **kw)
    return {0: ref.local_response_norm_backward(dout, x, y, scale, **kw)}


def max_pool_gradients(dout: Any, x: Any, kernel: Any, **kw: Any) -> dict[int, Any]:
    arg = ref.max_pool2d(x, kernel, **kw)[1]
    return {0: ref.max_pool2d_backward(dout, arg, x.shape, kernel, **kw)}


def dropout_gradients(dout: Any, x: Any, ratio: float, **kw: Any) -> dict[int, Any]:
    _, mask = ref.dropout(x, ratio, **kw)
    return {0: ref.dropout_backward(dout, mask, scale=1 / (1 - ratio) if kw.get("inverted") else 1)}


# For each forward op, the gradients of its arguments, by position.
GRADIENTS: dict[str, Any] = {
    "conv2d": conv2d_gradients,
    "im2col": lambda dout, x, FH, FW, **kw: {0: ref.col2im(dout, x.shape, FH, FW, **kw)},
    "max_pool2d": max_pool_gradients,
    "avg_pool2d": lambda dout, x, k, **kw: {0: ref.avg_pool2d_backward(dout, x.shape, k, **kw)},
    "global_avg_pool2d": lambda dout, x: {0: ref.global_avg_pool2d_backward(dout, x.shape)},
    "relu": lambda dout, x: {0: ref.relu_backward(dout, ref.relu(x))},
    "sigmoid": lambda dout, x: {0: ref.sigmoid_backward(dout, ref.sigmoid(x))},
    "tanh": lambda dout, x: {0: ref.tanh_backward(dout, ref.tanh(x))},
    "activation": lambda dout, x, *rule: {0: ref.activation_backward(dout, x, *rule)},
    "softmax": lambda dout, x: {0: ref.softmax_backward(dout, ref.softmax(x))},
    "log_softmax": lambda dout, x: {0: ref.log_softmax_backward(dout, ref.log_softmax(x))},
    "softmax_cross_entropy": lambda dout, x, t: {
        0: ref.softmax_cross_entropy_backward(ref.softmax(x), t, scale=float(dout))
    },
    "sigmoid_cross_entropy": lambda dout, x, t: {
        0: ref.sigmoid_cross_entropy_backward(ref.sigmoid(x), t, scale=float(dout))
    },
    "squared_error": lambda dout, y, t: {0: ref.squared_error_backward(y, t, scale=float(dout))},
    "batch_norm": batch_norm_gradients,
    "group_norm": group_norm_gradients,
    "local_response_norm": local_response_norm_gradients,
    "resample2d": lambda dout, x, *taps, **_: {0: ref.resample2d_backward(dout, *taps, x.shape)},
    "dropout": dropout_gradients,
}
KINKED = ("relu", "activation", "max_pool2d")
SATURATED = ("special", "scale=30.0", "scale=10000.0", "-inf", "small")
FUSED = "relu=True"  # relu has cases of its own, whose inputs keep away from its kink


def differentiable(case: Case) -> bool:
    """Small enough for differences, and with a gradient that is not lost in rounding."""
    args, _ = case.inputs(case.rng(), np.float64)
    size = sum(a.size for a in args if isinstance(a, np.ndarray))
    return size <= 250 and not any(word in case.label for word in (*SATURATED, FUSED))


@pytest.mark.parametrize(
    "case", [c for op in GRADIENTS for c in OP_CASES[op] if differentiable(c)], ids=str
)
def test_gradients_by_differences(case: Case) -> None:
    rng = case.rng()
    args, kw = case.inputs(rng, np.float64)
    if case.op in KINKED:  # distinct values, none near 0
        x = args[0]
        spread = (rng.permutation(x.size).reshape(x.shape) - x.size // 2 + 0.5) * 0.1
        args = (spread, *args[1:])
    op = getattr(ref, case.op)

    def first() -> Any:
        result = op(*args, **kw)
        return result[0] if isinstance(result, tuple) else result

    dout = np.asarray(rng.standard_normal(np.shape(first())))
    copies = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in args)
    for i, analytic in GRADIENTS[case.op](dout, *copies, **kw).items():
        if isinstance(args[i], np.ndarray):
            numerical = numerical_gradient(lambda: float(np.sum(first() * dout)), args[i])
            assert analytic.shape == args[i].shape
            assert gradient_error(analytic, numerical) < 1e-7, f"argument {i}"
