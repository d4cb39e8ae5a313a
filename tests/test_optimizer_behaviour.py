"""What the optimizers are for: what each is said to be good at, measured."""

from __future__ import annotations

import numpy as np
import pytest

from pynet import backend
from pynet.datasets import load_digits
from pynet.networks import MultiLayerNet
from pynet.optimizers import (
    LARS,
    OPTIMIZERS,
    SGD,
    ClipNorm,
    Momentum,
    MovingAverage,
    Nesterov,
    RMSprop,
    RProp,
    WeightDecay,
)
from pynet.params import GradStore, ParamStore
from pynet.schedules import Polynomial, Warmup


@pytest.fixture(scope="module")
def digits():
    (x, t), (x_test, t_test) = load_digits()
    return x.reshape(len(x), -1), t, x_test.reshape(len(x_test), -1), t_test


def walk(rule, slope, begin, steps):
    params = {key: float(value) for key, value in begin.items()}
    path = [dict(params)]
    for _ in range(steps):
        rule.update(params, slope(params))
        path.append(dict(params))
    return path


def bowl(p):
    """Of x^2/20 + y^2."""
    return {"x": p["x"] / 10, "y": 2 * p["y"]}


# ---- RProp -------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1000.0, 1e-6])
def test_rprop_sees_the_sign_alone(factor):
    """Scaling the loss changes no step."""
    plain = walk(RProp(0.1), bowl, {"x": -7, "y": 2}, 50)
    scaled = walk(
        RProp(0.1), lambda p: {k: factor * g for k, g in bowl(p).items()}, {"x": -7, "y": 2}, 50
    )
    assert plain == scaled
    assert abs(plain[-1]["x"]) < 0.01 and abs(plain[-1]["y"]) < 0.01
    assert walk(SGD(0.1), bowl, {"x": -7, "y": 2}, 50)[-1]["x"] < -1


def test_rprops_steps_grow_and_shrink():
    rule, params, steps = RProp(0.1, least=0.05, most=0.13), {"W": np.zeros(1)}, []
    for sign in (1, 1, 1, 1, -1, -1, 1, -1, -1, 1, 0, 1):
        before = params["W"].copy()
        rule.update(params, {"W": np.array([float(sign)])})
        steps.append((float(before[0] - params["W"][0]), float(rule.step["W"][0])))
    expected = [(0.1, 0.1), (0.12, 0.12), (0.13, 0.13), (0.13, 0.13)]
    # A turn halves the step and waits; after the wait there is no sign to compare with.
    expected += [(0, 0.065), (-0.065, 0.065), (0, 0.05), (-0.05, 0.05), (-0.06, 0.06), (0, 0.05)]
    expected += [(0, 0.05), (0.05, 0.05)]
    np.testing.assert_allclose(steps, expected, atol=1e-12)


def test_rprop_wants_full_batches_and_rmsprop_does_not(digits):
    """On mini-batches the signs contradict each other, and RMSprop reaches the lower loss."""
    x, t, *_ = digits

    def loss(rule, batch):
        np.random.seed(0)
        net = MultiLayerNet(64, [30], 10)
        for _ in range(500):
            some = np.random.choice(len(x), batch) if batch else slice(None)
            rule.update(net.params, net.gradient(x[some], t[some]))
        return net.loss(x, t)

    assert loss(RProp(0.001, most=0.1), 10) > 3 * loss(RMSprop(), 10)
    assert loss(RProp(0.001, most=0.1), None) < 0.1 * loss(RProp(0.001, most=0.1), 10)


# ---- momentum ----------------------------------------------------------------------------------


def test_momentum_is_a_weighted_sum_of_all_past_gradients():
    """v after step t is -lr * sum over i of momentum^(t - i) * g_i."""
    rng = np.random.default_rng(0)
    grads = rng.standard_normal((30, 4))
    rule, params = Momentum(0.1, 0.9), {"W": np.zeros(4)}
    for t, g in enumerate(grads):
        rule.update(params, {"W": g})
        weights = 0.9 ** np.arange(t, -1, -1)
        np.testing.assert_allclose(rule.v["W"], -0.1 * weights @ grads[: t + 1], rtol=1e-12)


def flat_stretch(p):
    """Downhill, then hardly at all between 2 and 6, then downhill again to 8."""
    x = p["x"]
    return {"x": -1.0 if x < 2 else -1e-4 if x < 6 else x - 8}


@pytest.mark.parametrize("rule", [Momentum(0.1), Nesterov(0.1)], ids=["momentum", "nesterov"])
def test_momentum_passes_a_flat_stretch_and_sgd_does_not(rule):
    start = {"x": 0.0}
    assert abs(walk(rule, flat_stretch, start, 150)[-1]["x"] - 8) < 0.1
    assert walk(SGD(0.1), flat_stretch, start, 150)[-1]["x"] < 2.2


@pytest.mark.parametrize("rule", [Momentum(0.1), Nesterov(0.1)], ids=["momentum", "nesterov"])
def test_momentum_leaves_a_saddle_sooner(rule):
    def saddle(p):  # x^2/2 - y^2/2
        return {"x": p["x"], "y": -p["y"]}

    def steps(rule):
        path = walk(rule, saddle, {"x": 1.0, "y": 1e-4}, 200)
        return next(i for i, p in enumerate(path) if abs(p["y"]) > 1)

    assert steps(rule) < 0.6 * steps(SGD(0.1))


# ---- large batches, penalties, bits ------------------------------------------------------------


def test_lars_learns_with_large_batches(digits):
    """Half of the data in a batch: the rate of small ones is too low, the scaled one diverges."""
    x, t, x_test, t_test = digits
    batch, epochs, schedule = len(x) // 2, 30, Warmup(0.1, then=Polynomial(2))

    def accuracy(rule, batch=batch, epochs=epochs):
        np.random.seed(0)
        net, base = MultiLayerNet(64, [50, 50, 50], 10), rule.lr
        total = epochs * (len(x) // batch)
        for step in range(total):
            position = step % (len(x) // batch) * batch
            if position == 0:
                order = np.random.permutation(len(x))
            some = order[position : position + batch]
            rule.lr = base * schedule(step / total)
            with np.errstate(all="ignore"):
                rule.update(net.params, net.gradient(x[some], t[some]))
        with np.errstate(all="ignore"):
            return net.accuracy(x_test, t_test)

    assert accuracy(Momentum(0.02), batch=16, epochs=5) > 0.93
    large = accuracy(LARS())
    assert large > 0.93
    assert accuracy(Momentum(0.02)) < large - 0.02
    assert accuracy(Momentum(0.02 * batch / 16)) < 0.5


def test_weight_decay_as_a_hook_is_the_networks_own(digits):
    x, t, *_ = digits

    def params(rate, rule):
        np.random.seed(0)
        net = MultiLayerNet(64, [20], 10, weight_decay_lambda=rate, dtype=np.float64)
        for _ in range(20):
            some = np.random.choice(len(x), 50)
            rule.update(net.params, net.gradient(x[some], t[some]))
        return net.params.flat

    hooked = params(0, Momentum(0.1).add_hook(WeightDecay(0.01, "W*")))
    np.testing.assert_allclose(hooked, params(0.01, Momentum(0.1)), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_bits_do_not_depend_on_the_threads(name):
    rng = np.random.default_rng(0)
    arrays = {"W": rng.standard_normal((300, 301)).astype(np.float32), "b": np.zeros(7, np.float32)}
    grads = [{key: rng.standard_normal(a.shape).astype(np.float32) for key, a in arrays.items()}]
    grads += [{key: -g[..., ::-1] for key, g in grads[0].items()}]
    core, found = backend.core(), []
    before = core.num_threads()
    try:
        for threads in (1, 2, 5):
            core.set_num_threads(threads)
            average = MovingAverage(0.5)
            rule = OPTIMIZERS[name]().add_hook(ClipNorm(1.0)).add_hook(average)
            params = ParamStore.of(arrays)
            for g in grads * 2:
                rule.update(params, GradStore.of(g))
            found.append((params.flat.tobytes(), average.average.flat.tobytes()))
    finally:
        core.set_num_threads(before)
    assert found[0] == found[1] == found[2]
