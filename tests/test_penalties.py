"""Penalties on weights: their numbers, gradients, and what they do to a net."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient

from pynet.layers import Affine, Relu
from pynet.losses import IdentityWithLoss
from pynet.networks import MultiLayerNet, Network
from pynet.penalties import L1, L2, Elastic

EACH = {"L1": L1(0.3), "L2": L2(0.3), "Elastic": Elastic(0.2, 0.5)}
every_penalty = pytest.mark.parametrize("penalty", EACH.values(), ids=EACH)


def test_values_and_gradients():
    W = np.array([[1.0, -2.0], [0.0, 4.0]])
    assert L1(0.5)(W) == 3.5 and L2(0.5)(W) == 5.25 and Elastic(0.5, 0.5)(W) == 8.75
    np.testing.assert_array_equal(L1(0.5).gradient(W), [[0.5, -0.5], [0, 0.5]])
    np.testing.assert_array_equal(L2(0.5).gradient(W), W / 2)
    np.testing.assert_array_equal(Elastic(1, 2).gradient(W), np.sign(W) + 2 * W)
    assert [repr(each) for each in (L1(1e-4), L2(2), Elastic(1, 0.5))] == [
        *("L1(0.0001)", "L2(2)", "Elastic(1, 0.5)"),
    ]


@every_penalty
def test_gradient_of_a_penalty(penalty):
    W = np.random.default_rng(0).standard_normal((4, 3))
    assert gradient_error(penalty.gradient(W), numerical_gradient(lambda: penalty(W), W)) < 1e-7
    assert penalty.gradient(W.astype(np.float32)).dtype == np.float32


def small_net(**options):
    np.random.seed(1)
    layers = [Affine.sized(5), Relu(), Affine.sized(3)]
    return Network(layers, input_dim=(4,), dtype=np.float64, **options)


@every_penalty
def test_gradient_of_a_net_with_a_penalty(penalty):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
    net, plain = small_net(penalty=penalty), small_net()
    weights = [net.params["W1"], net.params["W2"]]
    assert net.loss(x, t) == pytest.approx(plain.loss(x, t) + sum(map(penalty, weights)), rel=1e-14)
    grads = net.gradient(x, t)
    assert net.last_loss == net.loss(x, t)
    for key, param in net.params.items():
        numerical = numerical_gradient(lambda: net.loss(x, t), param, 1e-4)
        assert gradient_error(grads[key], numerical) < 1e-7, key
    np.testing.assert_array_equal(grads["b1"], plain.gradient(x, t)["b1"])  # biases have none
    assert copy.deepcopy(net).loss(x, t) == net.loss(x, t)


def test_weight_decay_lambda_is_the_books_name_for_l2():
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
    old, new = small_net(weight_decay_lambda=0.1), small_net(penalty=L2(0.1))
    both = small_net(weight_decay_lambda=0.04, penalty=Elastic(0, 0.06))
    assert old.loss(x, t) == new.loss(x, t) == pytest.approx(both.loss(x, t), rel=1e-14)
    np.testing.assert_array_equal(old.gradient(x, t)["W1"], new.gradient(x, t)["W1"])
    np.testing.assert_allclose(both.gradient(x, t)["W1"], new.gradient(x, t)["W1"], rtol=1e-13)
    net = MultiLayerNet(4, [5], 3)
    plain = net.loss(x, t)
    net.penalty = L1(0.1)  # at any time, of any net
    assert net.loss(x, t) > plain


def test_l1_makes_weights_0_and_l2_only_small():
    """20 inputs of which 3 matter: L1 leaves about 3 weights, L2 all of them."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 20))
    t = x[:, :3] @ [[2.0], [-3.0], [1.0]] + 0.5 * rng.standard_normal((200, 1))
    left = {}
    for name, penalty in (("none", None), ("L1", L1(0.3)), ("L2", L2(0.3))):
        net = Network(
            [Affine(np.zeros((20, 1)), np.zeros(1))],
            IdentityWithLoss(),
            penalty=penalty,
            dtype=np.float64,
        )
        for step in range(600):
            grads = net.gradient(x, t)
            for key in net.params:
                net.params[key] -= 0.1 / (1 + step / 20) * grads[key]
        size = np.abs(net.params["W1"]).ravel()
        assert size[:3].min() > 0.5
        left[name] = int(np.sum(size > 0.005))
    assert left["L1"] == 3 and left["none"] >= 17 and left["L2"] >= 17, left


@pytest.mark.parametrize(
    "make",
    [
        *(lambda: L1(-1), lambda: L2(math.nan), lambda: L2(math.inf)),
        *(lambda: Elastic(1, -1), lambda: Elastic(-1, 1)),
    ],
)
def test_bad_strengths(make):
    with pytest.raises(TypeError, match=r"^\[L1\] l1: expected a finite number from 0, got str"):
        L1("1")
    with pytest.raises(ValueError, match=r"^\[(L1|L2|Elastic)\] l[12]: expected a finite number"):
        make()
