"""Concepts that are a choice of many: activations, initial values, losses; data beyond memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
from digits_cases import F64, RNG, digits, flat, small_net, train
from gradcheck import gradient_error, numerical_gradient

from pynet import activations, initializers, losses
from pynet.datasets import open_npy_pair
from pynet.layers import Affine, Elu, LeakyRelu, Maxout, PRelu, Relu, Sigmoid, Softmax, Tanh
from pynet.networks import Network
from pynet.optimizers import Adam
from pynet.trainer import Trainer

X = np.random.default_rng(1).normal(0, 2, (6, 4))
DOUT = np.random.default_rng(2).standard_normal((6, 4))


def input_error(layer):
    """How far dx is from differences."""
    layer(X, True)
    dx = layer.backpropagate(DOUT)
    return gradient_error(dx, numerical_gradient(lambda: float((layer(X, True) * DOUT).sum()), X))


def test_data_larger_than_the_memory_it_takes(tmp_path, measured):
    """The file has 16 MB; a run on it takes a fraction of that."""
    x_path, t_path = tmp_path / "x.npy", tmp_path / "t.npy"
    x = np.lib.format.open_memmap(x_path, "w+", np.float32, (62_500, 64))
    np.save(t_path, np.arange(62_500) % 10)
    nbytes = x.nbytes
    x[::625] = 0.5
    del x
    pair = open_npy_pair(x_path, t_path)
    trainer = Trainer(
        *(small_net(dtype=np.float32), *pair, pair[0][:100], pair[1][:100]),
        epochs=1,
        mini_batch_size=500,
        evaluate_sample_num_per_epoch=100,
        verbose=False,
    )
    tracemalloc.start()
    trainer.train()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert trainer.current_iter == 125 and peak < nbytes / 4
    measured("0.5", f"a file of {nbytes / 1e6:.0f} MB, at most {peak / 1e6:.1f} MB at once")


def test_losses_are_one_family(measured):
    """Each is a layer and a function; here their slopes, in tests/test_losses.py the rest."""
    N, D = 5, 4
    scores, t = RNG.normal(0, 2, (N, D)), RNG.integers(0, D, N)
    rows, bits = RNG.random((N, D)), (RNG.random((N, D)) > 0.5) * 1.0
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    cases = {
        "MeanSquaredError": (scores, rows),
        "IdentityWithLoss": (scores, rows),
        "MeanAbsoluteError": (scores, rows),
        "Huber": (scores, rows),
        "LogCosh": (scores, rows),
        "SoftmaxWithLoss": (scores, t),
        "CrossEntropy": (probabilities, t),
        "NegativeLogLikelihood": (np.log(probabilities), t),
        "BinaryCrossEntropy": (probabilities, bits),
        "SigmoidWithLoss": (scores, bits),
        "Hinge": (scores, bits),
        "SquaredHinge": (scores, bits),
        "MultiClassHinge": (scores, t),
        "KullbackLeibler": (np.log(probabilities), probabilities[::-1].copy()),
    }
    errors = []
    for name, (x, target) in cases.items():
        layer = getattr(losses, name)()

        def f(layer=layer, x=x, target=target):
            return float(layer.forward(x, target))

        f()
        errors.append(gradient_error(layer.backward(), numerical_gradient(f, x, 1e-5)))
    assert max(errors) < 1e-7
    measured("0.12", f"{len(cases)} losses, gradients off by at most {max(errors):.0e}")


def test_elu_and_leaky_relu_differ_from_relu_below_0_only(measured):
    z = np.array([-2.0, -0.5, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(activations.elu(z), [np.expm1(-2), np.expm1(-0.5), 0, 0.5, 3])
    np.testing.assert_allclose(activations.leaky_relu(z), [-0.02, -0.005, 0, 0.5, 3])
    errors = {layer: input_error(layer()) for layer in (Elu, LeakyRelu)}
    assert max(errors.values()) < 1e-7
    measured("0.18", f"ELU(-2) = {activations.elu(-2.0):.4f}, gradient off by {errors[Elu]:.0e}")
    measured("4.2", f"slope 0.01 below 0, gradient off by {errors[LeakyRelu]:.0e}")


def test_prelu_learns_its_slope(measured):
    layer = PRelu(np.full(4, 0.25))
    assert input_error(layer) < 1e-7
    dslope = layer.dslope.copy()
    slope = layer.slope
    error = gradient_error(
        dslope, numerical_gradient(lambda: float((layer.forward(X) * DOUT).sum()), slope)
    )
    assert error < 1e-7
    np.random.seed(0)
    net = Network([PRelu(0.25)], losses.MeanSquaredError(), input_dim=(1,), dtype=F64)
    x = np.linspace(-1, 1, 40).reshape(-1, 1)
    train(net, Adam(0.05), x, np.where(x > 0, x, -0.5 * x), 200, 40)
    learned = float(net.layers[0].slope[0])
    assert abs(learned + 0.5) < 0.01
    measured("0.19", f"its gradient off by {error:.0e}; a slope of -0.5 learned: {learned:.3f}")


def test_five_activations_in_one_net(measured):
    (x, t), _ = digits()
    np.random.seed(0)
    kinds = (Sigmoid, Relu, LeakyRelu, Tanh)
    layers = [layer for kind in kinds for layer in (Affine.sized(30), kind())]
    net = Network(
        [*layers, Affine.sized(10), Softmax()], losses.CrossEntropy(), input_dim=(64,), dtype=F64
    )
    grads, numerical = net.gradient(x[:4], t[:4]), {}
    for key in ("b1", "b5"):
        p = net.params[key]
        numerical[key] = numerical_gradient(lambda: net.loss(x[:4], t[:4]), p)
    error = max(gradient_error(grads[key], value) for key, value in numerical.items())
    assert error < 1e-7
    train(net, Adam(0.01), x, t, 200, 50)
    assert net.accuracy(x, t) > 0.9 and np.isfinite(flat(net.params)).all()
    measured("4.1", f"sigmoid, ReLU, leaky ReLU, tanh, softmax: accuracy {net.accuracy(x, t):.2f}")


def test_maxout_learns_convex_functions(measured):
    layer = Maxout(2)
    y = layer.forward(X)
    assert y.shape == (6, 2)
    np.testing.assert_array_equal(y, X.reshape(6, 2, 2).max(axis=2))
    dout = DOUT[:, :2]
    dx = layer.backward(dout)
    slope = numerical_gradient(lambda: float((layer.forward(X) * dout).sum()), X, 1e-6)
    error = gradient_error(dx, slope)
    assert error < 1e-7
    x, found = np.linspace(-1, 1, 101).reshape(-1, 1), {}
    for name, pieces, target in (("|x|", 2, np.abs(x)), ("x^2", 6, x**2)):
        np.random.seed(0)
        net = Network(
            [Affine.sized(pieces, init=0.5), Maxout(pieces)],
            losses.MeanSquaredError(),
            input_dim=(1,),
            dtype=F64,
        )
        train(net, Adam(0.02), x, target, 800, 101)
        found[name] = float(np.abs(net.predict(x) - target).max())
    assert found["|x|"] < 0.02 and found["x^2"] < 0.1
    measured(
        "4.17",
        f"gradient off by {error:.0e}; largest error on abs(x) with 2 pieces {found['|x|']:.3f}, "
        f"on x^2 with 6 {found['x^2']:.3f}",
    )


def test_xavier_from_both_fans(measured):
    np.random.seed(0)
    W = initializers.xavier_normal((300, 100), F64)
    np.testing.assert_allclose(W.std(), (2 / 400) ** 0.5, rtol=0.02)
    measured("4.24", f"300 in, 100 out: std {W.std():.4f}, sqrt(2 / 400) = 0.0707")
    W = initializers.xavier_uniform((300, 100), F64)
    limit = (6 / 400) ** 0.5
    assert abs(W).max() <= limit and abs(W).max() > 0.99 * limit and abs(W.mean()) < 0.01 * limit
    measured("4.25", f"from {W.min():.4f} to {W.max():.4f}, sqrt(6 / 400) = 0.1225")


def test_fans_of_a_convolution(measured):
    """kw kh c_in inputs to one output, kw kh c_out outputs from one input."""
    shape = (32, 16, 5, 5)
    fans = initializers.fan_in(shape), initializers.fan_out(shape)
    assert fans == (5 * 5 * 16, 5 * 5 * 32)
    np.random.seed(0)
    spread = initializers.xavier_normal(shape, F64).std()
    np.testing.assert_allclose(spread, (2 / sum(fans)) ** 0.5, rtol=0.02)
    measured("4.26", f"32 filters 16x5x5: fans {fans[0]} and {fans[1]}, std {spread:.4f}")


def test_at_least_26_activations(measured):
    """And Maxout, PReLU, softmax, log-softmax and softmin, which do not go element by element."""
    names = list(activations.ACTIVATIONS)
    others = ("Maxout", "PRelu", "Softmax", "LogSoftmax", "Softmin")
    assert len(names) >= 26
    x, errors = np.array([-2.3, -1.1, -0.6, 0.3, 0.7, 1.7, 3.4]), {}
    for name in names:
        f = activations.ACTIVATIONS[name]
        slope = (f(x + 1e-6) - f(x - 1e-6)) / 2e-6
        errors[name] = float(np.abs(f.grad(x) - slope).max())
    assert max(errors.values()) < 1e-8
    measured(
        "4.35",
        f"{len(names)} element by element, slopes off by at most {max(errors.values()):.0e}, "
        f"and {len(others)} more",
    )
