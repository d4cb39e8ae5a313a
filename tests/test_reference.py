"""The reference against truth that does not come from it: numbers worked out by hand, published
vectors, and the seven loops of a convolution."""

from __future__ import annotations

import math
from inspect import signature
from typing import Any

import numpy as np
import pytest
from bounds import assert_close, call, expected
from cases import ALL_CASES, DTYPES, IN_PLACE, OP_CASES, Case

from pynet import reference as ref
from pynet.reference.conv import conv2d_naive
from pynet.reference.dropout import philox4x32, uniform

# ---- numbers by hand ---------------------------------------------------------------------------


def test_numbers_of_the_book() -> None:
    y = ref.softmax(np.array([0.3, 2.9, 4.0]))
    assert np.array_equal(y.round(3), [0.018, 0.245, 0.737])
    assert round(float(ref.sigmoid(np.array([1.0]))[0]), 3) == 0.731
    assert np.array_equal(ref.relu(np.array([-1.0, 0.0, 2.0])), [0, 0, 2])
    assert ref.im2col(np.ones((1, 3, 7, 7)), 5, 5).shape == (9, 75)
    assert ref.im2col(np.ones((10, 3, 7, 7)), 5, 5).shape == (90, 75)


def test_im2col_and_col2im_by_hand() -> None:
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    col = ref.im2col(x, 2, 2)
    assert np.array_equal(col, [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]])
    # Each pixel comes back as often as a window has seen it.
    seen = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    assert np.array_equal(ref.col2im(col, x.shape, 2, 2)[0, 0], x[0, 0] * seen)
    padded = ref.im2col(x, 2, 2, stride=3, pad=1, dilation=2)
    assert np.array_equal(padded, [[0, 0, 0, 4]])


@pytest.mark.parametrize("case", OP_CASES["im2col"], ids=str)
def test_col2im_is_the_adjoint_of_im2col(case: Case) -> None:
    (x, FH, FW), kw = case.inputs(case.rng(), np.float64)
    col = ref.im2col(x, FH, FW, **kw)
    other = case.rng().standard_normal(col.shape)
    back = ref.col2im(other, x.shape, FH, FW, **kw)
    assert math.isclose((col * other).sum(), (x * back).sum(), rel_tol=1e-9, abs_tol=1e-9)


def test_gemm_by_hand() -> None:
    A, B = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [1.0, 1.0]])
    assert np.array_equal(ref.gemm(A, B), [[2, 3], [4, 7]])
    assert np.array_equal(ref.gemm(A, B, trans_a=True), [[3, 4], [4, 6]])
    assert np.array_equal(ref.gemm(A.T, B, trans_a=True, trans_b=True), [[2, 3], [4, 7]])
    out = np.array([[1.0, 1.0], [1.0, -9.0]])
    got = ref.gemm(A, B, np.array([-7.5, 1.0]), alpha=2, beta=3, relu=True, out=out)
    assert got is out
    assert np.array_equal(out, [[0.0, 10.0], [3.5, 0.0]])  # 4+3-7.5, 6+3+1, 8+3-7.5, 14-27+1
    nan = np.full((2, 2), np.nan)
    assert np.array_equal(ref.gemm(A, B, out=nan), [[2, 3], [4, 7]])  # beta 0: not read


def test_pooling_by_hand() -> None:
    x = np.array([[[[1.0, 3.0, 3.0], [2.0, -1.0, 3.0], [0.0, 5.0, -4.0]]]])
    y, arg = ref.max_pool2d(x, 2, stride=1)
    assert np.array_equal(y, [[[[3, 3], [5, 5]]]])
    assert np.array_equal(arg, [[[[1, 0], [3, 2]]]])  # the first of equals
    dx = ref.max_pool2d_backward(
        np.array([[[[1.0, 10.0], [100.0, 1000.0]]]]), arg, x.shape, 2, stride=1
    )
    assert np.array_equal(dx, [[[[0, 11, 0], [0, 0, 0], [0, 1100, 0]]]])
    y, arg = ref.max_pool2d(-np.ones((1, 1, 2, 2)), 2, pad=1)
    assert np.array_equal(y, -np.ones((1, 1, 2, 2)))  # not the padding's 0
    assert np.array_equal(arg, [[[[3, 2], [1, 0]]]])
    y, arg = ref.max_pool2d(np.full((1, 1, 2, 2), -np.inf), 2, pad=1)
    assert np.array_equal(arg, [[[[3, 2], [1, 0]]]])  # nor where the image is no larger
    y, arg = ref.max_pool2d(np.array([[[[5.0, np.nan], [np.nan, np.inf]]]]), 2)
    assert np.isnan(y).all() and arg.item() == 1

    ones = np.ones((1, 1, 3, 3))
    assert np.array_equal(ref.avg_pool2d(ones, 2, pad=1), [[[[0.25, 0.5], [0.5, 1]]]])
    assert np.array_equal(ref.avg_pool2d(ones, 2, pad=1, count_pad=False), np.ones((1, 1, 2, 2)))
    dx = ref.avg_pool2d_backward(np.ones((1, 1, 2, 2)), ones.shape, 2, pad=1, count_pad=False)
    assert np.array_equal(dx, [[[[1, 0.5, 0.5], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]]])
    assert np.array_equal(ref.global_avg_pool2d(x), [[12 / 9]])


def test_losses_by_hand() -> None:
    x = np.log(np.array([[0.1, 0.3, 0.6], [0.2, 0.5, 0.3]]))
    loss, y = ref.softmax_cross_entropy(x, np.array([2, 0]))
    assert type(loss) is float
    assert math.isclose(loss, -(math.log(0.6) + math.log(0.2)) / 2, rel_tol=1e-14)
    assert np.allclose(y, np.exp(x), rtol=1e-14)
    dx = ref.softmax_cross_entropy_backward(y, np.array([2, 0]), scale=2.0)
    assert np.allclose(dx, [[0.1, 0.3, -0.4], [-0.8, 0.5, 0.3]], rtol=1e-14)
    soft = np.array([[0.5, 0.25, 0.25], [0.0, 2.0, 0.0]])  # rows need not sum to 1
    loss, _ = ref.softmax_cross_entropy(x, soft)
    terms = [0.5 * math.log(0.1), 0.25 * math.log(0.3), 0.25 * math.log(0.6), 2 * math.log(0.5)]
    assert math.isclose(loss, -sum(terms) / 2, rel_tol=1e-14)
    dx = ref.softmax_cross_entropy_backward(y, soft)
    assert np.allclose(dx, [[-0.2, 0.025, 0.175], [0.2, -0.5, 0.3]], rtol=1e-13)

    loss, y = ref.sigmoid_cross_entropy(np.array([[0.0, math.log(3)]]), np.array([[1, 0]]))
    assert math.isclose(loss, math.log(2) + math.log(4), rel_tol=1e-14)
    assert np.allclose(y, [[0.5, 0.75]], rtol=1e-14)
    dx = ref.sigmoid_cross_entropy_backward(y, np.array([[1, 0]]))
    assert np.allclose(dx, [[-0.5, 0.75]], rtol=1e-14)
    assert (
        ref.squared_error(np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0, 2], [3, 1]])) == 17 / 4
    )
    assert np.array_equal(
        ref.squared_error_backward(np.array([[3.0], [5.0]]), [[1], [1]]), [[1], [2]]
    )


def test_softmax_cross_entropy_at_the_edges() -> None:
    inf, loss = np.inf, lambda x, t: ref.softmax_cross_entropy(np.array(x), np.array(t))[0]
    assert loss([[1e4, -1e4]], [0]) == 0.0
    assert loss([[1e4, -1e4]], [1]) == 2e4
    assert loss([[-inf, 0.0]], [1]) == 0.0
    assert loss([[-inf, 0.0]], [0]) == inf
    assert loss([[-inf, 0.0]], [[0.0, 1.0]]) == 0.0  # 0 * -inf counts 0
    assert loss([[-inf, 0.0]], [[0.5, 0.5]]) == inf
    assert math.isnan(loss([[-inf, -inf], [0.0, 0.0]], [0, 1]))
    assert math.isnan(loss([[-inf, -inf]], [[0.0, 0.0]]))


def test_labels_in_every_form() -> None:
    x = np.random.default_rng(0).standard_normal((4, 5))
    t = np.array([3, 0, 4, 1])
    y = ref.softmax(x)
    truth = -np.log(y[np.arange(4), t]).mean()
    gradient = (y - np.eye(5)[t]) / 4
    classes = [t.astype(k) for k in "bBhHiIlLqQ"]
    rows = [np.eye(5)[t].astype(k) for k in ["bool", "u1", "i8", "f2", "f4", "f8"]]
    for form in [*classes, *rows, t.tolist()]:
        assert math.isclose(ref.softmax_cross_entropy(x, form)[0], truth, rel_tol=1e-14)
        assert np.allclose(ref.softmax_cross_entropy_backward(y, form), gradient, atol=1e-16)
    first = -math.log(y[0, 3])
    for scores, form in [
        (x[:1], [[3]]),
        (x[:1], [3]),
        (x[0], [3]),
        (x[0], 3),
        (x[0], np.eye(5)[3]),
        (x[0], [[3]]),
    ]:
        assert math.isclose(ref.softmax_cross_entropy(scores, form)[0], first, rel_tol=1e-14)
        dx = ref.softmax_cross_entropy_backward(ref.softmax(scores), form)
        assert dx.shape == scores.shape
        assert np.allclose(dx.ravel(), gradient[0] * 4, atol=1e-16)
    assert ref.softmax_cross_entropy(np.array([[7.0]]), np.array([[0]]))[0] == 0
    for scores, form in [(x, [3, 0, 5, 1]), (x[:1, :1], [[1]])]:  # one row, one score: a class too
        with pytest.raises(IndexError):
            ref.softmax_cross_entropy(scores, np.array(form))


def test_batch_norm_by_hand() -> None:
    x = np.array([[1.0, 10.0], [3.0, 10.0]])
    mean, var = np.zeros(2), np.ones(2)
    y, m, s = ref.batch_norm(x, [2.0, 1.0], [0.5, -1.0], mean, var, eps=3.0, unbiased=True)
    assert np.array_equal(m, [2, 10]) and np.allclose(s, [2, math.sqrt(3)])
    assert np.allclose(y, [[-0.5, -1], [1.5, -1]])
    assert np.allclose(mean, [0.2, 1.0]) and np.allclose(var, [0.9 + 0.1 * 2, 0.9])
    y, m, s = ref.batch_norm(
        x, [1.0, 1.0], [0.0, 0.0], np.array([1.0, 8.0]), np.ones(2), eps=3.0, train=False
    )
    assert np.allclose(y, [[0, 1], [1, 1]]) and np.allclose(s, 2) and np.array_equal(m, [1, 8])
    # Channels of images are columns of pixels.
    images = np.random.default_rng(0).standard_normal((3, 2, 4, 5))
    pixels = images.transpose(0, 2, 3, 1).reshape(-1, 2)
    a, b = np.array([1.5, -2.0]), np.array([0.1, 0.2])
    flat = ref.batch_norm(pixels, a, b, None, None)[0].reshape(3, 4, 5, 2).transpose(0, 3, 1, 2)
    assert np.allclose(ref.batch_norm(images, a, b, None, None)[0], flat, rtol=1e-13)


def test_updates_by_hand() -> None:
    p, g, v, h, m = 0.5, -0.2, 0.3, 0.07, 0.1
    lr, mu, rho, b1, b2, k = 0.1, 0.9, 0.99, 0.9, 0.999, 3
    squares, v_new = h + g * g, mu * v - lr * g
    m_new, h_new = m + (1 - b1) * (g - m), h + (1 - b2) * (g * g - h)
    rate = lr * math.sqrt(1 - b2**k) / (1 - b1**k)
    mean = rho * h + (1 - rho) * g * g
    for op, args, truth in [
        ("sgd_update", (p, g), (p - lr * g,)),
        ("momentum_update", (p, g, v), (p + v_new, v_new)),
        ("nesterov_update", (p, g, v), (p + mu * mu * v - (1 + mu) * lr * g, v_new)),
        ("adagrad_update", (p, g, h), (p - lr * g / (math.sqrt(squares) + 1e-7), squares)),
        ("rmsprop_update", (p, g, h), (p - lr * g / (math.sqrt(mean) + 1e-7), mean)),
        ("adam_update", (p, g, m, h), (p - rate * m_new / (math.sqrt(h_new) + 1e-7), m_new, h_new)),
    ]:
        options = {"sgd_update": (lr,), "adagrad_update": (lr,), "rmsprop_update": (lr, rho)}
        options |= {"adam_update": (lr, b1, b2, k)}
        arrays = tuple(np.full(3, a) for a in args)
        out = call(ref, op, arrays + options.get(op, (lr, mu)), {})
        for got, exact in zip(out, truth, strict=True):
            assert np.allclose(got, exact, rtol=1e-14, atol=0), op


def test_sums_by_hand() -> None:
    x = np.arange(12.0).reshape(2, 3, 2, 1)
    assert ref.sum(x) == 66.0 and type(ref.sum(x)) is float
    assert ref.norm(np.array([[3.0], [4.0]])) == 5.0
    assert np.array_equal(ref.sum_channels(x), [0 + 1 + 6 + 7, 2 + 3 + 8 + 9, 4 + 5 + 10 + 11])
    assert np.array_equal(ref.sum_channels(x[:, :, 0, 0]), [6, 10, 14])
    assert np.array_equal(ref.add(x, x), ref.scale(x, 2))


# ---- random numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_known_answers(counter: str, key: str, words: str) -> None:
    """The vectors published with Random123."""
    c = tuple(np.array([int(w, 16)], np.uint64) for w in counter.split())
    k0, k1 = (int(w, 16) for w in key.split())
    assert [f"{int(w[0]):08x}" for w in philox4x32(c, (k0, k1))] == words.split()


def test_each_element_has_its_word() -> None:
    seed, layer, step = 0x0123456789ABCDEF, 7, 9
    u = uniform(11, seed, layer, step)
    for i in range(11):
        counter = tuple(np.array([w], np.uint64) for w in (i // 4, 0, layer, step))
        word = int(philox4x32(counter, (0x89ABCDEF, 0x01234567))[i % 4][0])
        assert u[i] == (word >> 8) / 2**24
    assert u.dtype == np.float32
    assert np.array_equal(u, uniform(11, seed, layer + 2**32, step + 2**33))
    for other in [(seed + 1, layer, step), (seed + 2**32, layer, step), (seed, layer + 1, step)]:
        assert not np.array_equal(u, uniform(11, *other))


def test_dropout_keeps_what_it_should() -> None:
    x = np.random.default_rng(0).standard_normal(100_000)
    key: dict[str, Any] = {"seed": 1, "layer": 0, "step": 0}
    for ratio in [0.0, 0.2, 0.9]:
        y, mask = ref.dropout(x, ratio, **key)
        assert mask.dtype == np.uint8 and np.array_equal(y, x * mask)
        assert abs(mask.mean() - (1 - ratio)) < 5 * 0.5 / math.sqrt(x.size)
        inverted, same = ref.dropout(x, ratio, **key, inverted=True)
        assert np.array_equal(mask, same) and np.allclose(inverted, y / (1 - ratio), rtol=1e-15)


# ---- convolution against its definition --------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [c for c in OP_CASES["conv2d"] if c.inputs(c.rng(), np.float32)[0][0].size <= 1000],
    ids=str,
)
def test_conv2d_against_seven_loops(case: Case) -> None:
    def naive(*args: Any, relu: bool = False, **kw: Any) -> np.ndarray:
        y = conv2d_naive(*args, **kw)
        return np.maximum(y, 0) if relu else y

    args, kw = case.exact_inputs(case.rng(), np.float64)
    assert np.array_equal(ref.conv2d(*args, **kw), naive(*args, **kw))
    args, kw = case.inputs(case.rng(), np.float64)
    assert np.allclose(ref.conv2d(*args, **kw), naive(*args, **kw), rtol=0, atol=1e-12)


def test_conv2d_by_hand() -> None:
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    W = np.array([[[[1.0, 0.0], [0.0, -1.0]]], [[[0.0, 1.0], [0.0, 0.0]]]])
    y = conv2d_naive(x, W, np.array([0.5, 0.0]))
    assert np.array_equal(y, [[[[-3.5, -3.5], [-3.5, -3.5]], [[1.0, 2.0], [4.0, 5.0]]]])
    two = np.concatenate([x, 10 * x], axis=1)
    y = conv2d_naive(two, W, groups=2)
    assert np.array_equal(y, [[[[-4, -4], [-4, -4]], [[10, 20], [40, 50]]]])


# ---- dtypes, and the bounds of the other tests -------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OP_CASES)
def test_computes_in_its_dtype(op: str, dtype: Any) -> None:
    """float32 in, float32 out, and as near to float64 as the bounds for the kernels ask."""
    for case in OP_CASES[op]:
        args, kw = case.inputs(case.rng(), dtype)
        outputs, limits = expected(case, args, kw, dtype)
        for actual, exact, bound in zip(call(ref, op, args, kw), outputs, limits, strict=True):
            assert_close(actual, exact, bound, dtype, str(case))


@pytest.mark.parametrize(
    "op", [op for op in OP_CASES if "out" in signature(getattr(ref, op)).parameters]
)
def test_out_and_add(op: str) -> None:
    case = OP_CASES[op][0]
    args, kw = case.inputs(case.rng(), np.float64)
    result = call(ref, op, args, kw)[0]
    out = np.full_like(result, 7.0)
    assert np.array_equal(call(ref, op, args, {**kw, "out": out})[0], result)
    if "add" in signature(getattr(ref, op)).parameters:
        total = call(ref, op, args, {**kw, "out": out, "add": True})[0]
        assert np.allclose(total, result + 7, rtol=1e-14)


def test_the_table_has_its_cases() -> None:
    """Every op has cases, all have names of their own, and a changed argument is an array."""
    helpers = {"conv2d_naive", "empty"}
    assert set(OP_CASES) == set(ref.__all__) - helpers
    assert len({str(c) for c in ALL_CASES}) == len(ALL_CASES)
    assert all(op in OP_CASES for op in IN_PLACE)
