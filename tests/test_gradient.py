"""The book's numerical gradient."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.gradient import (
    gradient_descent,
    gradient_descent_path,
    numerical_diff,
    numerical_gradient,
    numerical_gradient_2d,
    tangent_line,
)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3, 2)])
def test_gradient_of_a_sum_of_squares_in_any_shape(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    x = np.array(x)
    before = x.copy()
    seen = []

    def f(z):
        seen.append(z is x)
        return np.sum(z**2)

    np.testing.assert_allclose(numerical_gradient(f, x), 2 * before, rtol=1e-9)
    np.testing.assert_array_equal(x, before)
    assert seen == [True] * (2 * x.size)


def test_f_may_ignore_its_argument_and_read_the_array_elsewhere():
    W = np.array([[1.0, -2.0], [0.5, 3.0]])
    grad = numerical_gradient(lambda _: W[0, 0] * W[1, 1] + W[0, 1], W)
    np.testing.assert_allclose(grad, [[3, 1], [0, 1]], atol=1e-9)


def test_the_step_is_1e_4():
    x = np.array([0.0])
    seen = []
    numerical_gradient(lambda z: seen.append(z[0]) or 0.0, x)
    assert seen == [1e-4, -1e-4]


def test_x_is_restored_when_f_raises():
    x = np.array([1.0, 2.0])

    def f(z):
        if z[1] != 2.0:
            raise RuntimeError("no")
        return z.sum()

    with pytest.raises(RuntimeError):
        numerical_gradient(f, x)
    assert x.tolist() == [1.0, 2.0]


def test_views_are_changed_in_place():
    base = np.zeros((4, 6))
    view = base[::2, ::3].T
    view[...] = [[1, 2], [3, 4]]
    np.testing.assert_allclose(
        numerical_gradient(lambda _: (base**2).sum(), view), [[2, 4], [6, 8]], rtol=1e-9
    )


def test_the_result_has_the_dtype_of_x():
    assert numerical_gradient(lambda z: z.sum(), np.ones(2, np.float32)).dtype == np.float32


@pytest.mark.parametrize("x", [np.array([3, 4]), [3.0, 4.0], np.array(["a"])])
def test_only_arrays_of_floats(x):
    with pytest.raises(TypeError, match=r"\[numerical_gradient\] x: expected"):
        numerical_gradient(lambda z: 0.0, x)


def test_2d_goes_row_by_row():
    X = np.arange(6.0).reshape(2, 3)
    shapes = set()

    def f(row):
        shapes.add(row.shape)
        return np.sum(row**2)

    np.testing.assert_allclose(numerical_gradient_2d(f, X), 2 * X, atol=1e-8)
    assert shapes == {(3,)}
    np.testing.assert_allclose(numerical_gradient_2d(f, X[1]), 2 * X[1], atol=1e-8)


def test_the_books_derivative_and_tangent():
    def f(x):
        return 0.01 * x**2 + 0.1 * x

    assert numerical_diff(f, 5) == 0.1999999999990898  # the book's digits
    tangent = tangent_line(f, 5)
    assert tangent(5) == f(5) == 0.75
    np.testing.assert_allclose(tangent(np.array([0.0, 10.0])), [-0.25, 1.75], atol=1e-10)


def bowl(x):
    return np.sum(x**2)


def test_gradient_descent_reaches_the_bottom_of_the_books_bowl():
    init_x = np.array([-3.0, 4.0])
    x = gradient_descent(bowl, init_x, lr=0.1, step_num=100)
    np.testing.assert_allclose(x, [-3 * 0.8**100, 4 * 0.8**100], rtol=1e-6)
    np.testing.assert_array_equal(init_x, [-3, 4])


def test_a_rate_too_large_and_one_too_small():
    assert abs(gradient_descent(bowl, [-3.0, 4.0], lr=10.0, step_num=20)).max() > 1e10
    x = gradient_descent(bowl, [-3.0, 4.0], lr=1e-10)
    np.testing.assert_allclose(x, [-3, 4], atol=1e-6)


def test_the_path_has_every_position():
    path = gradient_descent_path(bowl, [-3, 4], lr=0.1, step_num=20)
    assert path.shape == (21, 2) and path.dtype == np.float64
    np.testing.assert_allclose(path, 0.8 ** np.arange(21)[:, None] * [-3, 4], rtol=1e-8)
    np.testing.assert_array_equal(path[-1], gradient_descent(bowl, [-3, 4], 0.1, 20))


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_descends_in_any_shape(shape):
    target = np.random.default_rng(1).standard_normal(shape)
    x = gradient_descent(lambda z: np.sum((z - target) ** 2), np.zeros(shape), lr=0.3, step_num=60)
    np.testing.assert_allclose(x, target, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ((["a"], 0.1, 1), TypeError, "init_x"),
        (([1.0], float("nan"), 1), ValueError, "lr"),
        (([1.0], 0.1, -1), ValueError, "step_num"),
    ],
)
def test_what_descent_refuses(arguments, error, named):
    for function in (gradient_descent, gradient_descent_path):
        with pytest.raises(error, match=rf"\[gradient_descent\] {named}: expected"):
            function(bowl, *arguments)


def test_star_import_brings_np():
    scope: dict = {}
    exec("from pynet.gradient import *", scope)
    assert scope["np"] is np and "numerical_gradient" in scope
