"""Concepts 0.1 to 0.24: batch, loss, activation, learning rate."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from digits_cases import cosine, deep_net, digits, flat, small_net, train

from pynet import optimizers
from pynet.diagnosis import diagnose
from pynet.functions import cross_entropy_error, sigmoid, sigmoid_grad, sum_squared_error
from pynet.gradient import gradient_descent
from pynet.layers import Affine, Relu, Sequential, Sigmoid, Tanh
from pynet.networks import MultiLayerNetExtend
from pynet.optimizers import SGD, AdaGrad, Momentum, RMSprop
from pynet.trainer import Trainer


def test_any_batch_size(measured):
    """The gradient of a batch is the mean of its samples', for 1 sample as for all."""
    (x, t), _ = digits()
    net, every = small_net(), len(x)
    x, t = x[:40], t[:40]
    each = np.mean([flat(net.gradient(x[i : i + 1], t[i : i + 1])) for i in range(40)], axis=0)
    sizes = (1, 7, 32, 40)
    for size in sizes:
        parts = [flat(net.gradient(x[i : i + size], t[i : i + size])) for i in range(0, 40, size)]
        weights = [min(size, 40 - i) for i in range(0, 40, size)]
        np.testing.assert_allclose(np.average(parts, axis=0, weights=weights), each, atol=1e-14)
    assert np.isfinite(flat(net.gradient(*digits()[0]))).all()
    measured("0.1", f"{', '.join(map(str, sizes))}: the same mean gradient; {every:,} at once")


def test_full_batch_is_deterministic(measured):
    (x, t), test = digits()
    weights = []
    for random_state in (1, 2):
        net = small_net()
        np.random.seed(random_state)  # chance has no part in it
        Trainer(net, x, t, *test, epochs=20, sampling="full", verbose=False).train()
        weights.append(flat(net.params))
    np.testing.assert_array_equal(*weights)
    measured("0.2", "20 updates, two seeds: the same bits")


def test_online_learning(measured):
    """Batch size 1 needs nothing special, and its loss swings more than that of 100."""
    (x, t), _ = digits()
    swing = {}
    for size in (1, 100):
        losses = train(small_net(), SGD(lr=0.05), x, t, 400, size)
        swing[size] = np.std(losses[200:])
    assert swing[1] > 2 * swing[100]
    np.random.seed(0)
    net = MultiLayerNetExtend(64, [20], 10, use_batchnorm=True)
    assert np.isfinite(train(net, SGD(), x, t, 5, 1)).all()
    measured("0.6", f"std of the loss {swing[1]:.2f} with batch 1, {swing[100]:.2f} with batch 100")


def test_larger_batches_point_where_all_samples_point(measured):
    (x, t), _ = digits()
    net = small_net()
    whole = flat(net.gradient(x, t))
    rng = np.random.default_rng(0)

    def likeness(size):
        draws = [rng.choice(len(x), size, replace=False) for _ in range(10)]
        return np.mean([cosine(flat(net.gradient(x[i], t[i])), whole) for i in draws])

    found = {size: likeness(size) for size in (1, 10, 100, 1000, len(x) // 2)}
    by_size = list(found.values())
    assert by_size[0] < by_size[1] < by_size[2] < by_size[3]
    assert found[1000] > 0.99 and found[len(x) // 2] > 0.95
    texts = [f"{found[size]:.2f} with {size:,}" for size in (1, 10, 100, 1000)]
    measured("0.7", f"cosine to the full gradient {', '.join(texts)}")
    measured("0.9", f"cosine(half, full) {found[len(x) // 2]:.4f}")


def calls(net, x, t):
    """How many calls from Python to C a gradient pass takes."""
    count = 0

    def note(frame, event, function):
        nonlocal count
        count += event == "c_call"

    net.gradient(x, t)
    sys.setprofile(note)
    net.gradient(x, t)
    sys.setprofile(None)
    return count


def test_larger_batches_are_more_efficient(measured):
    (x, t), _ = digits()
    net = small_net(dtype=np.float32)
    rates = {}
    for size in (1, 100, 1000):
        begin = time.perf_counter()
        for _ in range(20):
            net.gradient(x[:size], t[:size])
        rates[size] = 20 * size / (time.perf_counter() - begin)
    assert calls(net, x[:1], t[:1]) == calls(net, x, t)  # the batch's size is the kernels' affair
    texts = [f"{rate:,.0f} with batch {size}" for size, rate in rates.items()]
    measured("0.8", f"samples a second: {', '.join(texts)}")


@pytest.mark.parametrize("loss", [sum_squared_error, cross_entropy_error])
def test_a_loss_grows_with_the_error(loss, measured):
    t = np.array([0.0, 1.0, 0.0])
    right = np.linspace(0.98, 0.02, 25)
    losses = [float(loss(np.array([(1 - p) / 2, p, (1 - p) / 2]), t)) for p in right]
    assert np.all(np.diff(losses) > 0)
    measured("0.10", f"{loss.__name__} {losses[0]:.3f} to {losses[-1]:.2f}")


def test_one_step_of_the_update_rule(measured):
    """x1 = x0 - rate * gradient: the gradient, not the loss."""
    params = {"x": np.array([-3.0, 4.0])}
    SGD(lr=0.1).update(params, {"x": 2 * params["x"]})  # of x0^2 + x1^2
    np.testing.assert_allclose(params["x"], [-2.4, 3.2], rtol=1e-15)
    measured("0.11", "(-3, 4) to (-2.4, 3.2)")


def test_layers_without_activation_collapse_into_one(measured):
    """A linear model of a linear model is a linear model."""
    rng = np.random.default_rng(0)
    sizes = (6, 50, 40, 3)
    Ws = [rng.standard_normal(shape) for shape in zip(sizes, sizes[1:])]
    bs = [rng.standard_normal(n) for n in sizes[1:]]
    x = rng.standard_normal((20, 6))
    deep = Sequential(*(Affine(W, b) for W, b in zip(Ws, bs))).forward(x)
    W = Ws[0] @ Ws[1] @ Ws[2]
    b = (bs[0] @ Ws[1] + bs[1]) @ Ws[2] + bs[2]
    single = Affine(W, b).forward(x)
    error = np.abs(deep - single).max() / np.abs(deep).max()
    assert error < 1e-13
    bent = Sequential(Affine(Ws[0], bs[0]), Relu(), Affine(Ws[1], bs[1]), Affine(Ws[2], bs[2]))
    assert np.abs(bent.forward(x) - single).max() / np.abs(single).max() > 0.1
    measured("0.13", f"relative difference {error:.0e}")
    measured("2.13", f"relative difference {error:.0e}")


def test_sigmoid_is_between_0_and_1_and_flat_far_away(measured):
    x = np.linspace(-30, 30, 601)
    y, slope = sigmoid(x), sigmoid_grad(x)
    assert y.min() > 0 and y.max() < 1
    assert slope.argmax() == 300 and slope[300] == 0.25  # steepest at 0
    assert sigmoid_grad(10.0) < 1e-4
    measured("0.14", f"slope 0.25 at 0, {sigmoid_grad(10.0):.1e} at 10")


def test_sigmoid_loses_gradients_and_costs_more_than_relu(measured):
    (x, t), _ = digits()
    ratios = {}
    for activation in ("sigmoid", "relu"):
        report = diagnose(deep_net(activation, 8, "he" if activation == "relu" else "xavier"), x, t)
        norms = [row.grad_norm for row in report.rows if row.name.startswith("Affine")]
        ratios[activation] = norms[0] / norms[-1]
        assert ("vanishing" in str(report)) == (activation == "sigmoid")
    assert ratios["sigmoid"] < 1e-3 < 0.05 < ratios["relu"]
    z = np.random.default_rng(0).standard_normal((1000, 1000)).astype(np.float32)
    seconds = {}
    for layer in (Sigmoid(), Relu()):
        times = []
        for _ in range(8):
            begin = time.perf_counter()
            layer.forward(z)
            times.append(time.perf_counter() - begin)
        seconds[type(layer)] = min(times)
    measured(
        "0.15",
        f"norm of the first dW over the last of 9: sigmoid {ratios['sigmoid']:.0e}, "
        f"ReLU {ratios['relu']:.2f}; sigmoid takes {seconds[Sigmoid] / seconds[Relu]:.1f} x the "
        "time of ReLU",
    )


def test_tanh_is_odd(measured):
    x = np.linspace(-5, 5, 101)
    y = Tanh().forward(x)
    assert y[50] == 0
    np.testing.assert_allclose(y, -y[::-1], atol=1e-15)
    assert abs(y.mean()) < 1e-15 and abs(y).max() < 1
    measured("0.16", "tanh(0) = 0, mean 0")


def test_relus_slope_is_1_or_0(measured):
    layer = Relu()
    assert layer.forward(np.array([-2.0, -0.5, 0.5, 3.0])).tolist() == [0, 0, 0.5, 3]
    assert layer.backward(np.ones(4)).tolist() == [0, 0, 1, 1]
    measured("0.17", "slope 0 below 0, 1 above")


def test_three_learning_rates(measured):
    (x, t), test = digits()
    ends = {}
    for lr in (1e-5, 0.1):
        losses = train(small_net(), SGD(lr=lr), x, t, 200, 100)
        ends[lr] = np.mean(losses[-20:])
    assert ends[1e-5] > 2.2 and ends[0.1] < 1
    wild = train(small_net(), SGD(lr=100.0), x, t, 20, 100)
    assert max(wild) > 100 * wild[0]
    trainer = Trainer(
        *(small_net(dtype=np.float32), x, t, *test), optimizer_param={"lr": 1e20}, verbose=False
    )
    with pytest.raises(FloatingPointError, match=r"step 3 with learning rate 1e\+20"):
        trainer.train()
    measured(
        "0.20",
        f"loss after 200 steps {ends[1e-5]:.2f} at rate 1e-5, {ends[0.1]:.2f} at 0.1; "
        f"up to {max(wild):,.0f} at 100; at 1e20 the Trainer stops in step 3",
    )


def test_local_minima(measured):
    """Where descent ends depends on where it starts."""

    def f(x):
        return (x**4 - 3 * x**2 + x).item()

    ends = [gradient_descent(f, np.array([start]), lr=0.02, step_num=300)[0] for start in (-2, 2)]
    np.testing.assert_allclose(ends, [-1.3008, 1.1309], atol=1e-3)
    heights = [f(np.array([x])) for x in ends]
    assert heights[0] < heights[1] - 1
    measured("0.22", f"x^4 - 3x^2 + x from -2 and 2: minima {heights[0]:.2f} and {heights[1]:.2f}")


def test_the_rules_of_sgd_momentum_and_adagrad(measured):
    g = [np.array([1.0, -2.0]), np.array([0.5, 1.0])]
    by_hand = {
        "SGD": -0.1 * (g[0] + g[1]),
        "Momentum": -0.1 * g[0] + (0.9 * -0.1 * g[0] - 0.1 * g[1]),
        "AdaGrad": -0.1 * g[0] / (abs(g[0]) + 1e-7)
        - 0.1 * g[1] / (np.sqrt(g[0] ** 2 + g[1] ** 2) + 1e-7),
    }
    for optimizer in (SGD(0.1), Momentum(0.1), AdaGrad(0.1)):
        params = {"w": np.zeros(2)}
        for grad in g:
            optimizer.update(params, {"w": grad})
        np.testing.assert_allclose(params["w"], by_hand[type(optimizer).__name__], rtol=1e-14)
    measured("0.23", "two updates each, as by hand")


def test_rmsprop_beats_rprop_on_mini_batches(measured):
    """The signs of mini-batches contradict each other; on the whole set RProp does well."""
    (x, t), _ = digits()
    ends = {}
    for name, optimizer in (("RProp", optimizers.RProp(0.01)), ("RMSprop", RMSprop(0.01))):
        net = small_net()
        train(net, optimizer, x, t, 150, 20)
        ends[name] = net.loss(x, t)
    assert ends["RMSprop"] < ends["RProp"]
    net, rprop = small_net(), optimizers.RProp(0.01)
    for _ in range(150):
        rprop.update(net.params, net.gradient(x, t))
    full = net.loss(x, t)
    assert full < ends["RProp"]
    measured(
        "0.4",
        f"batches of 20, loss after 150 steps: RMSprop {ends['RMSprop']:.2f}, "
        f"RProp {ends['RProp']:.2f} ({full:.2f} on full batches)",
    )


def test_rprop_looks_at_signs_only(measured):
    ends = []
    for scale in (1.0, 1000.0):
        params, rprop = {"x": np.array([-3.0, 4.0])}, optimizers.RProp(0.1)
        for _ in range(25):
            rprop.update(params, {"x": scale * 2 * params["x"]})
        ends.append(params["x"].copy())
    np.testing.assert_array_equal(*ends)
    measured("0.3", "the loss times 1000: the same 25 steps, bit for bit")
