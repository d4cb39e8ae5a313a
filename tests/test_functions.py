"""The book's functions, value by value."""

from __future__ import annotations

import numpy as np
import pytest

from pynet import functions as F


def test_identity_returns_the_same_object():
    x = np.arange(3.0)
    assert F.identity_function(x) is x


def test_step_function_is_0_at_0_and_integer():
    y = F.step_function(np.array([[-1.0, 0.0], [1e-30, 2.0]]))
    assert y.dtype.kind == "i"
    assert y.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_keeps_the_dtype_and_never_overflows(dtype):
    x = np.array([-1000, -1, 0, 1, 1000], dtype)
    y = F.sigmoid(x)
    assert y.dtype == dtype
    want = [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1]
    np.testing.assert_allclose(y, want, rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize("x", [-1000.0, -2.0, 0, 3, 1000.0])
def test_sigmoid_accepts_numbers(x):
    y = F.sigmoid(x)
    assert np.ndim(y) == 0
    assert y == pytest.approx(1 / (1 + np.exp(-np.longdouble(x))), rel=1e-14, abs=1e-15)


def test_sigmoid_counts_integers_as_float32():
    assert F.sigmoid(np.arange(3)).dtype == np.float32


def test_sigmoid_grad_takes_the_value_before_the_sigmoid():
    x = np.linspace(-3, 3, 7)
    h = 1e-5
    want = (F.sigmoid(x + h) - F.sigmoid(x - h)) / (2 * h)
    np.testing.assert_allclose(F.sigmoid_grad(x), want, rtol=1e-9)
    assert F.sigmoid_grad(0) == 0.25


def test_relu():
    x = np.array([-1.0, 0.0, 2.0, np.nan])
    np.testing.assert_array_equal(F.relu(x), [0, 0, 2, np.nan])
    assert F.relu(-2.5) == 0 and F.relu(2.5) == 2.5
    assert F.relu(np.array([-1, 3])).dtype.kind == "i"


def test_relu_grad_is_1_at_0_in_the_dtype_of_x():
    for dtype in (np.float32, np.float64, np.int64):
        y = F.relu_grad(np.array([-1, 0, 2], dtype))
        assert y.dtype == dtype
        assert y.tolist() == [0, 1, 1]


def test_softmax_of_the_book():
    y = F.softmax(np.array([0.3, 2.9, 4.0]))
    np.testing.assert_allclose(y, [0.01821127, 0.24519181, 0.73659691], atol=5e-9)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 3), (1, 2, 4, 3)])
def test_softmax_over_the_last_axis_of_any_rank(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(F.softmax(x), np.exp(x) / np.exp(x).sum(-1, keepdims=True))


def test_softmax_of_large_values():
    np.testing.assert_array_equal(F.softmax(np.array([1e4, -1e4, 1e4])), [0.5, 0, 0.5])


def test_sum_squared_error_does_not_divide_by_n():
    y = np.array([[0.1, 0.9], [0.5, 0.5]])
    t = np.array([[0, 1], [1, 0]])
    assert F.sum_squared_error(y, t) == pytest.approx(0.5 * (0.01 + 0.01 + 0.25 + 0.25))


def test_cross_entropy_error_has_1e_7_inside_the_logarithm():
    y = np.array([0.1, 0.6, 0.3, 0.0])
    assert F.cross_entropy_error(y, np.array([0, 1, 0, 0])) == -np.log(0.6 + 1e-7)
    assert F.cross_entropy_error(y, np.array([0, 0, 0, 1])) == pytest.approx(16.118, abs=1e-3)
    assert F.cross_entropy_error(y, np.array(1)) == -np.log(0.6 + 1e-7)


Y = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]])
LOSS = -(np.log(0.3 + 1e-7) + np.log(0.7 + 1e-7)) / 2


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, np.uint64])
def test_cross_entropy_error_of_class_numbers(dtype):
    assert F.cross_entropy_error(Y, np.array([2, 0], dtype)) == pytest.approx(LOSS, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, bool])
def test_cross_entropy_error_of_one_hot_rows(dtype):
    t = np.array([[0, 0, 1], [1, 0, 0]], dtype)
    assert F.cross_entropy_error(Y, t) == pytest.approx(LOSS, rel=1e-14)


def test_cross_entropy_error_hardens_soft_rows():
    value = F.cross_entropy_error(np.array([[0.2, 0.8]]), np.array([[0.4, 0.6]]))
    assert value == pytest.approx(0.2231, abs=5e-5)


def test_cross_entropy_error_takes_a_1_1_label():
    assert F.cross_entropy_error(Y[:1], np.array([[2]])) == -np.log(0.3 + 1e-7)


@pytest.mark.parametrize(
    ("t", "error"),
    [
        (np.array([2, 3]), IndexError),
        (np.array([-1, 0]), IndexError),
        (np.array([[2], [0]]), ValueError),
        (np.array([2, 0, 1]), ValueError),
        (np.ones((3, 2)), ValueError),
        (np.array([2.0, 0.0]), TypeError),
    ],
)
def test_cross_entropy_error_refuses_what_does_not_fit(t, error):
    with pytest.raises(error, match=r"^\[cross_entropy_error\] t: expected .*, got "):
        F.cross_entropy_error(Y, t)


def test_losses_of_float32_stay_float32():
    y = Y.astype(np.float32)
    assert F.cross_entropy_error(y, np.array([2, 0])).dtype == np.float32
    assert F.sum_squared_error(y, y[::-1]).dtype == np.float32


def test_softmax_loss():
    x = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]])
    t = np.array([2, 0])
    assert F.softmax_loss(x, t) == F.cross_entropy_error(F.softmax(x), t)


def test_star_import_brings_np():
    scope: dict = {}
    exec("from pynet.functions import *", scope)
    assert scope["np"] is np
    assert {"sigmoid", "softmax", "cross_entropy_error", "step_function"} <= scope.keys()
