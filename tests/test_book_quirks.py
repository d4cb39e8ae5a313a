"""What a script written for the book relies on, often without knowing it.

The networks' and the trainer's share of it is tested with them.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from gradcheck import gradient_error

from pynet.functions import softmax
from pynet.gradient import numerical_gradient
from pynet.layers import (
    Affine,
    BatchNormalization,
    Convolution,
    Dropout,
    Relu,
    SoftmaxWithLoss,
)
from pynet.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop


class TwoLayerNet:
    """A net as chapter 5 writes it: params by name, layers that share their arrays."""

    def __init__(self, dtype=np.float64):
        rng = np.random.default_rng(0)
        self.params = {
            "W1": rng.standard_normal((6, 8)).astype(dtype),
            "b1": np.zeros(8, dtype),
            "W2": rng.standard_normal((8, 3)).astype(dtype),
            "b2": np.zeros(3, dtype),
        }
        self.layers = OrderedDict()
        self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
        self.layers["Relu1"] = Relu()
        self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x), t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last_layer.backward(1)
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)
        first, second = self.layers["Affine1"], self.layers["Affine2"]
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}


def batch(dtype=np.float64):
    rng = np.random.default_rng(1)
    return rng.standard_normal((9, 6)).astype(dtype), rng.integers(0, 3, 9)


# 1
@pytest.mark.parametrize("optimizer", [SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam])
def test_optimizers_train_the_layers_through_the_shared_arrays(optimizer):
    net, (x, t) = TwoLayerNet(), batch()
    before = net.loss(x, t)
    step = optimizer(lr=0.01)
    for _ in range(50):
        step.update(net.params, net.gradient(x, t))
    assert net.loss(x, t) < 0.7 * before
    assert net.layers["Affine1"].W is net.params["W1"]


def test_numerical_gradients_poke_single_elements_that_the_layers_see():
    net, (x, t) = TwoLayerNet(), batch()
    grads = net.gradient(x, t)
    for key, param in net.params.items():
        numerical = numerical_gradient(lambda _: net.loss(x, t), param)
        assert gradient_error(grads[key], numerical) < 1e-6


def test_assigning_through_the_array_reaches_the_layers():
    net, (x, t) = TwoLayerNet(), batch()
    half = TwoLayerNet()
    for key, param in half.params.items():
        param[...] = param.astype(np.float16)
        net.params[key] -= net.params[key] - half.params[key]
    assert net.loss(x, t) == half.loss(x, t)


# 2
def test_weights_may_be_replaced():
    net, other, (x, t) = TwoLayerNet(), TwoLayerNet(), batch()
    for layer in (other.layers["Affine1"], other.layers["Affine2"]):
        layer.W = layer.W * 2
        layer.b = layer.b + 1
    for key, param in net.params.items():
        param[...] = param * 2 if key[0] == "W" else param + 1
    assert net.loss(x, t) == other.loss(x, t)


# 3
def test_float64_in_means_float64_arithmetic():
    net, (x, t) = TwoLayerNet(), batch()
    assert net.predict(x).dtype == np.float64
    assert {g.dtype for g in net.gradient(x, t).values()} == {np.dtype(np.float64)}
    thin = TwoLayerNet(np.float32)
    assert thin.predict(x.astype(np.float32)).dtype == np.float32
    assert abs(net.predict(x) - thin.predict(x.astype(np.float32))).max() > 1e-9


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_images_of_other_types(dtype):
    net = TwoLayerNet(np.float32)
    x = np.random.default_rng(1).integers(0, 255, (9, 6)).astype(dtype)
    want = TwoLayerNet().predict(x.astype(np.float64))
    np.testing.assert_allclose(net.predict(x), want, rtol=1e-4, atol=1e-2)


# 4
def test_transposed_and_sliced_arrays():
    x, W = np.random.default_rng(0).standard_normal((2, 6, 6))
    layer = Affine(W.T, W[::2, 0].repeat(2))
    np.testing.assert_allclose(layer.forward(x.T), x.T @ W.T + W[::2, 0].repeat(2), rtol=1e-12)
    image = np.random.default_rng(1).standard_normal((1, 5, 5, 2)).transpose(0, 3, 1, 2)
    kernel = np.random.default_rng(2).standard_normal((3, 3, 2, 1)).transpose(3, 2, 0, 1)
    y = Convolution(kernel, np.zeros(1)).forward(image)
    want = Convolution(kernel.copy(), np.zeros(1)).forward(image.copy())
    np.testing.assert_array_equal(y, want)


# 5
def test_convolution_with_the_number_0_as_bias():
    image = np.random.default_rng(0).random((1, 1, 8, 8)).astype(np.float32)
    kernel = np.random.default_rng(1).standard_normal((1, 1, 5, 5))
    y = Convolution(kernel, 0).forward(image)
    assert y.shape == (1, 1, 4, 4) and y.dtype == np.float64


# 6
def test_optimizers_take_dicts_of_plain_numbers():
    params, grads = {"x": -7.0, "y": 2.0}, {"x": 0.0, "y": 0.0}
    optimizer = Momentum(lr=0.1)
    path = []
    for _ in range(30):
        path.append((params["x"], params["y"]))
        grads["x"], grads["y"] = params["x"] / 10.0, 2.0 * params["y"]
        optimizer.update(params, grads)
    x, y = path[0]
    vx = vy = 0.0
    for point in path:
        assert point == pytest.approx((x, y), rel=1e-12)
        vx, vy = 0.9 * vx - 0.1 * (x / 10.0), 0.9 * vy - 0.1 * (2.0 * y)
        x, y = x + vx, y + vy


# 7
def test_labels():
    net, (x, t) = TwoLayerNet(), batch()
    loss = net.loss(x, t)
    for labels in (t.astype(np.uint8), t.astype(np.int64), np.eye(3)[t]):
        assert net.loss(x, labels) == pytest.approx(loss, rel=1e-14)
    assert net.loss(x[:1], np.array([[1]])) == net.loss(x[:1], np.array([1]))
    assert net.last_layer.backward().shape == (1, 3)
    with pytest.raises(ValueError):
        net.loss(x, t.reshape(9, 1))
    with pytest.raises(IndexError):
        net.loss(x, t + 1)


def test_a_single_sample_is_a_batch_of_one():
    layer = SoftmaxWithLoss()
    x, t = np.array([0.3, 2.9, 4.0]), np.array([0, 0, 1])
    assert layer.forward(x, t) == pytest.approx(-np.log(softmax(x)[2]), rel=1e-12)
    # the book divides by the number of classes here
    np.testing.assert_allclose(layer.backward(), softmax(x) - t, rtol=1e-12)


# 8
def test_the_mean_over_the_batch_is_in_the_loss_and_only_there():
    net, (x, t) = TwoLayerNet(), batch()
    net.loss(x, t)
    d = net.last_layer.backward()
    np.testing.assert_allclose(d, (softmax(net.predict(x)) - np.eye(3)[t]) / 9, atol=1e-15)
    affine = net.layers["Affine2"]
    affine.backward(d)
    np.testing.assert_allclose(affine.db, d.sum(axis=0), rtol=1e-12)


# 9
def test_affine_gives_dx_back_in_four_dimensions():
    layer = Affine(np.ones((12, 2)), np.zeros(2))
    assert layer.forward(np.ones((5, 3, 2, 2))).shape == (5, 2)
    assert layer.backward(np.ones((5, 2))).shape == (5, 3, 2, 2)


# 10
def test_dropout_is_not_inverted_and_takes_the_flag_second():
    layer, x = Dropout(0.2), np.ones((50, 50))
    assert set(np.unique(layer.forward(x, True))) == {0.0, 1.0}
    np.testing.assert_array_equal(layer.forward(x, train_flg=False), 0.8)
    np.testing.assert_array_equal(layer.forward(x, False), 0.8)


# 11
def test_batch_normalization_starts_from_a_running_variance_of_0():
    layer = BatchNormalization(np.ones(2), np.zeros(2))
    x = np.array([[1.0, -2.0], [3.0, 4.0]])
    np.testing.assert_allclose(layer.forward(x, train_flg=False), 1000 * x)
    layer.forward(x)
    np.testing.assert_allclose(layer.running_var, 0.1 * x.var(axis=0))


# 14
def test_star_imports_bring_what_the_books_do():
    scope: dict = {}
    exec("from pynet.layers import *", scope)
    assert scope["np"] is np
    names = "Relu Sigmoid Affine SoftmaxWithLoss Dropout BatchNormalization Convolution Pooling"
    names += " softmax cross_entropy_error sigmoid relu step_function im2col col2im"
    assert set(names.split()) <= scope.keys()


# 16
def test_relu_leaves_dout_alone_where_a_value_goes_two_ways():
    relu, x = Relu(), np.array([-1.0, 1.0])
    relu.forward(x)
    dout = np.array([5.0, 7.0])
    dx = relu.backward(dout) + dout
    assert dout.tolist() == [5, 7] and dx.tolist() == [5, 14]


# 17
def test_a_batch_of_one_tells_nothing_about_batch_normalization():
    def net(N):
        norm = BatchNormalization(np.array([0.5, -2.0, 1.5]), np.array([1.0, 0.0, -1.0]))
        x = np.random.default_rng(0).standard_normal((N, 3))
        weights = np.random.default_rng(1).standard_normal((N, 3))
        norm.forward(x)
        dx = norm.backward(weights)
        numerical = numerical_gradient(lambda _: (weights * norm.forward(x)).sum(), norm.gamma)
        return dx, norm.dgamma, numerical

    dx, dgamma, _ = net(1)
    assert not dx.any() and not dgamma.any(), "xn is 0"
    dx, dgamma, numerical = net(8)
    assert gradient_error(dgamma, numerical) < 1e-9 and abs(dgamma).min() > 0.01
