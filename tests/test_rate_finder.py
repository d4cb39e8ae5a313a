"""The learning-rate finder: what it finds, what it leaves alone, what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pynet.datasets import load_digits
from pynet.networks import MultiLayerNet
from pynet.optimizers import SGD, Adam, ClipNorm
from pynet.rate_finder import find_rate


class Bowl:
    """loss = 1/2 * curve * w^2, whatever the batch: SGD diverges above a rate of 2 / curve."""

    def __init__(self, curve=1.0):
        self.params = {"w": np.array([10.0])}
        self.curve = curve

    def gradient(self, x, t):
        return {"w": self.curve * self.params["w"]}

    def loss(self, x, t):
        return float(0.5 * self.curve * self.params["w"][0] ** 2)


X, T = np.zeros((10, 1)), np.zeros(10, int)


@pytest.mark.parametrize("curve", [0.1, 1.0, 10.0])
def test_the_suggestion_scales_with_the_curvature(curve):
    found = find_rate(Bowl(curve), SGD(), X, T, low=1e-5 / curve, high=100 / curve, smoothing=0.5)
    assert 0.01 < found.suggestion * curve < 2
    assert found.diverged and found.rates[-1] * curve > 2
    reference = find_rate(Bowl(), SGD(), X, T, low=1e-5, high=100, smoothing=0.5)
    assert found.suggestion * curve == pytest.approx(reference.suggestion)


def test_rates_grow_by_a_factor_and_losses_are_smoothed():
    found = find_rate(Bowl(), SGD(), X, T, low=1e-4, high=1e-2, steps=21, smoothing=0.8)
    np.testing.assert_allclose(found.rates, 10 ** np.linspace(-4, -2, 21))
    assert not found.diverged
    w, mean = 10.0, 0.0
    for k, rate in enumerate(found.rates):
        assert found.losses[k] == pytest.approx(0.5 * w * w)
        mean = 0.8 * mean + 0.2 * found.losses[k]
        assert found.smoothed[k] == pytest.approx(mean / (1 - 0.8 ** (k + 1)))
        w -= rate * w


def bits(net, optimizer):
    states = [state.flat.tobytes() for state in optimizer.states]
    return net.params.flat.tobytes(), repr(optimizer), states


RULES = {"adam": Adam, "hook": lambda: SGD().add_hook(ClipNorm(1.0))}


@pytest.mark.parametrize("rule", RULES)
def test_everything_stays_as_it_was(rule):
    (x, t), _ = load_digits()
    x = x.reshape(len(x), -1)
    net, optimizer = MultiLayerNet(64, [16], 10), RULES[rule]()
    optimizer.update(net.params, net.gradient(x[:50], t[:50]))
    before = bits(net, optimizer)
    np.random.seed(0)
    found = find_rate(net, optimizer, x, t)
    assert bits(net, optimizer) == before
    assert np.random.rand() == np.random.RandomState(0).rand()
    np.testing.assert_array_equal(find_rate(net, optimizer, x, t).losses, found.losses)


def test_the_suggestion_trains():
    (x, t), _ = load_digits()
    x = x.reshape(len(x), -1)
    np.random.seed(0)
    net = MultiLayerNet(64, [32], 10)
    optimizer = SGD(find_rate(net, SGD(), x, t).suggestion)
    for _ in range(200):
        batch = np.random.choice(len(x), 100)
        optimizer.update(net.params, net.gradient(x[batch], t[batch]))
    assert net.accuracy(x, t) > 0.9


def test_a_figure(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "rates.png"
    find_rate(Bowl(), SGD(), X, T).save_figure(path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.0}, "low: expected a number from 1e-30 to 10, got 0"),
        ({"low": 1.0, "high": 0.1}, "low: expected a number from 1e-30 to 0.1, got 1"),
        ({"high": math.inf}, "high: expected a number"),
        ({"steps": 2}, "steps: expected at least 5"),
        ({"smoothing": 1.0}, "smoothing: expected"),
        ({"stop": math.nan}, "stop: expected"),
        ({"batch_size": 0}, "batch_size: expected"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=rf"^\[find_rate\] {message}"):
        find_rate(Bowl(), SGD(), X, T, **options)


def test_data_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^\[find_rate\] t: expected one label for each of 10"):
        find_rate(Bowl(), SGD(), X, T[:3])
    with pytest.raises(ValueError, match=r"^\[find_rate\] network: expected a finite loss"):
        find_rate(Bowl(math.nan), SGD(), X, T)
