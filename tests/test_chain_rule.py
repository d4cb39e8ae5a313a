"""The chain rule factor by factor, and the time of each layer."""

from __future__ import annotations

import numpy as np
import pytest
from network_cases import every_net, make

import pynet
from pynet.cli import main
from pynet.diagnosis import chain_rule
from pynet.layers import Affine, IdentityWithLoss, Residual, Sequential, Sigmoid, Tanh
from pynet.networks import Network


def chain(depth, width=1, seed=0):
    """`depth` Affine layers with sigmoids between them."""
    np.random.seed(seed)
    layers = [Affine.sized(width, init="xavier")]
    for _ in range(depth - 1):
        layers += [Sigmoid(), Affine.sized(width, init="xavier")]
    return Network(layers, IdentityWithLoss(), input_dim=(width,), dtype=np.float64)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("depth", [3, 4])
def test_the_product_is_the_gradient(depth, width):
    network = chain(depth, width)
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((1, width)), rng.standard_normal((1, width))
    numerical = network.numerical_gradient(x, t)
    for key, param in network.params.items():
        for index in np.ndindex(param.shape):
            trace = chain_rule(network, x, t, key, index)
            assert trace.gradient == pytest.approx(trace.backpropagation, rel=1e-12)
            assert trace.gradient == pytest.approx(numerical[key][index], rel=1e-5, abs=1e-10)
    assert len(chain_rule(network, x, t).factors) == 2 * depth


def test_factors_by_hand():
    """z1 = w1 x, a1 = s(z1), z2 = w2 a1, a2 = s(z2), y = w3 a2, L = (y - t)^2 / 2."""
    w1, w2, w3, x, t = 0.5, -1.5, 2.0, 0.8, 1.0
    layers = [
        Affine([[w1]], None),
        Sigmoid(),
        Affine([[w2]], None),
        Sigmoid(),
        Affine([[w3]], None),
    ]
    network = Network(layers, IdentityWithLoss(), dtype=np.float64)
    trace = chain_rule(network, [[x]], [[t]], "W1", (0, 0))
    a1 = 1 / (1 + np.exp(-w1 * x))
    a2 = 1 / (1 + np.exp(-w2 * a1))
    expected = [w3 * a2 - t, w3, a2 * (1 - a2), w2, a1 * (1 - a1), x]
    factors = [factor.jacobian.item() for factor in trace.factors]
    np.testing.assert_allclose(factors, expected, rtol=1e-12)
    products = [factor.product.item() for factor in trace.factors]
    np.testing.assert_allclose(products, np.cumprod(expected), rtol=1e-12)
    assert trace.paths == 1
    text = str(trace)
    assert text.startswith("dL/dW1[0, 0] = dL/dAffine3 * dAffine3/dSigmoid2 * dSigmoid2/dAffine2")
    assert f"{expected[2]:.6g}" in text and f"backpropagation: {np.prod(expected):.8g}" in text


def test_gradients_add_over_paths():
    assert chain_rule(chain(3, 3), np.ones((1, 3)), np.zeros((1, 3)), "W1", (0, 0)).paths == 9
    assert chain_rule(chain(4, 3), np.ones((1, 3)), np.zeros((1, 3)), "W1", (0, 0)).paths == 27
    shortcut = Residual(Sequential(Affine.sized(2), Tanh(), Affine.sized(2)))
    network = Network(
        [Affine.sized(2), shortcut, Affine.sized(2)], input_dim=(2,), dtype=np.float64
    )
    x, t = np.array([[0.3, -0.7]]), np.array([1])
    numerical = network.numerical_gradient(x, t)
    for key in ("W1", "residual1.body.W2", "b2"):
        trace = chain_rule(network, x, t, key)
        assert trace.gradient == pytest.approx(trace.backpropagation, rel=1e-12)
        assert trace.gradient == pytest.approx(np.abs(numerical[key]).max(), rel=1e-5) or (
            trace.gradient == pytest.approx(-np.abs(numerical[key]).max(), rel=1e-5)
        )


@every_net
def test_any_network(name):
    network, x, t = make(name)
    if name in ("MultiLayerNetExtend", "DeepConvNet"):
        network, x, t = make("SimpleConvNet")  # their dropout may cut the one path there is
    trace = chain_rule(network, x[:1], t[:1], next(iter(network.params)))
    assert trace.gradient == pytest.approx(trace.backpropagation, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.ones((2, 3))}, ValueError, r"x: expected one sample, of shape \(1, ...\), got"),
        ({"x": np.ones(3)}, ValueError, "x: expected one sample"),
        ({"key": "W9"}, KeyError, r"key: expected one of W1, b1, W2, .* got 'W9'"),
        ({"index": (3, 0)}, IndexError, r"index: expected one inside \(3, 3\) of W1, got \(3, 0\)"),
        ({"index": 1}, IndexError, "index: expected one inside"),
        ({"index": (-1, 0)}, IndexError, "index: expected one inside"),
        ({"network": 5}, TypeError, "network: expected a pynet.networks.Network, got int"),
    ],
)
def test_what_is_refused(change, error, message):
    arguments = {"network": chain(3, 3), "x": np.ones((1, 3)), "t": np.ones((1, 3))} | change
    with pytest.raises(error, match=rf"\[chain_rule\] {message}"):
        chain_rule(**arguments)


def test_layers_that_are_too_large_for_matrices():
    network = Network([Affine.sized(2001), Affine.sized(2)], input_dim=(2,))
    with pytest.raises(ValueError, match=r"network: expected at most 2000 values"):
        chain_rule(network, np.ones((1, 2)), [0])


# ---- profile -----------------------------------------------------------------------------------


@every_net
def test_profile(name):
    network, x, t = make(name)
    before = network.params.flat.copy()
    found = pynet.profile(network, x, t, repeats=2)
    assert np.array_equal(network.params.flat, before)
    assert sum(row.macs for row in found.rows) == len(x) * network.summary().macs
    assert all(row.forward > 0 for row in found.rows)
    assert all(row.backward > 0 for row in found.rows if row.macs)
    shares = [row.seconds / found.seconds for row in found.rows] + [found.rest / found.seconds]
    assert sum(shares) == pytest.approx(1) and min(shares) >= 0
    kinds = {row.kind for row in found.rows}
    assert (found.share("Convolution") > 0) == ("Convolution" in kinds)
    lines = str(found).splitlines()
    assert len(lines) == len(found.rows) + 7 and " % of it" in lines[-1]


def test_profile_counts_bytes_and_arithmetic():
    network = Network([Affine.sized(7), Affine.sized(3)], input_dim=(5,))
    first, second, loss = pynet.profile(network, np.ones((10, 5)), np.zeros(10, int), 1).rows
    assert (first.macs, second.macs, loss.macs) == (350, 210, 0)
    assert (first.macs_backward, second.macs_backward) == (350, 420)  # the first needs no dx
    assert first.bytes == 4 * (50 + 42 + 70)
    first.forward, first.backward = 1e-6, 2e-6
    assert first.gflops() == pytest.approx((0.7, 0.35))
    with pytest.raises(ValueError, match=r"\[profile\] repeats: expected at least 1, got 0"):
        pynet.profile(network, np.ones((10, 5)), np.zeros(10, int), 0)


def test_profile_command(capsys):
    assert main(["profile", "--model", "conv-bn", "--batch-size", "8", "--repeats", "1"]) == 0
    out = capsys.readouterr().out
    assert "Convolution3" in out and "GFLOP/s" in out
    share = float(out.split("convolution ")[-1].split(" %")[0])
    assert 0 < share <= 100
