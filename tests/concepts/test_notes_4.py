"""Concepts 4.1 to 4.34: activations, over-fitting, initial values, normalisation."""

from __future__ import annotations

import numpy as np
import pytest
from digits_cases import F64, RNG, deep_net, digits, flat, small_net, train
from gradcheck import gradient_error, numerical_gradient

import pynet
from pynet import initializers
from pynet.diagnosis import chain_rule, diagnose, learning_curve
from pynet.functions import sigmoid_grad, softmax, sum_squared_error
from pynet.layers import (
    Affine,
    BatchNormalization,
    Dropout,
    IdentityWithLoss,
    MulLayer,
    Relu,
    Residual,
    Sigmoid,
    SigmoidWithLoss,
    SoftmaxWithLoss,
    Tanh,
)
from pynet.networks import MultiLayerNet, Network
from pynet.optimizers import SGD, Adam, ClipNorm
from pynet.perceptron import with_ones


def test_a_model_is_a_family_of_functions(measured):
    """One structure, as many functions as there are parameters to choose."""
    net, x = small_net(), RNG.standard_normal((3, 64))
    first = net.predict(x)
    saved = {key: param.copy() for key, param in net.params.items()}
    net.params["W2"] *= 2
    assert np.abs(net.predict(x) - first).max() > 0.01
    for key, value in saved.items():
        net.params[key] = value
    np.testing.assert_array_equal(net.predict(x), first)
    measured("4.3", "other parameters, another function; the same ones, the same bits")


def test_bias_as_a_weight_of_ones(measured):
    x, W, b = RNG.random((4, 3)), RNG.random((3, 2)), RNG.random(2)
    merged = with_ones(x) @ np.vstack([b, W])
    error = np.abs(merged - Affine(W, b).forward(x)).max()
    assert error < 1e-15
    measured("4.4", f"[1, x] [b; W] against x W + b: {error:.0e} apart")


def test_columns_of_w_are_outputs(measured):
    assert Affine(np.ones((3, 2)), np.zeros(2)).forward(np.ones((5, 3))).shape == (5, 2)
    for x, W, b in (((5, 4), (3, 2), 2), ((5, 3), (3, 2), 3)):
        with pytest.raises(ValueError, match="expected"):
            Affine(np.ones(W), np.zeros(b)).forward(np.ones(x))
    measured("4.5", "(5, 3) (3, 2) is (5, 2); other shapes: ValueError says which")


def test_a_loss_and_its_descent(measured):
    (x, t), _ = digits()
    net = small_net()
    losses = []
    for _ in range(30):
        grads = net.gradient(x[:100], t[:100])
        losses.append(net.last_loss)
        for key in net.params:
            net.params[key] -= 0.05 * grads[key]
    assert np.all(np.diff(losses) < 0)
    measured("4.6", f"30 steps, each lower: {losses[0]:.3f} to {losses[-1]:.3f}")


def test_forward_keeps_all_values(measured):
    net, x = small_net(), RNG.standard_normal((4, 64))
    scores = net.predict(x)
    first, relu, second = net.layers.values()
    np.testing.assert_array_equal(first.x, x)
    np.testing.assert_array_equal(relu.mask, first.forward(x) <= 0)
    np.testing.assert_allclose(second.forward(second.x), scores)
    measured("4.7", "x, mask and x of the three layers after one pass")


@pytest.mark.parametrize("layers", [3, 4])
def test_the_chain_rule_factor_by_factor(layers, measured):
    np.random.seed(0)
    hidden = [layer for _ in range(layers - 1) for layer in (Affine.sized(3), Sigmoid())]
    net = Network([*hidden, Affine.sized(2)], IdentityWithLoss(), input_dim=(2,), dtype=F64)
    x, t = RNG.standard_normal((1, 2)), RNG.standard_normal((1, 2))
    traced = chain_rule(net, x, t, "W1", (0, 1))
    W1, difference = net.params["W1"], []
    for step in (1e-6, -1e-6):
        W1[0, 1] += step
        difference.append(net.loss(x, t))
        W1[0, 1] -= step
    slope = (difference[0] - difference[1]) / 2e-6
    np.testing.assert_allclose(traced.gradient, slope, rtol=1e-5)
    np.testing.assert_allclose(traced.gradient, traced.backpropagation, rtol=1e-12)
    measured("4.8", f"{layers} layers: {len(traced.factors)} factors, dL/dW1 {traced.gradient:.4g}")


def test_paths_that_join_add_their_gradients(measured):
    mul = MulLayer()
    mul.forward(3.0, 3.0)  # x * x
    assert sum(mul.backward(1)) == 6
    x, W = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 3))
    block = Residual(Affine(W, np.zeros(3)))
    block.forward(x)
    np.testing.assert_allclose(block.backward(np.ones((2, 3))), np.ones((2, 3)) @ W.T + 1)
    measured("4.9", "x * x at 3: 3 + 3; a shortcut adds 1 to W^T")


def test_another_activation_another_derivative(measured):
    x = np.array([-1.5, 0.5, 2.0])
    slopes = {}
    for layer, formula in (
        (Sigmoid(), sigmoid_grad(x)),
        (Tanh(), 1 - np.tanh(x) ** 2),
        (Relu(), (x > 0) * 1.0),
    ):
        layer.forward(x)
        dx = layer.backward(np.ones(3))
        np.testing.assert_allclose(dx, formula, rtol=1e-12)
        slopes[type(layer).__name__] = dx[1]
    measured("4.10", ", ".join(f"{name} {slope:.3f}" for name, slope in slopes.items()) + " at 0.5")


def test_too_small_and_too_large_a_net(measured):
    (x, t), (x_test, t_test) = digits()
    x, t = x[:150], t[:150]
    texts = []
    for hidden, verdict in ((2, "under-fitting"), (200, "over-fitting")):
        np.random.seed(0)
        net = MultiLayerNet(64, [hidden], 10)
        curves = ([], [])
        for epoch in range(10):
            train(net, Adam(0.003), x, t, 20, 50, epoch)
            curves[0].append(net.accuracy(x, t))
            curves[1].append(net.accuracy(x_test, t_test))
        report = learning_curve(*curves, target=0.95, gap=0.05)
        assert report.verdict in (verdict, "both") and (hidden > 2) == (report.train > 0.95)
        texts.append(f"{hidden} hidden: {report.train:.2f} and {report.validation:.2f}")
    measured("4.11", f"training and test, {', '.join(texts)}")


def test_dead_units_are_counted(measured):
    (x, t), _ = digits()
    net = small_net()
    net.params["b1"][:12] = -100.0
    report = diagnose(net, x[:200], t[:200])
    relu = next(row for row in report.rows if row.name.startswith("Relu"))
    assert 12 / 30 <= relu.dead < 0.6
    assert any("dead" in finding for finding in report.findings)
    grads = net.gradient(x, t)
    assert not grads["W1"][:, :12].any()  # and so they stay
    measured("4.12", f"12 of 30 pushed below 0: {relu.dead:.0%} dead")


def test_dead_units_stay_dropped_units_change(measured):
    (x, _), _ = digits()
    net = small_net()
    net.params["b1"][:12] = -100.0
    relu = net.layers["Relu1"]
    silent = []
    for i in (0, 100):
        net.predict(x[i : i + 100])
        silent.append(relu.mask.all(axis=0))
    assert (silent[0] & silent[1])[:12].all()
    pynet.seed(0)
    dropout = Dropout(0.4)
    masks = [dropout.forward(np.ones((1, 1000)), True) == 0 for _ in range(2)]
    both = float((masks[0] & masks[1]).mean())
    assert abs(both - 0.16) < 0.04  # 0.4 * 0.4: chosen anew each time
    measured("4.13", f"silent twice: all 12 dead ones; {both:.2f} of dropout's with ratio 0.4")


def test_dropout_on_the_inputs(measured):
    pynet.seed(0)
    (x, t), (x_test, t_test) = digits()
    np.random.seed(0)
    net = Network([Dropout(0.2), Affine.sized(40), Relu(), Affine.sized(10)], input_dim=(64,))
    train(net, Adam(0.005), x, t, 200, 100)
    accuracy = net.accuracy(x_test, t_test)
    assert accuracy > 0.9
    rate = 1 - (net.layers[0].forward(np.ones((100, 1000)), True) != 0).mean()
    assert abs(rate - 0.2) < 0.01
    measured("4.15", f"{rate:.3f} of the inputs silent, {1 - rate:.3f} left; test {accuracy:.3f}")


def test_in_use_the_output_is_scaled(measured):
    pynet.seed(0)
    x, W = np.ones((2000, 50)), RNG.random((50, 1))
    layer = Dropout(0.25)
    trained = (layer.forward(x, True) @ W).mean()
    unscaled, scaled = (x @ W).mean(), (layer.forward(x, False) @ W).mean()
    np.testing.assert_allclose(unscaled / scaled, 1 / (1 - 0.25))
    assert abs(trained / scaled - 1) < 0.01
    measured(
        "4.16", f"unscaled {unscaled / trained:.3f} x training, scaled {scaled / trained:.3f} x"
    )


def test_slopes_of_sigmoid_multiply_to_nothing(measured):
    slopes = sigmoid_grad(np.linspace(-10, 10, 2001))
    assert slopes.max() == 0.25 and slopes.min() > 0
    (x, t), _ = digits()
    report = diagnose(deep_net("sigmoid", 6, "xavier"), x[:100], t[:100])
    norms = [row.grad_norm for row in report.rows if row.name.startswith("Affine")]
    assert np.all(np.diff(norms) > 0)  # the front layers learn slowest
    texts = ", ".join(f"{norm:.1g}" for norm in norms)
    measured("4.18", f"slope {slopes.max()} at most; norm of dW by layer {texts}")


def test_exploding_gradients_and_clipping(measured):
    (x, t), _ = digits()
    net = deep_net("relu", 10, 1.0)
    report = diagnose(net, x[:100], t[:100])
    assert any("exploding" in finding for finding in report.findings)
    grads = net.gradient(x[:100], t[:100])
    before = float(np.linalg.norm(flat(grads)))
    weights = flat(net.params)
    optimizer = SGD(lr=1.0)
    optimizer.add_hook(ClipNorm(5.0))
    optimizer.update(net.params, grads)
    length = float(np.linalg.norm(flat(net.params) - weights))
    np.testing.assert_allclose(length, 5.0, rtol=1e-3)
    measured("4.19", f"norm {before:.0e} clipped to {length:.2f}")


def test_remedies_against_vanishing(measured):
    (x, t), _ = digits()
    found = {}
    for name, activation, std in (("sigmoid", "sigmoid", "xavier"), ("ReLU", "relu", "he")):
        report = diagnose(deep_net(activation, 6, std), x[:100], t[:100])
        norms = [row.grad_norm for row in report.rows if row.name.startswith("Affine")]
        found[name] = norms[0] / norms[-1]
    np.random.seed(0)
    mixed = [layer for kind in (Relu, Tanh) * 3 for layer in (Affine.sized(50), kind())]
    report = diagnose(Network([*mixed, Affine.sized(10)], input_dim=(64,)), x[:100], t[:100])
    norms = [row.grad_norm for row in report.rows if row.name.startswith("Affine")]
    found["ReLU and tanh mixed"] = norms[0] / norms[-1]
    assert min(found["ReLU"], found["ReLU and tanh mixed"]) > 100 * found["sigmoid"]
    texts = [f"{name} {value:.2g}" for name, value in found.items()]
    measured("4.20", f"norm of the first dW over the last: {', '.join(texts)}")


def test_weights_too_far_and_too_near(measured):
    (x, t), _ = digits()
    texts = []
    for std in (3.0, 1e-3):
        report = diagnose(deep_net("sigmoid", 3, std), x[:200], t[:200])
        last = list(report.outputs.values())[-2]
        ends = float(np.mean((last < 0.05) | (last > 0.95)))
        spread = float(last.std(axis=0).mean())
        assert ends > 0.7 if std == 3.0 else (ends == 0 and spread < 1e-3)
        texts.append(f"std {std:g}: {ends:.0%} at 0 or 1, spread {spread:.2g}")
    measured("4.22", "; ".join(texts))


def test_normal_weights_of_any_spread(measured):
    np.random.seed(0)
    for std in (0.01, 0.5, 1.0):
        W = initializers.normal((300, 300), std, F64)
        assert abs(W.mean()) < 0.02 * std and abs(W.std() / std - 1) < 0.01
    net = MultiLayerNet(64, [100], 10, weight_init_std=0.5)
    assert abs(net.params["W1"].std() - 0.5) < 0.02
    measured("4.23", "std 0.01, 0.5, 1: mean 0, spread as asked")


def test_he_of_dense_and_convolutional_weights(measured):
    np.random.seed(0)
    dense = initializers.he((200, 300), F64).std()
    conv = initializers.he((64, 32, 5, 5), F64).std()
    np.testing.assert_allclose([dense, conv], [(2 / 200) ** 0.5, (2 / 800) ** 0.5], rtol=0.02)
    measured("4.27", f"std {dense:.4f} for n = 200, {conv:.4f} for 5*5*32 = 800")


def normed(place, seed=0):
    """A net with batch normalisation before or after its activations."""
    np.random.seed(seed)
    layers = []
    for _ in range(3):
        pair = [BatchNormalization.sized(), Relu()]
        layers += [Affine.sized(40), *(pair if place == "before" else pair[::-1])]
    return Network([*layers, Affine.sized(10)], input_dim=(64,))


def test_batch_norm_before_or_after_the_activation(measured):
    (x, t), (x_test, t_test) = digits()
    found = {}
    for place in ("before", "after"):
        net = normed(place)
        train(net, SGD(0.5), x, t, 100, 100)
        found[place] = net.accuracy(x_test, t_test)
    assert min(found.values()) > 0.9
    measured("4.29", f"test accuracy {found['before']:.3f} before, {found['after']:.3f} after ReLU")


def test_batch_norm_allows_higher_rates(measured):
    (x, t), _ = digits()
    found = {}
    for rate in (0.1, 3.0):
        plain, with_norm = deep_net("relu", 3, "he", dtype=np.float32), normed("before")
        for name, net in (("plain", plain), ("normed", with_norm)):
            with np.errstate(all="ignore"):
                train(net, SGD(rate), x, t, 100, 100)
                found[name, rate] = net.accuracy(x, t)
    assert found["normed", 3.0] > 0.9 and found["plain", 3.0] < 0.5 < found["plain", 0.1]
    measured(
        "4.28",
        f"rate 3: accuracy {found['normed', 3.0]:.2f} with, {found['plain', 3.0]:.2f} without",
    )


def test_gamma_1_and_beta_0_at_first(measured):
    layer = BatchNormalization.sized()
    layer.build((1, 5))
    assert layer.gamma.tolist() == [1] * 5 and layer.beta.tolist() == [0] * 5
    measured("4.30", "gamma 1, beta 0")


def test_batch_norm_backward(measured):
    x, dout = RNG.standard_normal((8, 4)), RNG.standard_normal((8, 4))
    layer = BatchNormalization(RNG.random(4) + 0.5, RNG.random(4))
    layer.forward(x, True)
    dx = layer.backward(dout)
    pairs = ((dx, x), (layer.dgamma, layer.gamma), (layer.dbeta, layer.beta))

    def f():
        return float((layer.forward(x, True) * dout).sum())

    error = max(gradient_error(grad.copy(), numerical_gradient(f, array)) for grad, array in pairs)
    assert error < 1e-7
    measured("4.31", f"dx, dgamma, dbeta off by at most {error:.0e}")


def test_fused_losses_of_large_scores(measured):
    scores = np.array([[1e4, -1e4, 0.0]])
    for layer, t in (
        (SoftmaxWithLoss(), np.array([1])),
        (SigmoidWithLoss(), np.array([[0.0, 1.0, 1.0]])),
    ):
        loss = layer.forward(scores, t)
        assert np.isfinite(loss) and np.isfinite(layer.backward()).all() and loss > 1e4
    measured("4.32", f"scores of 10,000: loss {loss:,.1f}, gradients finite")


def test_softmax_subtracts_the_maximum(measured):
    y = softmax(np.array([1010.0, 1000.0, 990.0]))
    assert np.isfinite(y).all() and abs(y.sum() - 1) < 1e-15
    np.testing.assert_allclose(y, np.exp([0, -10, -20]) / np.exp([0, -10, -20]).sum(), rtol=1e-12)
    low = softmax(np.array([-1000.0, -1001.0]))  # no 0 / 0 either
    np.testing.assert_allclose(low.sum(), 1)
    measured("4.33", f"softmax(1010, 1000, 990) = ({y[0]:.5f}, {y[1]:.1e}, {y[2]:.1e})")


def test_backpropagation_of_the_squared_error(measured):
    x, t = RNG.standard_normal((1, 4)), RNG.standard_normal((1, 2))
    W = RNG.standard_normal((4, 2))
    net = Network([Affine(W, np.zeros(2))], IdentityWithLoss(), input_dim=(4,), dtype=F64)
    by_hand = x.T @ (x @ W - t)
    np.testing.assert_allclose(net.gradient(x, t)["W1"], by_hand, rtol=1e-12)
    np.testing.assert_allclose(net.loss(x, t), sum_squared_error(x @ W, t), rtol=1e-12)
    measured("4.34", "dW = x^T (y - t)")
