"""The book's numerical gradient."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.gradient import numerical_gradient, numerical_gradient_2d


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


def test_star_import_brings_np():
    scope: dict = {}
    exec("from pynet.gradient import *", scope)
    assert scope["np"] is np and "numerical_gradient" in scope
