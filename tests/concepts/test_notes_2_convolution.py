"""Concepts 2.69 to 2.87: convolution and pooling."""

from __future__ import annotations

import time

import numpy as np
import pytest
from digits_cases import F64, RNG, digits, train
from gradcheck import gradient_error, numerical_gradient

from pynet import ops
from pynet.layers import (
    Affine,
    AveragePooling,
    Convolution,
    Convolution1D,
    Flatten,
    Pooling,
    Relu,
)
from pynet.networks import Network, SimpleConvNet
from pynet.optimizers import Adam
from pynet.util import conv_output_size, im2col

X = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]], F64).reshape(1, 1, 4, 4)
FILTER = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]], F64).reshape(1, 1, 3, 3)


def small_conv_net(seed=0, dtype=np.float32):
    np.random.seed(seed)
    conv = {"filter_num": 8, "filter_size": 3, "pad": 1, "stride": 1}
    return SimpleConvNet((1, 8, 8), conv, 20, 10, weight_init_std=0.1, dtype=dtype)


def images(n=None):
    (x, t), (x_test, t_test) = digits()
    shape = (-1, 1, 8, 8)
    return (x[:n].reshape(shape), t[:n]), (x_test.reshape(shape), t_test)


def test_convolution_for_sound(measured):
    """One axis: a tone of period 4 among noise is found by a filter of one period."""
    n = np.arange(64)
    tone, noise = np.sin(n * np.pi / 2), RNG.standard_normal(64)
    W = np.sin(np.arange(4) * np.pi / 2).reshape(1, 1, 4)
    layer = Convolution1D(W, np.zeros(1))
    y = layer.forward(np.stack([tone, noise]).reshape(2, 1, 64))
    assert y.shape == (2, 1, 61)
    np.testing.assert_allclose(y[0, 0], np.correlate(tone, W[0, 0], "valid"), atol=1e-14)
    measured("2.69", f"(2, 1, 64) to {y.shape}")


def test_an_affine_layer_forgets_the_shape(measured):
    flattened = Flatten().forward(np.zeros((5, 1, 28, 28)))
    assert flattened.shape == (5, 784)
    rng = np.random.default_rng(1)
    x, order = rng.random((5, 784)), rng.permutation(784)
    W = rng.random((784, 3))
    shuffled = Affine(W[order], np.zeros(3)).forward(x[:, order])  # no pixel has neighbours
    np.testing.assert_allclose(shuffled, Affine(W, np.zeros(3)).forward(x), rtol=1e-12)
    measured("2.70", "(1, 28, 28) to 784; pixels in any order: the same")


def test_blocks_of_convolution_end_in_affine_layers(measured):
    deep = [layer for _ in range(4) for layer in (Affine.sized(20), Relu())]
    five = Network([*deep, Affine.sized(10)], input_dim=(784,))
    assert sum(row.description.params > 0 for row in five.summary().rows) == 5
    blocks = [
        layer
        for FN in (8, 16)
        for layer in (Convolution.sized(FN, 3, pad=1), Relu(), Pooling(2, 2))
    ]
    net = Network([*blocks, Affine.sized(30), Relu(), Affine.sized(10)], input_dim=(1, 28, 28))
    shapes = [row.description.out_shape[1:] for row in net.summary().rows]
    assert shapes[0] == (8, 28, 28) and shapes[5] == (16, 7, 7) and shapes[-1] == (10,)
    measured("2.71", "5 Affine layers; and 1x28x28, 8x14x14, 16x7x7, 30, 10")


def test_convolution_by_hand(measured):
    y = Convolution(FILTER, np.zeros(1)).forward(X)
    assert y[0, 0].tolist() == [[15, 16], [6, 15]]
    measured("2.72", "(4, 4) * (3, 3): [[15, 16], [6, 15]]")


def test_padding(measured):
    assert np.pad(X[0, 0], 1).shape == (6, 6)
    y = Convolution(FILTER, np.zeros(1), pad=1).forward(X)
    assert y.shape[2:] == (4, 4) and y[0, 0, 1:3, 1:3].tolist() == [[15, 16], [6, 15]]
    measured("2.73", "(4, 4) with pad 1 is (6, 6); with (3, 3) it gives (4, 4)")


def test_stride(measured):
    sizes = []
    for stride in (1, 2, 3):
        y = Convolution(FILTER, np.zeros(1), stride=stride).forward(np.ones((1, 1, 7, 7)))
        sizes.append(y.shape[2])
    assert sizes == [5, 3, 2]
    measured("2.74", "7 x 7 and 3 x 3: stride 1, 2, 3 give 5, 3, 2")


@pytest.mark.parametrize(
    ("H", "F", "S", "P", "size"),
    [(4, 3, 1, 0, 2), (4, 3, 1, 1, 4), (7, 3, 2, 0, 3), (28, 5, 1, 2, 28), (28, 31, 3, 14, 9)],
)
def test_output_size(H, F, S, P, size, measured):
    layer = Convolution(np.ones((1, 1, F, F), np.float32), np.zeros(1), stride=S, pad=P)
    assert layer.forward(np.ones((1, 1, H, H), np.float32)).shape[2] == size
    assert int(conv_output_size(H, F, S, P)) == size
    measured("2.75", f"({H} + 2*{P} - {F})/{S} + 1 = {size}")


def test_channels_must_agree(measured):
    for F in (3, 2, 1, 5):
        y = Convolution(np.ones((4, 3, F, F)), np.zeros(4)).forward(np.ones((2, 3, 6, 6)))
        assert y.shape == (2, 4, 7 - F, 7 - F) and (y == 3 * F * F).all()
    with pytest.raises(ValueError, match="expected .* channels"):
        Convolution(np.ones((4, 2, 3, 3)), np.zeros(4)).forward(np.ones((2, 3, 6, 6)))
    measured("2.76", "3 channels with filters of 3, 2, 1, 5; with 2 channels ValueError")


def test_max_and_average_pooling(measured):
    x = np.array([[1, 0, 1, 0], [1, 2, 2, 3], [0, 4, 1, 0], [2, 3, 2, 1]], F64).reshape(1, 1, 4, 4)
    largest = Pooling(2, 2, stride=2).forward(x)[0, 0].tolist()
    average = AveragePooling(2, 2, stride=2).forward(x)[0, 0].tolist()
    assert largest == [[2, 3], [4, 2]] and average == [[1, 1.5], [2.25, 1]]
    measured("2.77", str(largest))
    measured("2.78", str(average))


def test_pooling_has_three_properties(measured):
    layer = Pooling(4, 4, stride=4)
    described = layer.describe((1, 3, 12, 12))
    assert described.params == 0 and described.out_shape == (1, 3, 3, 3)
    blob = np.zeros((1, 1, 12, 12))
    blob[0, 0, 4:7, 4:7] = 1
    moved = np.roll(blob, 1, axis=3)
    pixels = int((blob != moved).sum())
    pooled = int((layer.forward(blob) != layer.forward(moved)).sum())
    assert (pixels, pooled) == (6, 0)
    measured("2.79", "0 parameters, 3 channels stay 3; a shift changes 6 pixels, 0 after pooling")


def naive(x, W):
    """The book's sum, with a loop for each of its seven indices."""
    N, C, H, _ = x.shape
    FN, _, F, _ = W.shape
    size = H - F + 1
    y = np.zeros((N, FN, size, size))
    for n in range(N):
        for f in range(FN):
            for i in range(size):
                for j in range(size):
                    for c in range(C):
                        for k in range(F):
                            for m in range(F):
                                y[n, f, i, j] += x[n, c, i + k, j + m] * W[f, c, k, m]
    return y


def test_nested_loops_are_slow(measured):
    x, W = RNG.random((1, 3, 12, 12)), RNG.random((4, 3, 3, 3))
    begin = time.perf_counter()
    slow = naive(x, W)
    middle = time.perf_counter()
    quick = ops.conv2d(x, W)
    end = time.perf_counter()
    np.testing.assert_allclose(quick, slow, rtol=1e-12)
    measured("2.80", f"the kernel is {(middle - begin) / (end - middle):,.0f} x as fast")


def test_im2col(measured):
    """With windows as rows a convolution is one matrix product."""
    x = RNG.random((10, 3, 5, 5))
    assert x.size == 750 and im2col(x, 5, 5).shape == (10, 75)
    x, W = RNG.random((10, 3, 7, 7)), RNG.random((4, 3, 5, 5))
    col = im2col(x, 5, 5)
    product = (col @ W.reshape(4, -1).T).reshape(10, 3, 3, 4).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(ops.conv2d(x, W), product, rtol=1e-12)
    measured("2.81", f"(10, 3, 5, 5), 750 elements, to (10, 75); (10, 3, 7, 7) to {col.shape}")


def test_im2col_needs_more_memory(measured):
    x = np.ones((1, 3, 28, 28), np.float32)
    col = im2col(x, 5, 5)
    assert col.nbytes / x.nbytes == 576 * 75 / (3 * 784)
    measured("2.82", f"{x.nbytes:,} bytes become {col.nbytes:,}: {col.nbytes / x.nbytes:.1f} x")


def test_large_products(measured):
    n = 512
    a, b = (RNG.standard_normal((n, n)).astype(np.float32) for _ in range(2))
    ops.gemm(a, b)
    begin = time.perf_counter()
    c = ops.gemm(a, b)
    seconds = time.perf_counter() - begin
    np.testing.assert_allclose(c, a @ b, atol=1e-3)
    measured("2.83", f"{2 * n**3 / seconds / 1e9:.0f} GFLOP/s at 512 x 512, pynet's own kernel")


def test_the_convolution_layers_signature_and_gradients(measured):
    x, W, b = RNG.random((2, 3, 6, 6)), RNG.random((4, 3, 3, 3)), RNG.random(4)
    layer = Convolution(W, b, 2, 1)  # W (FN, C, FH, FW), b, stride, pad
    assert layer.forward(x).shape == (2, 4, 3, 3)
    dout = RNG.random((2, 4, 3, 3))
    dx = layer.backward(dout)

    def f():
        return float((layer.forward(x) * dout).sum())

    pairs = ((dx, x), (layer.dW, W), (layer.db, b))
    error = max(gradient_error(grad, numerical_gradient(f, array)) for grad, array in pairs)
    assert error < 1e-7
    measured("2.84", f"W (4, 3, 3, 3), stride 2, pad 1; dx, dW, db off by at most {error:.0e}")


def test_the_pooling_layers_gradient(measured):
    x, dout = RNG.random((2, 3, 6, 6)), RNG.random((2, 3, 5, 5))
    layer = Pooling(2, 2, stride=1)  # windows overlap: gradients add up
    layer.forward(x)
    dx = layer.backward(dout)
    slope = numerical_gradient(lambda: float((layer.forward(x) * dout).sum()), x, 1e-6)
    error = gradient_error(dx, slope)
    assert error < 1e-7
    measured("2.85", f"off by {error:.0e}")


def test_a_small_convolutional_net_learns_digits(measured):
    (x, t), (x_test, t_test) = images()
    net = small_conv_net()
    train(net, Adam(0.005), x, t, 300, 64)
    accuracy = net.accuracy(x_test, t_test)
    assert accuracy > 0.93
    measured("2.86", f"digits, 300 steps: test accuracy {accuracy:.3f} (MNIST: docs/results.md)")


def test_backpropagation_through_a_whole_net(measured):
    (x, t), _ = images(3)
    np.random.seed(0)
    conv = {"filter_num": 3, "filter_size": 3, "pad": 0, "stride": 1}
    net = SimpleConvNet((1, 8, 8), conv, 6, 10, weight_init_std=0.3, dtype=F64)
    grads, numerical = net.gradient(x, t), net.numerical_gradient(x, t)
    error = max(gradient_error(grads[key], numerical[key]) for key in grads)
    assert error < 1e-6
    measured("0.24", f"convolution, ReLU, pooling, Affine, softmax: off by at most {error:.0e}")


def test_learned_filters_are_smoother_than_noise(measured):
    """Edges and blobs: neighbouring weights of a filter resemble each other after training."""
    (x, t), _ = images()
    x = np.pad(x.repeat(2, 2).repeat(2, 3), [(0, 0), (0, 0), (2, 2), (2, 2)])
    np.random.seed(0)
    conv = {"filter_num": 8, "filter_size": 5, "pad": 0, "stride": 1}
    net = SimpleConvNet((1, 20, 20), conv, 20, 10, weight_init_std=0.01)

    def roughness(W):
        return float(np.sqrt(np.mean(np.diff(W, axis=3) ** 2)) / W.std())

    before = roughness(net.params["W1"])
    train(net, Adam(0.003), x, t, 60, 50)
    after = roughness(net.params["W1"])
    assert abs(before - 2**0.5) < 0.2 and after < 0.85 * before
    measured("2.87", f"difference of neighbours over spread: {before:.2f}, then {after:.2f}")
