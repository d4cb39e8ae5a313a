"""Concepts 2.92 to 2.108: deeper networks, speed, precision."""

from __future__ import annotations

import numpy as np
from digits_cases import F64, RNG, deep_net, digits, train
from gradcheck import gradient_error, numerical_gradient

import pynet
from pynet.diagnosis import learning_curve, profile
from pynet.layers import (
    Affine,
    Concat,
    Convolution,
    LocalResponseNormalization,
    Pooling,
    Relu,
    Residual,
    Sequential,
)
from pynet.networks import DeepConvNet, MultiLayerNet, Network
from pynet.optimizers import Adam


def conv(FN, C, F, pad=0):
    return Convolution(0.1 * RNG.standard_normal((FN, C, F, F)), np.zeros(FN), pad=pad)


def input_gradient_error(layer, x):
    dout = RNG.standard_normal(layer(x, True).shape)
    dx = layer.backpropagate(dout)
    return gradient_error(
        dx, numerical_gradient(lambda: float((layer(x, True) * dout).sum()), x, 1e-4)
    )


def test_local_response_normalisation(measured):
    """AlexNet's: what it has before the network itself comes."""
    error = input_gradient_error(LocalResponseNormalization(), RNG.standard_normal((2, 7, 3, 3)))
    assert error < 1e-7
    measured("2.89", f"gradient of LRN off by {error:.0e}")


def test_branches_are_joined(measured):
    """An Inception block: 1x1, 3x3, 5x5 and pooling beside each other."""
    block = Concat(
        conv(2, 3, 1),
        Sequential(conv(2, 3, 1), conv(3, 2, 3, pad=1)),
        Sequential(conv(1, 3, 1), conv(2, 1, 5, pad=2)),
        Sequential(Pooling(3, 3, stride=1, pad=1), conv(1, 3, 1)),
    )
    x = RNG.standard_normal((2, 3, 5, 5))
    assert block.forward(x).shape == (2, 2 + 3 + 2 + 1, 5, 5)
    error = input_gradient_error(block, x)
    assert error < 1e-7
    measured("2.91", f"four branches, 8 channels; gradient off by {error:.0e}")


def test_convolutions_of_1x1(measured):
    def described(*layers):
        d = Sequential(*layers).describe((1, 256, 14, 14))
        return d.out_shape, d.params, d.macs

    sized = Convolution.sized
    plain = described(sized(256, 3, pad=1))
    narrow = described(sized(64, 1), sized(64, 3, pad=1), sized(256, 1))
    assert plain[0] == narrow[0] and plain[1] > 8 * narrow[1] and plain[2] > 8 * narrow[2]
    x, W = RNG.random((2, 4, 3, 3)), RNG.random((2, 4, 1, 1))
    by_pixel = np.einsum("fc,nchw->nfhw", W[:, :, 0, 0], x)  # mixes channels, not places
    np.testing.assert_allclose(Convolution(W, np.zeros(2)).forward(x), by_pixel, rtol=1e-12)
    measured("2.92", f"256 channels: {plain[1]:,} weights, through 64: {narrow[1]:,}")


def test_shortcuts_carry_the_gradient(measured):
    def block():
        return Sequential(Affine(0.05 * RNG.standard_normal((30, 30)), np.zeros(30)), Relu())

    x = RNG.standard_normal((10, 30))
    pictures = RNG.standard_normal((2, 3, 5, 5))
    projected = Residual(conv(4, 3, 3, pad=1), shortcut=conv(4, 3, 1))
    error = max(
        input_gradient_error(projected, pictures), input_gradient_error(Residual(block()), x)
    )
    assert error < 1e-6
    arriving = []
    for stack in ([block() for _ in range(30)], [Residual(block()) for _ in range(30)]):
        net = Sequential(*stack)
        y = net.forward(x)
        arriving.append(float(np.linalg.norm(net.backward(np.ones_like(y) / y.size))))
    assert arriving[0] < 1e-8 and arriving[1] > 0.01
    measured(
        "2.93",
        f"gradient through 30 layers: {arriving[0]:.0e} plain, {arriving[1]:.1f} with shortcuts",
    )


def test_more_data_more_accuracy(measured):
    (x, t), (x_test, t_test) = digits()
    found = {}
    for n in (50, 200, 1348):
        np.random.seed(0)
        net = MultiLayerNet(64, [50], 10)
        train(net, Adam(0.005), x[:n], t[:n], 200, 50)
        found[n] = net.accuracy(x_test, t_test)
    values = list(found.values())
    assert values == sorted(values) and values[-1] > 0.95
    texts = ", ".join(f"{n:,}: {value:.3f}" for n, value in found.items())
    measured("2.94", f"test accuracy by training images, {texts}")
    measured("2.97", texts)


def test_depth_needs_the_right_start(measured):
    """Deeper nets are no worse where the gradient arrives: He weights against std 0.01."""
    (x, t), (x_test, t_test) = digits()
    found = {}
    for depth in (1, 3):
        net = deep_net("relu", depth, "he", dtype=np.float32)
        train(net, Adam(0.003), x, t, 200, 100)
        found[depth] = net.accuracy(x_test, t_test)
    assert min(found.values()) > 0.95
    measured("2.95", ", ".join(f"{d} hidden: {value:.3f}" for d, value in found.items()))


def test_two_3x3_instead_of_one_5x5(measured):
    one, two = Sequential(conv(1, 1, 5)), Sequential(conv(1, 1, 3), conv(1, 1, 3))
    counts, views = [], []
    for net in (one, two):
        counts.append(sum(layer.W.size for layer in net))
        y = net.forward(np.ones((1, 1, 11, 11)))
        dout = np.zeros_like(y)
        dout[0, 0, y.shape[2] // 2, y.shape[3] // 2] = 1
        views.append(tuple(np.ptp(axis) + 1 for axis in np.nonzero(net.backward(dout)[0, 0])))
    assert counts == [25, 18] and views == [(5, 5), (5, 5)]
    measured("2.96", "25 against 18 weights, both see 5 x 5")


def test_where_the_time_goes(measured):
    np.random.seed(0)
    net = DeepConvNet()
    x, t = RNG.random((8, 1, 28, 28)).astype(np.float32), RNG.integers(0, 10, 8)
    report = profile(net, x, t, repeats=3)
    assert {row.kind for row in report.rows} >= {"Convolution", "Pooling", "Affine", "Dropout"}
    assert 0 < report.share("Convolution") < 1
    net_bytes = sum(row.bytes for row in report.rows)
    macs = sum(row.macs for row in report.rows if row.kind == "Convolution")
    share = macs / sum(row.macs for row in report.rows)
    assert share > 0.98
    measured(
        "2.98",
        f"DeepConvNet, batch 8: convolution {report.share('Convolution'):.0%} of the time, "
        f"{share:.1%} of the multiply-adds",
    )
    measured("2.103", f"DeepConvNet, batch 8: {net_bytes / 1e6:.1f} MB read and written forward")


def test_a_cpu_is_enough(measured):
    assert pynet.num_threads() >= 1
    layer = Affine(np.ones((3, 2)), np.zeros(2))
    assert type(layer.forward(np.ones((1, 3)))) is np.ndarray  # in the computer's own memory
    measured("2.100", "NVIDIA and AMD or not: everything here ran on a CPU")


def test_rounded_weights(measured):
    """64, 32 and 16 bits: only the weights and images are rounded."""
    (x, t), (x_test, t_test) = digits()
    np.random.seed(0)
    net = MultiLayerNet(64, [50], 10, dtype=F64)
    train(net, Adam(0.005), x, t, 200, 50)
    found = {64: net.accuracy(x_test, t_test)}
    weights = {key: param.copy() for key, param in net.params.items()}
    for bits, dtype in ((32, np.float32), (16, np.float16)):
        for key, value in weights.items():
            net.params[key] = value.astype(dtype)
        found[bits] = net.accuracy(x_test.astype(dtype), t_test)
    assert abs(found[32] - found[64]) < 0.003 and abs(found[16] - found[64]) < 0.005
    measured("2.104", ", ".join(f"{bits} bits {value:.4f}" for bits, value in found.items()))


def test_bias_and_variance(measured):
    high_bias = learning_curve([0.5, 0.6, 0.6], [0.5, 0.59, 0.6])
    high_variance = learning_curve([0.6, 0.9, 1.0], [0.6, 0.7, 0.7])
    assert (high_bias.verdict, high_variance.verdict) == ("under-fitting", "over-fitting")
    measured("2.108", f"0.60 and 0.60: {high_bias.verdict}; 1.00 and 0.70: {high_variance.verdict}")


def test_networks_of_ones_own_and_of_the_book(measured):
    net = Network([Affine.sized(5), Relu(), Affine.sized(3)], input_dim=(4,))
    x, t = RNG.random((6, 4)).astype(np.float32), RNG.integers(0, 3, 6)
    losses = train(net, Adam(0.05), x, t, 100, 6)
    assert losses[-1] < losses[0]
    measured("2.107", f"two layers from scratch: loss {losses[0]:.2f} to {losses[-1]:.2f}")
