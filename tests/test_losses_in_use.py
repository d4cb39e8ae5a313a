"""Losses of bad batches and weights, and losses in networks."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from loss_cases import CASES, drawn, every_loss, scores

from pynet import losses, metrics
from pynet.datasets import train_val_test_split
from pynet.layers import Affine
from pynet.networks import Network, TwoLayerNet, TwoLayerNetSigmoid
from pynet.trainer import Trainer

OF_SCORES = [case for case in CASES if case.x is scores]


# ---- bad input ---------------------------------------------------------------------------------

X, P = np.zeros((3, 2)), np.full((3, 2), 0.5)
BAD = {
    "shape": (losses.Huber, X, np.zeros((3, 1)), ValueError, r"\[huber\] t: expected shape \(3, 2"),
    "no broadcasting": (losses.MeanSquaredError, X[:, :1], X.T, ValueError, "t: expected shape"),
    "empty": (
        losses.LogCosh,
        np.zeros((0, 2)),
        np.zeros((0, 2)),
        ValueError,
        "x: expected a batch",
    ),
    "number": (losses.MeanSquaredError, 1.0, 1.0, ValueError, "x: expected a batch"),
    "text": (losses.MeanAbsoluteError, X, [["a", "b"]] * 3, TypeError, "t: expected real numbers"),
    "complex": (losses.Hinge, X * 1j, X, TypeError, "x: expected real numbers"),
    "label too high": (losses.CrossEntropy, P, [0, 1, 2], IndexError, "t: expected labels 0 to 1"),
    "label below 0": (losses.MultiClassHinge, X, [0, 1, -1], IndexError, "got -1 to 1"),
    "label 0.5": (losses.NegativeLogLikelihood, X, [0, 1, 0.5], TypeError, "as integers"),
    "column labels": (losses.CrossEntropy, P, [[0], [1], [1]], ValueError, "t: expected 3 class"),
    "too few labels": (losses.KullbackLeibler, X, [0, 1], ValueError, "t: expected 3 class"),
    "images": (losses.CrossEntropy, np.zeros((2, 2, 2)), [0, 1], ValueError, r"shape \(N, D\)"),
    "probability": (losses.CrossEntropy, P + 1, [0, 1, 1], ValueError, "x: expected probabilities"),
    "probability below": (losses.BinaryCrossEntropy, P - 1, X, ValueError, "got -0.5 to -0.5"),
    "target above 1": (losses.BinaryCrossEntropy, P, X + 2, ValueError, "t: expected targets from"),
    "target NaN": (losses.BinaryCrossEntropy, P, X + np.nan, ValueError, "t: expected targets"),
    "sign 2": (losses.SquaredHinge, X, X + 2, ValueError, "targets -1 and 1, or 0 and 1"),
    "signs of both kinds": (losses.Hinge, X[:, 0], [0, 1, -1], ValueError, "targets -1 and 1"),
    "soft rows": (losses.MultiClassHinge, X, P, ValueError, "one-hot rows"),
    "negative share": (losses.KullbackLeibler, X, X - 1, ValueError, "t: expected numbers from 0"),
}


@pytest.mark.parametrize(("cls", "x", "t", "error", "words"), BAD.values(), ids=BAD)
def test_bad_batches(cls, x, t, error, words):
    layer = cls()
    good = np.full((2, 2), 0.5), [[0, 1], [1, 0]]
    loss = layer.forward(*good)
    dx = layer.backward()
    for f in (lambda: layer.forward(x, t), lambda: layer.forward(x, t, sample_weight=np.ones(3))):
        with pytest.raises(error, match=rf"^\[{cls.op}\] .*{words}" if "[" not in words else words):
            f()
    assert layer.loss == loss  # the refused calls left it as it was
    np.testing.assert_array_equal(layer.backward(), dx)


@every_loss
def test_bad_weights(case):
    x, t, _ = drawn(case)
    layer = case.layer(**case.options)
    loss = layer.forward(x, t, sample_weight=[1, 2, 3, 4, 5])
    dx = layer.backward()
    for weights, error in (
        ([1, 1], ValueError),
        (np.ones((5, 1)), ValueError),
        ([1, 1, 1, 1, -1], ValueError),
        ([1, 1, 1, 1, np.nan], ValueError),
        ([1, 1, 1, 1, np.inf], ValueError),
        (np.zeros(5), ValueError),
        (1.0, ValueError),
        (["a"] * 5, TypeError),
    ):
        with pytest.raises(error, match=rf"^\[{case.layer.op}\] sample_weight: expected"):
            layer.forward(x, t, sample_weight=weights)
    assert layer.loss == loss
    np.testing.assert_array_equal(layer.backward(), dx)
    for weights in ([1, -1], [[1, 1]], [np.nan, 1], np.zeros(case.classes(4)), np.ones(7)):
        with pytest.raises(ValueError, match=rf"^\[{case.layer.op}\] class_weight: expected"):
            case.layer(class_weight=weights).forward(x, t)


def test_a_refused_plain_pass_keeps_the_weighted_one():
    layer = losses.SoftmaxWithLoss()
    layer.forward(P, [0, 1, 1], sample_weight=[1, 2, 3])
    dx = layer.backward()
    with pytest.raises(IndexError):
        layer.forward(P, [0, 1, 2])
    np.testing.assert_array_equal(layer.backward(), dx)
    with pytest.raises(ValueError, match=r"^\[SoftmaxWithLoss.backward\] dout: expected a number"):
        layer.backward([1, 2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: losses.Huber(0), r"\[huber\] delta: expected"),
        (lambda: losses.Huber(-1), r"\[huber\] delta: expected"),
        (lambda: losses.Huber(math.nan), r"\[huber\] delta: expected"),
        (lambda: losses.SoftmaxWithLoss(label_smoothing=1.5), "label_smoothing: expected"),
        (lambda: losses.huber([1.0], [1.0], math.inf), "delta: expected"),
        (lambda: losses.smooth_labels([[0, 1]], 2), r"\[smooth_labels\] label_smoothing: .* got 2"),
        (lambda: losses.smooth_labels([0, 1], 0.1), r"\[smooth_labels\] t: expected rows"),
        (lambda: losses.Hinge().backward(), r"\[Hinge.backward\] x: expected forward"),
    ],
)
def test_bad_options(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: losses.Huber("1"), r"^\[huber\] delta: expected a finite number above 0, got str"),
        (lambda: losses.SoftmaxWithLoss(label_smoothing=None), "label_smoothing: .* got NoneType"),
        (lambda: losses.smooth_labels(["a"], 0.1), r"^\[smooth_labels\] t: expected real numbers"),
    ],
)
def test_options_that_are_no_numbers(make, words):
    with pytest.raises(TypeError, match=words):
        make()


# ---- in a network ------------------------------------------------------------------------------


def net_of(loss, D, dtype=np.float64):
    np.random.seed(0)
    return Network([Affine.sized(D)], loss, input_dim=(3,), dtype=dtype)


def test_a_network_hands_sample_weights_on():
    rng = np.random.default_rng(0)
    x, t, w = rng.standard_normal((6, 3)), rng.integers(0, 2, 6), np.array([1, 2, 0, 1, 1, 3.0])
    net = net_of(losses.SoftmaxWithLoss(), 2)
    picked = np.repeat(np.arange(6), w.astype(int))
    assert net.loss(x, t, sample_weight=w) == pytest.approx(net.loss(x[picked], t[picked]))
    weighted, repeated = net.gradient(x, t, sample_weight=w), net.gradient(x[picked], t[picked])
    np.testing.assert_allclose(weighted["W1"], repeated["W1"], rtol=1e-12)
    assert net.last_loss == pytest.approx(net.loss(x, t, sample_weight=w))
    plain = TwoLayerNet(3, 4, 2)
    assert plain.loss(x, t, sample_weight=w) != plain.loss(x, t)
    with pytest.raises(ValueError, match="sample_weight: expected None"):
        TwoLayerNetSigmoid(3, 4, 2).loss(x, t, sample_weight=w)


def test_accuracy_with_a_loss_of_two_classes():
    x = np.random.default_rng(0).standard_normal((40, 3))
    for loss, cut in ((losses.Hinge(), 0), (losses.SigmoidWithLoss(), 0)):
        net = net_of(loss, 1)
        t = (net.predict(x)[:, 0] > cut).astype(int)
        assert 0 < t.sum() < 40
        assert net.accuracy(x, t) == net.accuracy(x, t[:, None]) == net.accuracy(x, 2 * t - 1) == 1
        t[:10] = 1 - t[:10]
        assert net.accuracy(x, t, batch_size=7) == 0.75
    net = net_of(losses.BinaryCrossEntropy(), 1)
    t = (net.predict(x)[:, 0] > 0.5).astype(int)
    assert 0 < t.sum() < 40 and net.accuracy(x, t) == 1


def test_accuracy_refuses_regression_and_takes_labels():
    x = np.random.default_rng(0).standard_normal((8, 3))
    net = net_of(losses.Huber(), 2)
    t = net.predict(x).argmax(axis=1)
    assert net.accuracy(x, t) == net.accuracy(x, np.eye(2)[t]) == 1
    for targets in (net.predict(x), t + 0.5):
        with pytest.raises(ValueError, match=r"^\[Network.accuracy\] last_layer: .* Huber\(\)"):
            net.accuracy(x, targets)
    with pytest.raises(ValueError, match="expected a loss of classes"):
        net_of(losses.MeanSquaredError(), 1).accuracy(x, t)


@pytest.mark.parametrize("case", OF_SCORES, ids=[case.name for case in OF_SCORES])
def test_a_network_learns_with_it(case):
    rng = np.random.default_rng(3)
    net, x, t = (
        net_of(case.layer(**case.options), 4),
        rng.standard_normal((9, 3)),
        case.t(rng, 9, 4),
    )
    seen = []
    for _ in range(30):
        grads = net.gradient(x, t)
        seen.append(net.last_loss)
        for key in net.params:
            net.params[key] -= 0.05 * grads[key]
    assert seen[-1] < seen[0]


def test_a_trainer_trains_regression_and_measures_it():
    """120 samples with a few outliers: loss and absolute error fall, accuracy is not asked for."""
    rng = np.random.default_rng(0)
    np.random.seed(0)
    x = rng.standard_normal((120, 3))
    t = x @ [[1.0], [-2.0], [0.5]] + 0.1 * rng.standard_normal((120, 1))
    t[::20] += 30
    (x, t), validation, test = train_val_test_split(x, t)
    trainer = Trainer(
        *(net_of(losses.Huber(), 1), x, t, *test, 12, 12, "SGD", {"lr": 0.3}),
        verbose=False,
        sampling="epoch",
        validation=validation,
        metrics={"mae": metrics.mean_absolute_error},
    )
    trainer.train()
    history = trainer.history
    assert "train_accuracy" not in history
    assert history["validation_loss"][-1] < history["validation_loss"][0]
    assert history["mae"][-1] < history["mae"][0]


def test_metrics_of_classes_in_a_trainer():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 3))
    t = x.argmax(axis=1)
    named = {
        "f1": metrics.f1,
        "auc": metrics.roc_auc,
        "top 2": partial(metrics.top_k_accuracy, k=2),
    }
    trainer = Trainer(
        *(net_of(losses.SoftmaxWithLoss(), 3), x, t, x, t, 5, 10, "SGD", {"lr": 0.5}),
        verbose=False,
        validation=(x, t),
        metrics=named,
    )
    trainer.train()
    assert all(0.5 < trainer.history[name][-1] <= 1 for name in named)
