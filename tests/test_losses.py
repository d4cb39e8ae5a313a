"""Every loss: gradients, weights, the checklist's numbers, extreme values."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient
from loss_cases import CASES, drawn, every_loss

from pynet import losses

LIMIT = 1e-7


# ---- gradients ---------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("kind", ["none", "sample", "class", "both"])
def test_gradient(case, kind):
    x, t, kinds = drawn(case)
    options, sample_weight = kinds[kind]
    layer = case.layer(**case.options, **options)

    def f():
        return 2.5 * layer.forward(x, t, sample_weight=sample_weight)

    f()
    dx = layer.backward(2.5)
    assert dx.shape == x.shape and dx.dtype == np.float64
    assert np.linalg.norm(dx) > 0.01
    assert gradient_error(dx, numerical_gradient(f, x, 1e-4)) < LIMIT


# ---- the mean and the weights ------------------------------------------------------------------


@every_loss
def test_function_and_layer_give_the_same_float(case):
    x, t, kinds = drawn(case)
    options, sample_weight = kinds["both"]
    layer = case.layer(**case.options, **options)
    loss = layer.forward(x, t, sample_weight=sample_weight)
    assert type(loss) is float and layer.loss == loss
    assert case.function(x, t, sample_weight=sample_weight, **options, **case.options) == loss
    np.testing.assert_array_equal(layer.t, t)
    assert layer.y.shape == x.shape


@every_loss
def test_weights_of_one_size_change_nothing(case):
    x, t, _ = drawn(case)
    plain = case.layer(**case.options)
    loss, dx = plain.forward(x, t), plain.backward()
    for size in (1.0, 3.0):
        equal = case.layer(class_weight=np.full(case.classes(4), size), **case.options)
        assert equal.forward(x, t, sample_weight=np.full(5, size)) == pytest.approx(loss, rel=1e-13)
        np.testing.assert_allclose(equal.backward(), dx, rtol=1e-12, atol=1e-15)


@every_loss
def test_a_weight_of_2_counts_a_sample_twice_and_0_leaves_it_out(case):
    x, t, _ = drawn(case)
    weights = np.array([1, 2, 0, 1, 2])
    picked = np.repeat(np.arange(5), weights)
    layer = case.layer(**case.options)
    loss = layer.forward(x, t, sample_weight=weights)
    dx = layer.backward()
    assert loss == pytest.approx(layer.forward(x[picked], t[picked]), rel=1e-13)
    assert not dx[2].any()
    np.testing.assert_allclose(
        dx[1], 2 * layer.backward()[1], rtol=1e-12, atol=1e-15
    )  # the same sum of weights


@every_loss
def test_float32_stays_float32_and_integers_become_it(case):
    x, t, kinds = drawn(case)
    wide = case.function(x, t, **case.options)
    layer = case.layer(**case.options, **kinds["class"][0])
    for sample_weight in (None, np.ones(5)):
        layer.forward(x.astype(np.float32), t, sample_weight=sample_weight)
        assert layer.backward().dtype == layer.y.dtype == np.float32
    assert case.function(x.astype(np.float32), t, **case.options) == pytest.approx(wide, rel=3e-6)
    layer.forward(np.zeros((5, 4), np.int64) + (1 if case.x.__name__ == "shares" else 0), t)
    assert layer.backward().dtype == np.float32


@every_loss
def test_inputs_are_left_alone(case):
    x, t, kinds = drawn(case)
    options, sample_weight = kinds["both"]
    before = x.copy(), t.copy(), sample_weight.copy()
    layer = case.layer(**options, **case.options)
    layer.forward(x, t, sample_weight=sample_weight)
    dx = layer.backward()
    for now, then in zip((x, t, sample_weight), before):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(layer.backward(), dx)


def test_which_terms_are_added_and_which_averaged():
    y, t = np.array([[1.0, 2.0], [3.0, 5.0]]), np.zeros((2, 2))
    assert losses.mean_squared_error(y, t) == (1 + 4 + 9 + 25) / 4
    assert losses.squared_error(y, t) == (1 + 4 + 9 + 25) / 2 / 2
    assert losses.mean_absolute_error(y, t) == 11 / 4
    assert losses.hinge(y, t) == (2 + 3 + 4 + 6) / 4  # targets 0 are class -1
    half = np.full((2, 2), 0.5)
    assert losses.binary_cross_entropy(half, t) == pytest.approx(2 * math.log(2))
    assert losses.cross_entropy(half, [0, 1]) == pytest.approx(math.log(2))


def test_the_weight_of_a_class_is_that_of_its_samples():
    x, t = np.random.default_rng(0).standard_normal((6, 3)), np.array([0, 1, 2, 2, 1, 2])
    weights = np.array([1.0, 4.0, 0.5])
    for f in (losses.softmax_cross_entropy, losses.multi_class_hinge):
        by_class = f(x, t, class_weight=weights)
        assert by_class == pytest.approx(f(x, t, sample_weight=weights[t]), rel=1e-13)


# ---- literal numbers ---------------------------------------------------------------------------


def test_numbers_of_the_book():
    """Cross entropy of 0.6 and 0.1, and the gradient y - t of (0.3, 0.2, 0.5)."""
    y = np.array([[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]])
    t = np.eye(10)[[2]]
    assert round(losses.cross_entropy(y, t), 2) == 0.51
    assert round(losses.cross_entropy(y, [0]), 2) == 2.30
    assert losses.squared_error(y, t) == pytest.approx(0.0975)
    x = np.log([[0.3, 0.2, 0.5]])
    for layer in (losses.SoftmaxWithLoss(), losses.SoftmaxWithLoss(class_weight=[1, 1, 1])):
        for target in ([1], [[0, 1, 0]]):
            layer.forward(x, target)
            np.testing.assert_allclose(layer.backward(), [[0.3, -0.8, 0.5]], rtol=1e-14)
    identity = losses.IdentityWithLoss()
    identity.forward([[0.3, 0.2, 0.5]], [[0, 1, 0]])
    np.testing.assert_allclose(identity.backward(), [[0.3, -0.8, 0.5]], rtol=1e-7)


def test_cross_entropy_and_likelihood_agree_on_one_hot_labels():
    rng = np.random.default_rng(0)
    p, t = rng.dirichlet(np.ones(5), 7), rng.integers(0, 5, 7)
    want = -np.mean(np.log(p[np.arange(7), t]))
    for labels in (t, np.eye(5)[t]):
        for f, x in (
            (losses.cross_entropy, p),
            (losses.negative_log_likelihood, np.log(p)),
            (losses.kullback_leibler, np.log(p)),
            (losses.softmax_cross_entropy, np.log(p)),
        ):
            assert f(x, labels) == pytest.approx(want, rel=1e-13)


def test_other_literal_numbers():
    e = np.array([0.5, -3.0])
    assert losses.huber(e, [0, 0], 1.0) == (0.125 + 2.5) / 2
    assert losses.huber(e, [0, 0], delta=2.0) == (0.125 + 4.0) / 2
    assert losses.log_cosh(e, [0, 0]) == pytest.approx(np.log(np.cosh(e)).mean(), rel=1e-15)
    assert losses.hinge([0.5, -0.5, 2], [1, 1, 1]) == 2 / 3
    assert losses.squared_hinge([0.5, -0.5, 2], [1, 1, 1]) == 2.5 / 3
    assert losses.multi_class_hinge([[3.2, 5.1, -1.7]], [0]) == pytest.approx(2.9, rel=1e-6)
    assert losses.kullback_leibler(np.log([[0.5, 0.5]]), [[0.75, 0.25]]) == pytest.approx(
        0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    )
    assert losses.smooth_labels(np.eye(4)[[1]], 0.2).tolist() == pytest.approx(
        np.array([[0.05, 0.85, 0.05, 0.05]])
    )


def test_slopes_at_the_margin():
    layer = losses.Hinge()
    layer.forward(np.array([0.999, 1.0, 1.001, -0.999, -1.0]), [1, 1, 1, 0, 0])
    np.testing.assert_allclose(layer.backward(), np.array([-1, 0, 0, 1, 0]) / 5)
    several = losses.MultiClassHinge()
    several.forward(np.array([[1.0, 0.001, 0.0, -0.001]]), [0])
    np.testing.assert_array_equal(several.backward(), [[-1, 1, 0, 0]])


# ---- far out -----------------------------------------------------------------------------------


def test_nothing_overflows():
    far, t = np.array([[1e4, -1e4]]), np.array([1])
    assert losses.softmax_cross_entropy(far, t, label_smoothing=0.5) == pytest.approx(1.5e4)
    assert losses.softmax_cross_entropy(far, t, class_weight=[1, 2]) == 2e4
    assert losses.sigmoid_cross_entropy(far, [[0, 1]], class_weight=[1, 1]) == 2e4
    assert losses.log_cosh(far, [[0, 0]]) == pytest.approx(1e4 - math.log(2), rel=1e-15)
    for e in (1e-9, 1e-5, 1e-3, 0.02):  # log(cosh(e)) itself would lose all digits
        series = e**2 / 2 - e**4 / 12 + e**6 / 45
        assert losses.log_cosh([e, -e], [0.0, 0.0]) == pytest.approx(series, rel=1e-11)
    assert losses.huber(far, [[0, 0]]) == 1e4 - 0.5


def test_a_probability_of_0_costs_infinity_where_the_target_is_there_and_nothing_elsewhere():
    y = np.array([[0.0, 1.0]])
    assert losses.cross_entropy(y, [1]) == 0
    assert losses.cross_entropy(y, [0]) == math.inf
    assert losses.binary_cross_entropy(y, [[0, 1]]) == 0
    assert losses.binary_cross_entropy(y, [[1, 1]]) == math.inf
    log_y = np.array([[-np.inf, 0.0]])
    for f in (losses.negative_log_likelihood, losses.kullback_leibler):
        assert f(log_y, [1]) == 0 and f(log_y, [0]) == math.inf
        assert f(log_y, [[0.0, 1.0]]) == 0
    for layer in (losses.CrossEntropy(), losses.BinaryCrossEntropy()):
        layer.forward(y, [[0, 1]])
        assert np.isfinite(layer.backward()).all()
    # a sample without weight does not count, whatever it costs
    two = np.array([[0.0, 1.0], [0.5, 0.5]])
    assert losses.cross_entropy(two, [0, 0], sample_weight=[0, 1]) == pytest.approx(math.log(2))


def test_sums_are_taken_in_float64():
    y = np.full((100_000, 1), 0.1, np.float32)
    want = float(np.float32(0.1))
    assert losses.mean_absolute_error(y, np.zeros((100_000, 1))) == pytest.approx(want, rel=1e-12)


# ---- the family --------------------------------------------------------------------------------


def test_every_loss_is_a_layer_and_a_function_of_one_name():
    layers = {
        cls
        for _, cls in inspect.getmembers(losses, inspect.isclass)
        if cls not in (losses.LossLayer, losses.ClassLoss, losses.BinaryLoss)
    }
    assert {case.layer for case in CASES} == layers
    assert len(layers) == 14
    for cls in layers:
        f = getattr(losses, cls.op)
        assert f.__name__ == cls.op and cls.__name__ in f.__doc__
    assert losses.Huber.op == "huber" and losses.MultiClassHinge.op == "multi_class_hinge"


def test_a_loss_of_ones_own_is_two_methods():
    class Quartic(losses.LossLayer):
        classifies = False

        def _terms(self, x, t):
            return (x - t) ** 4

        def _slopes(self, x, t):
            return 4 * (x - t) ** 3

    layer, x, t = Quartic(), np.array([[1.0, 2.0]]), np.zeros((1, 2))
    assert layer.forward(x, t) == 17 and layer.op == "quartic"
    np.testing.assert_array_equal(layer.backward(), [[4, 32]])
    assert losses.function(Quartic)(x, t, sample_weight=[3]) == 17
