"""Initial weights: their measured spread, range and orthogonality, and the names they go by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pynet import initializers
from pynet.layers import Affine, Convolution
from pynet.networks import MultiLayerNet

F64 = np.float64
# n = 400, m = 100; and kw*kh*c_in = 5*4*8 = 160, kw*kh*c_out = 5*4*32 = 640
SHAPES = {(400, 100): (400, 100), (32, 8, 5, 4): (160, 640)}
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=["Affine", "Convolution"])


@every_shape
def test_fans(shape):
    assert (initializers.fan_in(shape), initializers.fan_out(shape)) == SHAPES[shape]


@every_shape
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("he", lambda n, m: math.sqrt(2 / n)),
        ("relu", lambda n, m: math.sqrt(2 / n)),
        ("xavier", lambda n, m: math.sqrt(1 / n)),
        ("Sigmoid", lambda n, m: math.sqrt(1 / n)),
        ("xavier_normal", lambda n, m: math.sqrt(2 / (n + m))),
        ("glorot", lambda n, m: math.sqrt(2 / (n + m))),
        ("lecun", lambda n, m: math.sqrt(1 / n)),
        (0.3, lambda n, m: 0.3),
    ],
)
def test_normal(shape, name, expected):
    np.random.seed(1)
    W = initializers.draw(name, shape, F64)
    std = expected(*SHAPES[shape])
    assert W.shape == shape and W.dtype == F64
    # The standard error of a deviation is std / sqrt(2 * size), that of a mean std / sqrt(size).
    assert abs(W.std() / std - 1) < 4 / math.sqrt(2 * W.size)
    assert abs(W.mean() / std) < 4 / math.sqrt(W.size)
    assert abs((np.abs(W) < std).mean() - 0.6827) < 0.015, "normal, not uniform"
    np.random.seed(1)
    np.testing.assert_allclose(W, std * np.random.randn(*shape), rtol=1e-14)


@every_shape
@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("he_uniform", lambda n, m: math.sqrt(6 / n)),
        ("xavier_uniform", lambda n, m: math.sqrt(6 / (n + m))),
        ("lecun_uniform", lambda n, m: math.sqrt(3 / n)),
    ],
)
def test_uniform(shape, name, limit):
    np.random.seed(1)
    W = initializers.draw(name, shape, F64)
    high = limit(*SHAPES[shape])
    assert -high < W.min() < -0.99 * high and 0.99 * high < W.max() < high
    assert abs(W.std() / (high / math.sqrt(3)) - 1) < 0.03
    assert abs((np.abs(W) < high / 2).mean() - 0.5) < 0.015, "even"
    normal = {"he_uniform": "he", "xavier_uniform": "xavier_normal", "lecun_uniform": "lecun"}[name]
    assert abs(W.std() / initializers.draw(normal, shape, F64).std() - 1) < 0.03


@pytest.mark.parametrize("shape", [(40, 40), (50, 20), (20, 50), (8, 3, 2, 2), (32, 3, 2, 2)])
def test_orthogonal(shape):
    W = initializers.orthogonal(shape, F64, gain=2.0).reshape(shape[0], -1)
    small = W if W.shape[0] <= W.shape[1] else W.T
    np.testing.assert_allclose(small @ small.T, 4 * np.eye(len(small)), atol=1e-13)


def test_orthogonal_matrices_have_no_preferred_direction():
    np.random.seed(0)
    signs = [initializers.orthogonal((1, 1), F64)[0, 0] for _ in range(400)]
    assert 150 < sum(sign > 0 for sign in signs) < 250
    turns = np.array([initializers.orthogonal((2, 2), F64)[0] for _ in range(400)])
    assert np.abs(turns.mean(axis=0)).max() < 0.15


def test_constants():
    assert initializers.zeros((2, 3)).tolist() == [[0] * 3] * 2
    assert initializers.ones((2,)).tolist() == [1, 1]
    assert initializers.constant((2, 1), 0.5).tolist() == [[0.5], [0.5]]
    for function in (initializers.zeros, initializers.ones, initializers.constant):
        assert function((2,)).dtype == np.float32 and function((2,), dtype=F64).dtype == F64


@pytest.mark.parametrize("name", sorted(initializers.INITIALIZERS))
def test_layers_and_nets_take_every_name(name):
    def draws(make):
        np.random.seed(3)
        return make().tobytes()

    direct = draws(lambda: initializers.draw(name, (12, 5)))
    affine = Affine.sized(5, init=name)
    assert draws(lambda: affine.build((1, 12)) or affine.W) == direct
    filters = Convolution.sized(4, 3, init=name.upper())
    expected = draws(lambda: initializers.INITIALIZERS[name]((4, 2, 3, 3)))
    assert draws(lambda: filters.build((1, 2, 6, 6)) or filters.W) == expected
    assert draws(lambda: MultiLayerNet(12, [5], 3, weight_init_std=name).params["W1"]) == direct


def test_a_function_of_ones_own():
    layer = Affine.sized(3, init=lambda shape: initializers.constant(shape, 0.25))
    layer.build((1, 2))
    assert layer.W.tolist() == [[0.25] * 3] * 2


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("hee", "init: expected one of he, relu, .*, got 'hee'"),
        (-1.0, "init: expected a finite number >= 0, got -1"),
        (math.nan, "init: expected a finite number"),
        (lambda shape: np.zeros(3), r"init: expected it to return shape \(4, 5\), got \(3,\)"),
    ],
)
def test_refusals(init, message):
    with pytest.raises(ValueError, match=rf"^\[initializers\] {message}"):
        initializers.draw(init, (4, 5))


@pytest.mark.parametrize("name", ["he", "uniform", "orthogonal", "zeros"])
@pytest.mark.parametrize("shape", [(0, 5), (2**40, 2**40)])
def test_sizes_that_cannot_be(name, shape):
    with pytest.raises(ValueError, match=r"^\[initializers\] shape: expected sizes of at least 1"):
        if name == "uniform":
            initializers.uniform(shape)
        else:
            initializers.draw(name, shape)
