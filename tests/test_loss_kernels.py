"""Softmax and the losses at their edges: forms of labels, infinities, huge scores, threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pynet import _core

DTYPES = (np.float32, np.float64)
INF, NAN = np.inf, np.nan
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.fixture(autouse=True, params=_core.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[None]:
    before, threads = _core.isa(), _core.num_threads()
    _core.set_isa(request.param)
    yield
    _core.set_isa(before)
    _core.set_num_threads(threads)


def scores(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


# ---- forms of labels ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", INTEGERS)
def test_class_numbers_of_any_integer_type(kind: str) -> None:
    x, t = scores(6, 5), np.array([0, 4, 1, 3, 2, 2])
    loss, y = _core.softmax_cross_entropy(x, t.astype(kind))
    assert abs(loss + np.log(y[np.arange(6), t]).mean()) < 1e-15
    dx = _core.softmax_cross_entropy_backward(y, t.astype(kind))
    np.testing.assert_allclose(dx, (y - np.eye(5)[t]) / 6, rtol=1e-15, atol=1e-17)


@pytest.mark.parametrize("kind", [*INTEGERS, "bool", "float16", "float32", "float64"])
def test_one_hot_rows_of_any_type(kind: str) -> None:
    for dtype in DTYPES:
        x, t = scores(6, 5, dtype=dtype), np.array([0, 4, 1, 3, 2, 2])
        rows = np.eye(5)[t].astype(kind)
        loss, y = _core.softmax_cross_entropy(x, t)
        assert y.dtype == dtype  # labels do not decide
        assert abs(_core.softmax_cross_entropy(x, rows)[0] - loss) <= 4 * np.finfo(dtype).eps
        a = _core.softmax_cross_entropy_backward(y, t)
        b = _core.softmax_cross_entropy_backward(y, rows)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(4,), (1, 4)])
@pytest.mark.parametrize("t", [2, np.uint8(2), [2], [[2]], np.eye(4)[2], np.eye(4)[2:3]])
def test_forms_of_one_row(shape: tuple[int, ...], t: Any) -> None:
    x = scores(*shape)
    loss, y = _core.softmax_cross_entropy(x, t)
    assert y.shape == shape and isinstance(loss, float)
    assert abs(loss + np.log(y.ravel()[2])) < 1e-15
    dx = _core.softmax_cross_entropy_backward(y, t)
    assert dx.shape == shape
    np.testing.assert_array_equal(dx.ravel(), y.ravel() - np.eye(4)[2])


def test_single_scores() -> None:
    """With one class every row has the probability 1; labels then are weights or zeros."""
    for x, t in [
        (scores(5, 1), np.zeros(5, int)),
        (scores(5, 1), np.ones((5, 1))),
        ([[3.0]], [[0]]),
    ]:
        loss, y = _core.softmax_cross_entropy(x, t)
        assert loss == 0 and np.all(y == 1)
        assert np.all(_core.softmax_cross_entropy_backward(y, t) == 0)


def test_soft_rows_of_any_sum() -> None:
    x, t = scores(7, 11), np.abs(scores(7, 11)[::-1])
    loss, y = _core.softmax_cross_entropy(x, t)
    assert abs(loss + (t * np.log(y)).sum() / 7) < 1e-14
    dx = _core.softmax_cross_entropy_backward(y, t, scale=-3)
    exact = -3 * (y * t.sum(axis=1, keepdims=True) - t) / 7
    np.testing.assert_allclose(dx, exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        (
            (5, 4),
            [0, 1, 2, 4, 0],
            IndexError,
            r"t: expected numbers in 0 .. 3, got 4 ",
        ),
        ((5, 4), [0, -1, 2, 3, 0], IndexError, r"t: .* got -1 "),
        ((1, 4), 2**63, IndexError, r"t: .* got 9223372036854775808 "),
        (
            (5, 4),
            np.zeros((5, 1), int),
            ValueError,
            r"t: expected class numbers of shape \(5,\) or",
        ),
        ((5, 4), np.zeros((1, 5), int), ValueError, r"t: expected .* got \(1, 5\)"),
        ((5, 4), np.zeros((4, 5)), ValueError, r"t: expected .* got \(4, 5\)"),
        ((5, 4), np.zeros(4, int), ValueError, r"t: expected .* got \(4,\)"),
        ((5, 4), np.zeros(5), TypeError, r"t: expected integers, got dtype "),
        ((5, 4), np.zeros(5, bool), TypeError, r"t: expected integers, got dtype "),
        ((5, 4), "cat", TypeError, r"t: "),
        ((5, 4, 1), np.zeros(5, int), ValueError, r".: expected shape \(N, D\) or \(D,\), got"),
        ((), 0, ValueError, r".: expected shape \(N, D\) or \(D,\), got \(\)"),
        ((0, 4), np.zeros(0, int), ValueError, r".: expected at least one element"),
    ],
)
def test_refusals(x: tuple[int, ...], t: Any, error: type[Exception], message: str) -> None:
    for op in ("softmax_cross_entropy", "softmax_cross_entropy_backward"):
        with pytest.raises(error, match=rf"^\[{op}\] {message}"):
            getattr(_core, op)(np.zeros(x), t)


def test_refusals_of_the_other_losses() -> None:
    for op, name in [("sigmoid_cross_entropy", "x"), ("squared_error", "y")]:
        for suffix, first in [("", name), ("_backward", "y")]:
            function = getattr(_core, op + suffix)
            with pytest.raises(ValueError, match=rf"^\[{op}{suffix}\] t: expected shape \(3, 2\)"):
                function(np.ones((3, 2)), np.ones((2, 3)))
            with pytest.raises(
                ValueError, match=rf"^\[{op}{suffix}\] {first}: expected at least 1"
            ):
                function(1.0, 1.0)
    for op in ("softmax", "log_softmax"):
        with pytest.raises(ValueError, match=rf"^\[{op}\] x: expected at least 1 dimension"):
            getattr(_core, op)(3.0)
        with pytest.raises(ValueError, match=rf"^\[{op}_backward\] dout: expected shape \(2, 3\)"):
            getattr(_core, op + "_backward")(np.ones(6), np.ones((2, 3)))


# ---- infinities and huge scores ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [0, 1, 3, 30])  # more classes: the same in whole vectors
@pytest.mark.parametrize(
    ("row", "label", "loss"),
    [
        ([1e4, -1e4, 0.0], 0, 0.0),
        ([1e4, -1e4, 0.0], 1, 2e4),
        ([1e4, -1e4, 0.0], 2, 1e4),
        ([1e4, 1e4, -INF], 0, np.log(2)),
        ([-1e4, -1e4, -INF], 1, np.log(2)),
        ([0.0, -INF, -INF], 0, 0.0),
        ([0.0, -INF, -INF], 1, INF),
        ([-INF, -INF, -INF], 0, NAN),
        ([NAN, 0.0, 0.0], 1, NAN),
        ([INF, 0.0, 0.0], 1, NAN),  # inf - inf
    ],
)
def test_exact_at_the_edges(
    row: list[float], label: int, loss: float, columns: int, dtype: Any
) -> None:
    x = np.array([row[:1] + [-INF] * columns + row[1:]], dtype)
    label += columns if label else 0
    one_hot = np.eye(x.shape[1])[[label]]
    for t in ([label], one_hot):
        value, y = _core.softmax_cross_entropy(x, t)
        np.testing.assert_allclose(value, loss, rtol=np.finfo(dtype).eps)
        if np.isnan(loss):
            assert np.all(np.isnan(y))
        else:
            assert y.sum() == 1 and np.all(y[np.isneginf(x)] == 0)
            dx = _core.softmax_cross_entropy_backward(y, t)
            np.testing.assert_array_equal(dx, y - one_hot.astype(dtype))
    np.testing.assert_allclose(-_core.log_softmax(x)[0, label], loss, rtol=np.finfo(dtype).eps)
    np.testing.assert_array_equal(_core.softmax(x), y)


def test_one_bad_row_leaves_the_others() -> None:
    x = np.zeros((4, 3), np.float32)
    x[1], x[2, 0] = -INF, INF
    y = _core.softmax(x)
    np.testing.assert_array_equal(np.isnan(y).all(axis=1), [False, True, True, False])
    np.testing.assert_array_equal(y[[0, 3]], np.float32(1) / np.float32(3))


def test_sigmoid_cross_entropy_at_the_edges() -> None:
    for dtype in DTYPES:
        x = np.array([1e4, -1e4, 1e4, -1e4, 0.0, INF, -INF, INF, NAN], dtype)
        t = np.array([1, 0, 0, 1, 0.5, 1, 0, 0, 1], dtype)
        exact = [0, 0, 1e4, 1e4, np.log(2), 0, 0, INF, NAN]
        losses = [_core.sigmoid_cross_entropy(x[i : i + 1], t[i : i + 1])[0] for i in range(9)]
        np.testing.assert_allclose(losses, exact, rtol=np.finfo(dtype).eps)


def test_losses_add_up_in_double() -> None:
    """A million equal terms in float32: a sum in float32 would lose the last digits."""
    n = 1_000_003
    y, t = np.full(n, 0.7, np.float32), np.zeros(n, np.float32)
    exact = float(np.float32(0.7)) ** 2 / 2
    assert abs(_core.squared_error(y, t) / exact - 1) < 1e-12
    x = np.zeros((n // 3, 3), np.float32)
    loss = _core.softmax_cross_entropy(x, np.zeros(len(x), int))[0]
    assert loss == _core.softmax_cross_entropy(x[:1], [0])[0]
    assert _core.squared_error(np.full(3, 1e30, np.float32), np.zeros(3)) == pytest.approx(5e59)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "D"), [(1, 7), (100, 10), (3001, 10), (70, 1000), (3, 20_000)])
def test_same_bits_for_every_number_of_threads(N: int, D: int, dtype: Any) -> None:
    x, t = scores(N, D, dtype=dtype), np.arange(N) % D
    rows = _core.softmax(scores(D, N, dtype=dtype).T)

    def everything() -> list[bytes]:
        made: list[Any] = [_core.log_softmax(x)]
        for labels in (t, rows):
            loss, y = _core.softmax_cross_entropy(x, labels)
            made += [loss, y, _core.softmax_cross_entropy_backward(y, labels)]
        loss, y = _core.sigmoid_cross_entropy(x, rows)
        made += [loss, y, _core.squared_error(x, rows), _core.squared_error_backward(x, rows)]
        made += [_core.softmax_backward(x, rows), _core.log_softmax_backward(x, made[0])]
        return [np.asarray(m).tobytes() for m in made]

    _core.set_num_threads(1)
    alone = everything()
    for threads in (2, 3, 4, 7, 16):
        _core.set_num_threads(threads)
        assert everything() == alone


def test_rows_do_not_depend_on_their_neighbours() -> None:
    """A row's result is the same bits alone and among others, whatever lies beside it."""
    for D in (1, 2, 3, 7, 8, 9, 10, 16, 17, 33, 100):
        x = scores(9, D, dtype=np.float32) * 5
        y, log_y = _core.softmax(x), _core.log_softmax(x)
        for n in range(9):
            np.testing.assert_array_equal(_core.softmax(x[n]), y[n])
            np.testing.assert_array_equal(_core.log_softmax(x[n]), log_y[n])


def test_inputs_are_left_alone() -> None:
    x, t = scores(4, 3), np.eye(3)[[0, 1, 2, 0]]
    x.flags.writeable = t.flags.writeable = False
    loss, y = _core.softmax_cross_entropy(np.asfortranarray(x), t)
    assert (loss, y.tobytes()) == (lambda a, b: (a, b.tobytes()))(
        *_core.softmax_cross_entropy(x, np.asfortranarray(t))
    )
