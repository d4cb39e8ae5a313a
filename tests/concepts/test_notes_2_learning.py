"""Concepts 2.23 to 2.46: losses, gradients, training, backpropagation."""

from __future__ import annotations

import time

import numpy as np
from digits_cases import F64, digits, flat, small_net
from gradcheck import gradient_error, numerical_gradient

from pynet import graph
from pynet.functions import cross_entropy_error, sigmoid, sum_squared_error
from pynet.gradient import gradient_descent
from pynet.gradient import numerical_gradient as book_gradient
from pynet.layers import (
    AddLayer,
    Affine,
    Dropout,
    IdentityWithLoss,
    MulLayer,
    Relu,
    Sequential,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
)
from pynet.networks import Network
from pynet.optimizers import SGD
from pynet.trainer import Trainer


def test_accuracy_is_no_training_target(measured):
    """32 of 100 stay 32 of 100 when a weight moves; the loss moves with it."""
    (x, t), _ = digits()
    x, t, net = x[:100], t[:100], small_net(std=0.3)
    net.params["b1"] = np.ones(30)  # no neuron is silent for all samples
    W = net.params["W2"]
    accuracy, loss = net.accuracy(x, t), net.loss(x, t)
    stays = moves = 0
    for index in np.ndindex(W.shape):
        W[index] += 1e-6
        stays += net.accuracy(x, t) == accuracy
        moves += net.loss(x, t) != loss
        W[index] -= 1e-6
    assert stays >= 0.99 * W.size and moves == W.size
    W += np.random.default_rng(0).normal(0, 0.01, W.shape)
    jumped = abs(net.accuracy(x, t) - accuracy) * 100
    np.testing.assert_allclose(jumped, round(jumped), atol=1e-9)  # whole images, never between
    measured(
        "2.23",
        f"{accuracy:.0%} stays {accuracy:.0%} for {stays} of {W.size} weights, all move the loss; "
        f"noise on all makes it {net.accuracy(x, t):.0%}, loss {loss:.5f} to {net.loss(x, t):.5f}",
    )


def test_half_the_squared_error(measured):
    y, t = np.array([0.1, 0.05, 0.6, 0.25]), np.array([0.0, 0.0, 1.0, 0.0])
    loss = sum_squared_error(y, t)
    np.testing.assert_allclose(loss, 0.5 * ((y - t) ** 2).sum(), rtol=1e-15)
    slope = numerical_gradient(lambda: sum_squared_error(y, t), y)
    error = gradient_error(y - t, slope)
    assert error < 1e-9
    measured("2.24", f"gradient y - t, off by {error:.0e}")


def test_cross_entropy_of_06_and_01(measured):
    values = [cross_entropy_error(np.array([p, 1 - p]), np.array([1, 0])) for p in (0.6, 0.1)]
    assert [f"{value:.2f}" for value in values] == ["0.51", "2.30"]
    measured("2.25", "-ln 0.6 = 0.51, -ln 0.1 = 2.30")


def test_a_mini_batch_is_100_of_60000(measured):
    x, t = np.zeros((60_000, 784), np.uint8), np.zeros((60_000, 10), np.uint8)
    chosen = np.random.choice(60_000, 100)
    assert x[chosen].shape == (100, 784) and t[chosen].shape == (100, 10)
    trainer = Trainer(small_net(), x, t, x[:1], t[:1], mini_batch_size=100, verbose=False)
    assert trainer.iter_per_epoch == 600
    measured("2.26", "(100, 784) and (100, 10) of 60,000; 600 batches an epoch")


def test_numerical_gradient_against_the_analytic_one(measured):
    x = np.array([3.0, 4.0])
    np.testing.assert_allclose(book_gradient(lambda x: np.sum(x**2), x), [6, 8], atol=1e-8)
    (x, t), _ = digits()
    net = small_net()
    numerical = net.numerical_gradient(x[:3], t[:3])
    error = max(np.abs(numerical[k] - g).max() for k, g in net.gradient(x[:3], t[:3]).items())
    assert error < 1e-7
    measured("2.27", f"(6, 8) at (3, 4); of a net's weights off by at most {error:.0e}")


def test_the_gradient_need_not_point_to_the_minimum(measured):
    x = gradient_descent(lambda x: np.sum(x**2), [-3.0, 4.0], lr=0.1, step_num=100)
    assert np.abs(x).max() < 1e-8
    start = np.array([-7.0, 2.0])
    down = -book_gradient(lambda x: x[0] ** 2 / 20 + x[1] ** 2, start)
    angle = np.degrees(np.arccos(down @ -start / np.linalg.norm(down) / np.linalg.norm(start)))
    assert angle > 45
    measured(
        "2.28",
        f"x0^2 + x1^2 from (-3, 4): {np.linalg.norm(x):.0e} after 100 steps; on x^2/20 + y^2 the "
        f"descent begins {angle:.0f} degrees off the minimum",
    )


def test_a_rate_too_large_and_one_too_small(measured):
    ends = {
        lr: np.linalg.norm(gradient_descent(lambda x: np.sum(x**2), [-3.0, 4.0], lr, 100))
        for lr in (10.0, 1e-10)
    }
    assert ends[10.0] > 1e10 and abs(ends[1e-10] - 5) < 1e-6
    measured("2.29", f"distance 5 becomes {ends[10.0]:.0e} at 10, {ends[1e-10]:.6f} at 1e-10")


def test_hyperparameters_are_apart_from_parameters(measured):
    (x, t), test = digits()
    optimizer = SGD(lr=0.05)
    assert "lr" in repr(optimizer) and "0.05" in repr(optimizer)
    trainer = Trainer(small_net(), x, t, *test, epochs=1, optimizer=optimizer, verbose=False)
    trainer.train()
    assert optimizer.lr == 0.05 and trainer.batch_size == 100  # training does not touch them
    assert set(trainer.network.params) == {"W1", "b1", "W2", "b2"}
    measured("2.30", f"{optimizer}, batch 100, 1 epoch; parameters W1, b1, W2, b2")


def test_training_in_four_steps(measured):
    (x, t), test = digits()
    trainer = Trainer(
        *(small_net(), x, t, *test),
        epochs=4,
        sampling="epoch",
        optimizer_param={"lr": 0.3},
        verbose=False,
    )
    trainer.train()
    assert len(trainer.train_loss_list) == 4 * 14
    assert len(trainer.train_acc_list) == len(trainer.test_acc_list) == 4
    assert trainer.train_loss_list[-1] < trainer.train_loss_list[0]
    measured("2.31", "4 epochs: a loss for each of 56 iterations, 4 pairs of accuracies")


def test_an_epoch_of_10000_is_100_batches(measured):
    x, t = np.zeros((10_000, 4), np.float32), np.zeros(10_000, int)
    trainer = Trainer(small_net(), x, t, x[:1], t[:1], epochs=1, verbose=False)
    assert trainer.iter_per_epoch == trainer.max_iter == 100
    measured("2.32", "10,000 samples, batch 100: 100 iterations")


def test_backpropagation_is_quicker_than_differences(measured):
    (x, t), _ = digits()
    net = small_net()
    begin = time.perf_counter()
    numerical = net.numerical_gradient(x[:10], t[:10])
    middle = time.perf_counter()
    grads = net.gradient(x[:10], t[:10])
    end = time.perf_counter()
    np.testing.assert_allclose(flat(grads), flat(numerical), atol=1e-7)
    ratio = (middle - begin) / (end - middle)
    measured("2.33", f"{flat(grads).size:,} weights: {ratio:,.0f} x as fast, the same numbers")


def test_a_graph_is_drawn(measured):
    apple, number, tax = graph.Number(100, "apple"), graph.Number(2, "number"), graph.Number(1.1)
    price = apple * number * tax
    price.backward()
    drawing = graph.of(price)
    svg, dot = drawing.to_svg(), drawing.to_dot()
    assert svg.startswith("<svg") and dot.startswith("digraph")
    for text in ("apple", "100", "200", "220", "2.2", "110"):
        assert text in svg and text in dot, text
    measured("2.34", "apples: 220 forward, 2.2, 110 and 200 backward on the edges, SVG and DOT")


def test_layers_keep_what_backward_needs(measured):
    relu, affine, mul = Relu(), Affine(np.ones((2, 2)), np.zeros(2)), MulLayer()
    x = np.array([[1.0, -1.0]])
    affine.forward(relu.forward(x))
    mul.forward(3, 4)
    assert relu.mask.tolist() == [[False, True]]
    assert affine.x.tolist() == [[1, 0]] and (mul.x, mul.y) == (3, 4)
    measured("2.35", "Relu: mask; Affine: x; MulLayer: x, y")


def test_two_apples(measured):
    first, second = MulLayer(), MulLayer()
    price = second.forward(first.forward(100, 2), 1.1)
    dprice, dtax = second.backward(1)
    dapple, dnumber = first.backward(dprice)
    np.testing.assert_allclose([price, dapple, dnumber, dtax], [220, 2.2, 110, 200], rtol=1e-14)
    measured("2.36", f"{price:.0f}; {dapple:.1f}, {dnumber:.0f}, {dtax:.0f}")


def test_chain_rule_of_a_square_of_a_sum(measured):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(5), rng.standard_normal(5)
    add, square = AddLayer(), MulLayer()
    t = add.forward(x, y)
    square.forward(t, t)
    dx, dy = add.backward(sum(square.backward(np.ones(5))))
    np.testing.assert_allclose(dx, 2 * (x + y), rtol=1e-15)
    error = gradient_error(dy, numerical_gradient(lambda: float(((x + y) ** 2).sum()), y))
    assert error < 1e-9
    measured("2.37", f"2 (x + y), off by {error:.0e}")


def test_add_and_multiply_nodes(measured):
    add, mul = AddLayer(), MulLayer()
    assert add.forward(10, 5) == 15 and add.backward(1.3) == (1.3, 1.3)
    assert mul.forward(10, 5) == 50 and mul.backward(1.3) == (6.5, 13.0)
    measured("2.38", "1.3 becomes 1.3 and 1.3")
    measured("2.39", "inputs 10 and 5: 1.3 becomes 6.5 and 13")


def test_apples_and_oranges(measured):
    apples, oranges, both, tax = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    price = tax.forward(both.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)
    dboth, dtax = tax.backward(1)
    dapples, doranges = both.backward(dboth)
    grads = [*apples.backward(dapples), *oranges.backward(doranges), dtax]
    np.testing.assert_allclose([price, *grads], [715, 2.2, 110, 3.3, 165, 650], rtol=1e-14)
    measured("2.40", f"{price:.0f}; 2.2, 110, 3.3, 165, 650")


def test_softmax_with_loss_gives_y_minus_t(measured):
    layer = SoftmaxWithLoss()
    layer.forward(np.log([[0.3, 0.2, 0.5]]), np.array([[0, 1, 0]]))
    np.testing.assert_allclose(layer.backward(), [[0.3, -0.8, 0.5]], rtol=1e-14)
    measured("2.41", "(0.3, 0.2, 0.5) and (0, 1, 0): (0.3, -0.8, 0.5)")


def test_identity_with_squared_error_gives_y_minus_t(measured):
    layer = IdentityWithLoss()
    loss = layer.forward(np.array([[0.3, 0.2, 0.5]]), np.array([[0, 1, 0]]))
    np.testing.assert_allclose(loss, 0.5 * (0.09 + 0.64 + 0.25))
    np.testing.assert_allclose(layer.backward(), [[0.3, -0.8, 0.5]], rtol=1e-15)
    measured("2.42", "(0.3, -0.8, 0.5) again")


def test_relu_layer_is_a_switch(measured):
    x, dout = np.array([[1.0, -0.5], [-2.0, 0.0]]), np.full((2, 2), 7.0)
    layer = Relu()
    layer.forward(x)
    assert layer.mask.tolist() == [[False, True], [True, True]]
    assert layer.backward(dout).tolist() == [[7, 0], [0, 0]] and (dout == 7).all()
    measured("2.43", "0 where x <= 0; dout stays as it was")


def test_sigmoid_layer(measured):
    x = np.random.default_rng(0).standard_normal((4, 5))
    layer = Sigmoid()
    y = layer.forward(x)
    dx = layer.backward(np.ones_like(x))
    np.testing.assert_allclose(dx, y * (1 - y), rtol=1e-14)
    error = gradient_error(dx, numerical_gradient(lambda: float(sigmoid(x).sum()), x))
    assert error < 1e-9
    measured("2.44", f"y (1 - y), off by {error:.0e}")


def test_affine_layer_on_a_batch(measured):
    rng = np.random.default_rng(0)
    x, W, b = (rng.standard_normal(shape) for shape in ((6, 4), (4, 3), (3,)))
    dout = rng.standard_normal((6, 3))
    layer = Affine(W, b)
    np.testing.assert_allclose(layer.forward(x), x @ W + b, rtol=1e-13)
    dx = layer.backward(dout)

    def f():
        return float((layer.forward(x) * dout).sum())

    pairs = ((dx, x), (layer.dW, W), (layer.db, b))
    error = max(gradient_error(grad, numerical_gradient(f, array)) for grad, array in pairs)
    assert error < 1e-9
    np.testing.assert_allclose(layer.db, dout.sum(axis=0), rtol=1e-13)
    measured("2.45", f"dx, dW, db off by at most {error:.0e}")


def test_layers_compose_in_any_order(measured):
    rng = np.random.default_rng(0)
    kinds = [Relu, Sigmoid, Tanh, lambda: Dropout(0.2), lambda: Affine.sized(7)]
    x = rng.standard_normal((5, 6))
    for _ in range(10):
        layers = [kinds[i]() for i in rng.integers(0, len(kinds), 6)]
        net = Network(Sequential(*layers, Affine.sized(3)), input_dim=(6,), dtype=F64)
        assert net.predict(x).shape == (5, 3)
        assert np.isfinite(flat(net.gradient(x, np.array([0, 1, 2, 0, 1])))).all()
    measured("2.46", "10 random stacks of 6 layers run forward and backward")
