"""What goes on in the layers: dead units, gradients that vanish and explode, sharp minima."""

from __future__ import annotations

import numpy as np
import pytest
from network_cases import NETS, every_net, make

import pynet
from pynet.diagnosis import diagnose, learning_curve, sharpness
from pynet.functions import sigmoid, sigmoid_grad
from pynet.layers import Affine, IdentityWithLoss, Layer, Relu, Sigmoid, SoftmaxWithLoss, Tanh
from pynet.networks import MultiLayerNet, Network
from pynet.penalties import L1

rng = np.random.default_rng(0)
X, T = rng.standard_normal((100, 20)), rng.integers(0, 10, 100)


def net(activation, scale, depth=5, width=40):
    np.random.seed(0)
    return MultiLayerNet(20, [width] * depth, 10, activation, scale, dtype=np.float64)


def said(report, word):
    return [finding for finding in report.findings if word in finding]


# ---- rows --------------------------------------------------------------------------------------


@every_net
def test_rows_agree_with_the_gradient_and_change_nothing(name):
    network, x, t = make(name)
    before = network.params.flat.copy()
    state = [np.array(slot.value) for slot in network.named_state() if slot.value is not None]
    report = diagnose(network, x, t)
    assert np.array_equal(network.params.flat, before)
    after = [np.array(slot.value) for slot in network.named_state() if slot.value is not None]
    assert all(map(np.array_equal, state, after))
    network.weight_decay_lambda = 0
    grads = network.gradient(x, t)
    slots = [s for s in network._root.named_parameters() if s.name == s.layer.param_names[0]]
    norms = [np.linalg.norm(grads[slot.key]) for slot in slots]
    rows = [row.grad_norm for row in report.rows if row.grad_norm is not None]
    np.testing.assert_allclose(rows, norms, rtol=1e-12)
    assert report.rows[-1].ratio == 1
    assert all(row.name in str(report) for row in report.rows)


def test_figures_of_a_layer_by_hand():
    first = Affine(np.eye(3), np.array([0.0, 0.0, -100.0]))
    network = Network([first, Relu(), Affine.sized(2)], input_dim=(3,), dtype=np.float64)
    x = np.array([[1.0, -1.0, 5.0], [2.0, -2.0, 5.0], [-3.0, -3.0, 5.0], [4.0, 4.0, 5.0]])
    report = diagnose(network, x, [0, 1, 0, 1])
    relu = report.rows[1]
    y = np.maximum(x + [0, 0, -100], 0)
    assert relu.mean == pytest.approx(y.mean()) and relu.std == pytest.approx(y.std())
    assert relu.flat == pytest.approx(np.mean(y == 0)) == 8 / 12
    assert relu.dead == pytest.approx(1 / 3)  # the third unit
    assert said(report, "Relu1: 1 of 3 units are dead")
    counts, edges = report.histogram("Relu1", bins=4)
    assert counts.sum() == 12 and counts[0] == 8 and edges[-1] == 4
    with pytest.raises(KeyError, match=r"layer: expected one of Affine1, Relu1, Affine2"):
        report.histogram("Relu7")


# ---- findings ----------------------------------------------------------------------------------


def test_the_slope_of_sigmoid_is_at_most_a_quarter():
    x = np.linspace(-20, 20, 401)
    slope = sigmoid_grad(x)
    assert 0 <= slope.min() and slope.max() == slope[200] == 0.25
    np.testing.assert_allclose(slope, sigmoid(x) * (1 - sigmoid(x)))


def test_vanishing_is_named():
    report = diagnose(net("sigmoid", "xavier", depth=8), X, T)
    (finding,) = said(report, "vanishing")
    assert finding.startswith("the gradient shrinks from ") and " at Affine1: " in finding
    norms = [row.dout_norm for row in report.rows if row.name.startswith("Affine")]
    assert all(a < b for a, b in zip(norms, norms[1:])) and norms[0] < norms[-1] / 100
    assert not said(diagnose(net("relu", "he", depth=8), X, T), "vanishing")


def test_exploding_is_named():
    report = diagnose(net("relu", 1.0), X, T)
    assert said(report, "exploding") and said(report, "outputs grow")
    assert not said(diagnose(net("relu", "he"), X, T), "exploding")


def test_too_small_and_too_large_initial_weights_are_named():
    assert said(diagnose(net("relu", 0.001), X, T), "hardly depend on the input")
    report = diagnose(net("sigmoid", 30.0), X, T)
    assert said(report, "Activation_function1 is saturated")
    assert not said(diagnose(net("sigmoid", "xavier"), X, T), "saturated")


def test_equal_units_are_named():
    W = np.full((20, 100), 0.1)
    network = Network([Affine(W, np.zeros(100)), Sigmoid(), Affine.sized(10)], dtype=np.float64)
    assert said(diagnose(network, X, T), "all 100 units give the same")
    assert not said(diagnose(net("sigmoid", "xavier"), X, T), "give the same")


def test_a_sound_network_has_no_findings():
    report = diagnose(net("relu", "he", depth=2), X, T)
    assert report.findings == [] and str(report).endswith("- nothing to remark")


def test_numbers_that_are_not_finite():
    network = net("relu", "he")
    network.params["W3"][0, 0] = np.nan
    assert said(diagnose(network, X, T), "outputs are not finite, first at Affine3")


def test_a_loss_at_its_minimum_sends_no_gradient():
    class Constant(SoftmaxWithLoss):
        def backward(self, dout=1):
            return 0 * super().backward(dout)

    network = Network([Affine.sized(3), Tanh(), Affine.sized(10)], Constant(), input_dim=(20,))
    assert said(diagnose(network, X, T), "no gradient at all")


def test_own_activations_are_understood():
    class Third(Layer):
        def forward(self, x):
            self.positive = x > 0
            return np.where(self.positive, x, x / 3)

        def backward(self, dout):
            return np.where(self.positive, dout, dout / 3)

    class Centre(Layer):  # of the row: not value by value
        def forward(self, x):
            return x - x.mean(axis=1, keepdims=True)

        def backward(self, dout):
            return dout - dout.mean(axis=1, keepdims=True)

    network = Network([Affine.sized(5), Third(), Centre(), Affine.sized(10)])
    rows = {row.name: row for row in diagnose(network, X, T).rows}
    assert rows["Third1"].flat == rows["Third1"].dead == 0
    assert rows["Centre1"].flat is rows["Affine1"].flat is None


@pytest.mark.parametrize("function", [diagnose, sharpness, pynet.profile])
def test_other_networks_are_refused(function):
    with pytest.raises(TypeError, match=r"network: expected a pynet.networks.Network, got dict"):
        function({}, X, T)


# ---- sharpness ---------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [0.1, 1.0, 5.0])
def test_sharpness_at_the_minimum_of_a_bowl(s):
    """At W = 1, x = t = s 1 the loss is s^2 |r|^2 / 2N for a step r, here of length 0.5 sqrt(2)."""
    network = Network([Affine(np.eye(2), None)], IdentityWithLoss(), dtype=np.float64)
    rise = sharpness(network, s * np.eye(2), s * np.eye(2), radius=0.5)
    assert rise == pytest.approx(s**2 / 8)


def test_sharpness_by_hand_and_without_side_effects():
    network, x, t = make("MultiLayerNet")
    before = network.params.flat.copy()
    rise = sharpness(network, x, t, radius=0.1, samples=3, seed=5)
    assert np.array_equal(network.params.flat, before)
    assert rise == sharpness(network, x, t, radius=0.1, samples=3, seed=5)
    assert rise == pytest.approx(
        sharpness(network, x, t, radius=0.1, samples=3, seed=5, batch_size=3), abs=1e-12
    )
    noise = np.random.default_rng(5)
    network.weight_decay_lambda = 0
    base, rises = network.loss(x, t), []
    weights = {key: param.copy() for key, param in network.params.items()}
    for _ in range(3):
        for key, w in weights.items():
            r = noise.standard_normal(w.shape)
            network.params[key] = w + 0.1 * np.linalg.norm(w) * r / np.linalg.norm(r)
        rises.append(network.loss(x, t) - base)
    assert rise == pytest.approx(np.mean(rises), abs=1e-12)


@pytest.mark.parametrize("bad", [{"radius": 0}, {"samples": 0}, {"batch_size": -1}])
def test_sharpness_refuses(bad):
    network, x, t = make("TwoLayerNet")
    with pytest.raises(ValueError, match=rf"\[sharpness\] {next(iter(bad))}: expected"):
        sharpness(network, x, t, **bad)
    with pytest.raises(ValueError, match=r"\[sharpness\] t: expected one label"):
        sharpness(network, x, t[:-1])


# ---- learning curves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "validation", "verdict"),
    [
        ([0.3, 0.5, 0.55, 0.55], [0.3, 0.5, 0.54, 0.54], "under-fitting"),
        ([0.5, 0.9, 1.0, 1.0], [0.4, 0.7, 0.75, 0.74], "over-fitting"),
        ([0.5, 0.6, 0.7, 0.7], [0.4, 0.5, 0.5, 0.5], "both"),
        ([0.5, 0.9, 0.98, 0.98], [0.5, 0.9, 0.96, 0.96], "good fit"),
    ],
)
def test_learning_curves_are_named(train, validation, verdict):
    report = learning_curve(train, validation)
    assert report.verdict == verdict
    words = {"under-fitting": "high bias", "over-fitting": "low bias, high variance"}
    assert words.get(verdict, "variance") in str(report)
    assert report.variance == pytest.approx(train[-1] - validation[-1])


def test_a_learning_curve_that_still_rises():
    report = learning_curve([0.2, 0.4, 0.6], [0.2, 0.4, 0.6])
    assert report.improving and report.best_epoch == 3 and "train longer" in str(report)
    assert not learning_curve([0.6], [0.6]).improving


@pytest.mark.parametrize(
    ("train", "validation"), [([], []), ([0.5], [0.5, 0.6]), ([1.5], [0.5]), ([0.5], [np.nan])]
)
def test_learning_curves_that_are_none(train, validation):
    with pytest.raises(ValueError, match=r"\[learning_curve\]"):
        learning_curve(train, validation)


def test_penalties_are_left_out():
    network, plain = net("relu", "he"), net("relu", "he")
    network.weight_decay_lambda, network.penalty = 0.1, L1(0.1)
    assert str(diagnose(network, X, T)) == str(diagnose(plain, X, T))
    assert sharpness(network, X, T) == sharpness(plain, X, T)
    assert network.penalty is not None


def test_names():
    assert set(NETS)  # the table is not empty
    assert pynet.diagnose is diagnose and pynet.diagnosis.first_non_finite
