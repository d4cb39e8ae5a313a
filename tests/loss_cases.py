"""Every loss: how to make it, and inputs and targets that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from pynet import losses


class LossCase(NamedTuple):
    name: str
    layer: type[losses.LossLayer]
    function: Callable[..., float]
    x: Callable[[np.random.Generator, int, int], np.ndarray]
    t: Callable[[np.random.Generator, int, int], np.ndarray]
    classes: Callable[[int], int]  # how many numbers class_weight has
    options: dict[str, Any]


def scores(rng, N, D):
    return 2 * rng.standard_normal((N, D))


def probabilities(rng, N, D):
    return rng.dirichlet(np.full(D, 2.0), N)


def log_probabilities(rng, N, D):
    return np.log(probabilities(rng, N, D))


def shares(rng, N, D):
    return rng.uniform(0.05, 0.95, (N, D))


def labels(rng, N, D):
    return rng.integers(0, D, N)


def one_hot(rng, N, D):
    return np.eye(D)[labels(rng, N, D)]


def bits(rng, N, D):
    return rng.integers(0, 2, (N, D))


def signs(rng, N, D):
    return 2 * bits(rng, N, D) - 1


def _case(name, layer, function, x, t, classes=lambda D: D, **options):
    return LossCase(name, layer, function, x, t, classes, options)


def _two(D):
    return 2


L = losses
CASES = [
    _case("squared error", L.IdentityWithLoss, L.squared_error, scores, scores),
    _case("mean squared error", L.MeanSquaredError, L.mean_squared_error, scores, scores),
    _case("mean absolute error", L.MeanAbsoluteError, L.mean_absolute_error, scores, scores),
    _case("huber", L.Huber, L.huber, scores, scores),
    _case("huber 0.3", L.Huber, L.huber, scores, scores, delta=0.3),
    _case("log cosh", L.LogCosh, L.log_cosh, scores, scores),
    _case("softmax", L.SoftmaxWithLoss, L.softmax_cross_entropy, scores, labels),
    _case("softmax, one-hot", L.SoftmaxWithLoss, L.softmax_cross_entropy, scores, one_hot),
    _case("softmax, soft", L.SoftmaxWithLoss, L.softmax_cross_entropy, scores, probabilities),
    _case(
        *("softmax, smoothed", L.SoftmaxWithLoss, L.softmax_cross_entropy, scores, labels),
        label_smoothing=0.2,
    ),
    _case(
        *("softmax, soft, smoothed", L.SoftmaxWithLoss, L.softmax_cross_entropy),
        *(scores, probabilities),
        label_smoothing=0.1,
    ),
    _case("cross entropy", L.CrossEntropy, L.cross_entropy, probabilities, labels),
    _case("cross entropy, soft", L.CrossEntropy, L.cross_entropy, probabilities, probabilities),
    _case("nll", L.NegativeLogLikelihood, L.negative_log_likelihood, log_probabilities, labels),
    _case(
        *("nll, soft", L.NegativeLogLikelihood, L.negative_log_likelihood),
        *(log_probabilities, probabilities),
    ),
    _case("kl", L.KullbackLeibler, L.kullback_leibler, log_probabilities, probabilities),
    _case("kl, labels", L.KullbackLeibler, L.kullback_leibler, log_probabilities, labels),
    _case("sigmoid", L.SigmoidWithLoss, L.sigmoid_cross_entropy, scores, bits, _two),
    _case("sigmoid, soft", L.SigmoidWithLoss, L.sigmoid_cross_entropy, scores, shares, _two),
    _case("binary", L.BinaryCrossEntropy, L.binary_cross_entropy, shares, bits, _two),
    _case("binary, soft", L.BinaryCrossEntropy, L.binary_cross_entropy, shares, shares, _two),
    _case("hinge", L.Hinge, L.hinge, scores, signs, _two),
    _case("hinge of 0 and 1", L.Hinge, L.hinge, scores, bits, _two),
    _case("squared hinge", L.SquaredHinge, L.squared_hinge, scores, signs, _two),
    _case("multi-class hinge", L.MultiClassHinge, L.multi_class_hinge, scores, labels),
    _case("multi-class hinge, one-hot", L.MultiClassHinge, L.multi_class_hinge, scores, one_hot),
]
every_loss = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def drawn(case, N=5, D=4, seed=0):
    rng = np.random.default_rng(seed)
    x, t = case.x(rng, N, D), case.t(rng, N, D)
    return (
        x,
        t,
        {
            "none": ({}, None),
            "sample": ({}, rng.uniform(0, 2, N)),
            "class": ({"class_weight": rng.uniform(0.2, 2, case.classes(D))}, None),
            "both": ({"class_weight": rng.uniform(0.2, 2, case.classes(D))}, rng.uniform(0, 2, N)),
        },
    )
