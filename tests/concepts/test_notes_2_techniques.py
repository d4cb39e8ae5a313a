"""Concepts 2.47 to 2.68: optimizers, initial values, normalisation, over-fitting, search."""

from __future__ import annotations

import inspect
import math
from functools import partial

import numpy as np
from digits_cases import F64, cosine, deep_net, digits, small_net, train
from gradcheck import gradient_error, numerical_gradient

import pynet
from pynet.datasets import train_val_test_split
from pynet.diagnosis import diagnose
from pynet.ensemble import Ensemble
from pynet.initializers import he, xavier
from pynet.layers import BatchNormalization, Dropout
from pynet.networks import MultiLayerNet, MultiLayerNetExtend, Network, TwoLayerNet
from pynet.optimizers import SGD, AdaGrad, Adam, Momentum
from pynet.penalties import L1, L2, Elastic
from pynet.schedules import Exponential, Step
from pynet.schedules import cosine as cosine_schedule
from pynet.search import Choice, IntRange, LogUniform, MedianRule, search

VALLEY = {
    "SGD": (SGD, 0.95),
    "Momentum": (Momentum, 0.1),
    "AdaGrad": (AdaGrad, 1.5),
    "Adam": (Adam, 0.3),
}


def path(optimizer, steps=30, start=(-7.0, 2.0)):
    """Positions on x^2/20 + y^2."""
    params, positions = {"x": np.array(start)}, [np.array(start)]
    for _ in range(steps):
        x, y = params["x"]
        optimizer.update(params, {"x": np.array([x / 10, 2 * y])})
        positions.append(params["x"].copy())
    return np.array(positions)


def test_sgd_zigzags(measured):
    lengths, turns = {}, {}
    for name, (cls, lr) in VALLEY.items():
        steps = np.diff(path(cls(lr)), axis=0)
        lengths[name] = np.linalg.norm(steps, axis=1).sum()
        turns[name] = np.count_nonzero(np.diff(np.sign(steps[:, 1])))
    assert turns["SGD"] == 29 and lengths["SGD"] == max(lengths.values())
    texts = [f"{name} {length:.0f}" for name, length in lengths.items()]
    measured("2.47", f"length of 30 steps: {', '.join(texts)}; SGD turns {turns['SGD']} times")


def test_momentum_goes_on_where_the_gradient_is_0(measured):
    params, optimizer = {"x": np.array([0.0])}, Momentum(lr=1.0)
    optimizer.update(params, {"x": np.array([-1.0])})
    for _ in range(50):
        optimizer.update(params, {"x": np.array([0.0])})
    np.testing.assert_allclose(params["x"], (1 - 0.9**51) / (1 - 0.9))
    measured("2.48", f"pushed once by 1, it rolls on to {params['x'][0]:.2f}")


def test_rates_fall(measured):
    done = np.linspace(0, 0.999, 50)
    for schedule in (cosine_schedule, Exponential(), Step(at=(0.3, 0.6))):
        rates = [schedule(share) for share in done]
        assert rates[0] == 1 and np.all(np.diff(rates) <= 0) and rates[-1] < 0.1
        half = schedule(0.5)
        assert 0.05 <= half <= 0.5
    measured("0.21", "cosine 0.5, exponential 0.1, step 0.1 of the first rate half-way")
    measured("2.49", "cosine, exponential, step: from 1 down to below 0.1")


def test_adagrad_has_a_rate_for_each_element(measured):
    params, optimizer = {"x": np.zeros(2)}, AdaGrad(lr=0.1)
    rates = []
    for _ in range(3):
        before = params["x"].copy()
        optimizer.update(params, {"x": np.array([1.0, 100.0])})
        rates.append((before - params["x"]) / [1.0, 100.0])
    np.testing.assert_allclose(np.array(rates)[:, 0], 0.1 / np.sqrt([1, 2, 3]), rtol=1e-6)
    np.testing.assert_allclose(np.array(rates)[:, 1], 0.001 / np.sqrt([1, 2, 3]), rtol=1e-6)
    measured("2.50", "gradients 1 and 100: rates 0.1 and 0.001, then / sqrt 2, / sqrt 3")


def test_adam_has_three_hyperparameters(measured):
    defaults = {k: p.default for k, p in inspect.signature(Adam).parameters.items()}
    assert defaults == {"lr": 0.001, "beta1": 0.9, "beta2": 0.999}
    params, optimizer, m, v, w = {"x": np.zeros(2)}, Adam(), 0.0, 0.0, np.zeros(2)
    rng = np.random.default_rng(0)
    for k in range(1, 6):
        g = rng.standard_normal(2)
        optimizer.update(params, {"x": g})
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        rate = 0.001 * math.sqrt(1 - 0.999**k) / (1 - 0.9**k)
        w = w - rate * m / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(params["x"], w, rtol=1e-12)
    measured("2.51", f"{defaults}; five steps as the formula")


def test_no_optimizer_is_best_everywhere(measured):
    (x, t), _ = digits()
    losses = {}
    for optimizer in (SGD(), Momentum(), AdaGrad(), Adam()):
        net = deep_net("relu", 3, "he", dtype=np.float32)
        losses[type(optimizer).__name__] = np.mean(train(net, optimizer, x, t, 250, 64)[-50:])
    assert losses["SGD"] == max(losses.values())
    ends = {}
    for optimizer in (SGD(0.5), Momentum(0.5), AdaGrad(0.5), Adam(0.5)):  # a round bowl
        params = {"x": np.array([-7.0, 2.0])}
        for _ in range(10):
            optimizer.update(params, {"x": 2 * params["x"]})
        ends[type(optimizer).__name__] = np.abs(params["x"]).max()
    assert ends["SGD"] == 0 < min(ends[name] for name in ends if name != "SGD")
    texts = [f"{name} {loss:.3f}" for name, loss in losses.items()]
    measured(
        "2.52", f"digits, loss of iterations 201 to 250: {', '.join(texts)}; in a bowl SGD is first"
    )


def test_equal_weights_stay_equal(measured):
    """100 equal neurons are one: their rows of the gradient are equal, for ever."""
    (x, t), _ = digits()
    ranks = []
    for equal in (True, False):
        np.random.seed(0)
        net = TwoLayerNet(64, 100, 10, weight_init_std=0.1, dtype=F64)
        if equal:
            net.params["W1"], net.params["W2"] = np.full((64, 100), 0.1), np.full((100, 10), 0.1)
        train(net, SGD(0.5), x, t, 50, 50)
        ranks.append(int(np.linalg.matrix_rank(net.params["W1"], tol=1e-9)))
    assert ranks == [1, 64]
    measured("2.53", "rank of W1 after 50 steps: 1, from random weights 64")
    measured("4.21", "100 equal neurons: rank 1")


def test_vanishing_gradients_are_named(measured):
    (x, t), _ = digits()
    report = diagnose(deep_net("sigmoid", 8, "xavier"), x[:100], t[:100])
    norms = [row.grad_norm for row in report.rows if row.name.startswith("Affine")]
    assert norms[0] < 1e-3 * norms[-1] and np.all(np.diff(norms) > 0)
    assert any("vanishing" in finding for finding in report.findings)
    measured("2.54", f"norm of dW {norms[-1]:.2g} in the last layer, {norms[0]:.1g} in the first")


def test_activation_histograms_by_initial_scale(measured):
    (x, t), _ = digits()
    texts = []
    for std in (1.0, 0.01, "xavier"):
        report = diagnose(deep_net("sigmoid", 5, std), x[:200], t[:200])
        last = [name for name in report.outputs if "Sigmoid" in name or "Activation" in name][-1]
        counts, _ = report.histogram(last, bins=10, range=(0, 1))
        ends, middle = (counts[0] + counts[-1]) / counts.sum(), counts[4:6].sum() / counts.sum()
        assert (ends > 0.5) if std == 1.0 else (ends < 0.1)
        assert std != 0.01 or middle == 1
        texts.append(f"std {std}: {ends:.0%} near 0 or 1, {middle:.0%} near 0.5")
    measured("2.55", "; ".join(texts))


def test_xavier_and_he(measured):
    np.random.seed(0)
    spreads = {n: (xavier((n, 400), F64).std(), he((n, 400), F64).std()) for n in (100, 2500)}
    for n, (by_xavier, by_he) in spreads.items():
        np.testing.assert_allclose([by_xavier, by_he], [(1 / n) ** 0.5, (2 / n) ** 0.5], rtol=0.02)
    for name, std in (("sigmoid", (1 / 400) ** 0.5), ("relu", (2 / 400) ** 0.5)):
        net = MultiLayerNet(400, [300], 10, weight_init_std=name)
        np.testing.assert_allclose(net.params["W1"].std(), std, rtol=0.02)
    measured("2.56", f"std {spreads[100][0]:.4f} for n = 100, {spreads[2500][0]:.4f} for 2,500")
    measured("2.57", f"std {spreads[100][1]:.4f} for n = 100, {spreads[2500][1]:.4f} for 2,500")


def test_batch_norm_makes_mean_0_and_variance_1(measured):
    x = np.random.default_rng(0).normal(5, 3, (200, 6))
    layer = BatchNormalization(np.ones(6), np.zeros(6))
    y = layer.forward(x, train_flg=True)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=0), 1, atol=1e-5)
    for _ in range(200):
        layer.forward(x, train_flg=True)
    use = layer.forward(x[:1], train_flg=False)  # one sample: the running statistics
    np.testing.assert_allclose(use, (x[:1] - x.mean(0)) / x.std(0), atol=1e-3)
    measured("2.58", f"mean {abs(y.mean(0)).max():.0e}, variance {y.var(0).mean():.6f}")


def test_batch_norm_learns_from_any_scale(measured):
    (x, t), _ = digits()
    learned = {True: 0, False: 0}
    scales = np.logspace(0, -4, 8)
    for std in scales:
        for use in (True, False):
            np.random.seed(0)
            net = MultiLayerNetExtend(
                64, [50] * 4, 10, weight_init_std=float(std), use_batchnorm=use
            )
            train(net, SGD(0.05), x, t, 100, 100)
            learned[use] += net.accuracy(x, t) > 0.3
    assert learned[True] == 8 and learned[False] <= 4
    measured(
        "2.59",
        f"above 0.3 at {learned[True]} of 8 scales with batch norm, {learned[False]} without",
    )


def test_over_fitting(measured):
    (x, t), (x_test, t_test) = digits()
    np.random.seed(0)
    net = MultiLayerNet(64, [100] * 3, 10)
    train(net, Adam(), x[:100], t[:100], 200, 50)
    seen, unseen = net.accuracy(x[:100], t[:100]), net.accuracy(x_test, t_test)
    assert seen == 1 and unseen < 0.9
    measured("2.60", f"27,710 parameters, 100 images: training {seen:.2f}, test {unseen:.2f}")


def test_l1_and_l2_penalties(measured):
    (x, t), _ = digits()
    zeros, errors = {}, []
    for penalty in (L1(0.01), L2(0.01), Elastic(0.005, 0.01)):
        net = Network(small_net().layers, input_dim=(64,), penalty=penalty, dtype=F64)
        W2 = net.params["W2"]
        W2[np.abs(W2) < 0.01] = 0.01  # away from the kink of |W|
        grads = net.gradient(x[:10], t[:10])
        slope = numerical_gradient(partial(net.loss, x[:10], t[:10]), W2)
        errors.append(gradient_error(grads["W2"], slope))
        train(net, SGD(0.2), x, t, 200, 100)
        zeros[type(penalty).__name__] = np.mean(np.abs(net.params["W1"]) < 0.005)
    assert max(errors) < 1e-7
    assert zeros["L1"] > 0.6 > 0.3 > zeros["L2"]
    measured(
        "2.61",
        f"gradients off by at most {max(errors):.0e}; weights of W1 near 0: L1 {zeros['L1']:.0%}, "
        f"L2 {zeros['L2']:.0%}",
    )
    measured("4.14", f"weights near 0: Lasso (L1) {zeros['L1']:.0%}, Ridge (L2) {zeros['L2']:.0%}")


def test_dropout_keeps_the_expected_value(measured):
    """In use the output is scaled by the keep ratio 1 - 0.3, not by the ratio deleted."""
    pynet.seed(0)
    layer, ones = Dropout(0.3), np.ones((1000, 1000))
    train_mean = layer.forward(ones, train_flg=True).mean()
    use = layer.forward(ones, train_flg=False)
    assert (use == 0.7).all() and abs(train_mean - 0.7) < 0.002
    dout = layer.forward(ones, train_flg=True)
    np.testing.assert_array_equal(layer.backward(ones), dout)  # the same mask
    measured("2.62", f"ratio 0.3: mean {train_mean:.3f} in training, 0.7 in use")


def test_an_ensemble_of_five(measured):
    (x, t), (x_test, t_test) = digits()
    nets = []
    for seed in range(5):
        np.random.seed(seed)
        nets.append(MultiLayerNet(64, [30], 10))
        train(nets[-1], Adam(0.003), x[:300], t[:300], 150, 50, seed)
    members = [net.accuracy(x_test, t_test) for net in nets]
    together = Ensemble(nets).accuracy(x_test, t_test)
    assert together > np.mean(members)
    measured("2.63", f"members {np.mean(members):.3f} on average, together {together:.3f}")


def test_dropout_is_the_average_of_thinned_nets(measured):
    """For a linear layer exactly: the mean over masks is the scaled output."""
    pynet.seed(0)
    rng = np.random.default_rng(0)
    W, x = rng.standard_normal((40, 3)), rng.standard_normal((1, 40))
    layer = Dropout(0.5)
    thinned = np.mean([layer.forward(x, True) @ W for _ in range(4000)], axis=0)
    scaled = layer.forward(x, False) @ W
    error = np.abs(thinned - scaled).max() / np.abs(scaled).max()
    assert error < 0.1 and cosine(thinned.ravel(), scaled.ravel()) > 0.99
    measured("2.64", f"mean of 4,000 masks against the scaled net: {error:.1%} apart")


SPACE = {
    "neurons": IntRange(5, 60),
    "batch": Choice([16, 32, 64]),
    "lr": LogUniform(1e-4, 1.0),
    "decay": LogUniform(1e-8, 1e-2),
}


def objective(trial):
    np.random.seed(0)
    net = MultiLayerNet(64, [trial["neurons"]], 10, weight_decay_lambda=trial["decay"])
    for epoch in range(1, 4):
        train(net, SGD(trial["lr"]), *trial.train, 15, trial["batch"], epoch)
        trial.report(epoch, net.accuracy(*trial.validation))
    return net.accuracy(*trial.validation)


def test_a_space_of_four_kinds_of_hyperparameters(measured):
    (x, t), _ = digits()
    found = search(objective, SPACE, trials=4, data=(x[:400], t[:400]))
    assert set(found.best_params) == set(SPACE)
    assert isinstance(found.best_params["neurons"], int)
    assert found.best_params["batch"] in (16, 32, 64)
    measured("2.65", f"{', '.join(SPACE)}; best of 4 trials {found.best.value:.2f}")


def test_validation_data_6_2_2(measured):
    (x, t), _ = digits()
    parts = train_val_test_split(x[:1000], t[:1000])
    sizes = [len(labels) for _, labels in parts]
    assert sizes == [600, 200, 200]
    together = np.concatenate([samples for samples, _ in parts])
    np.testing.assert_allclose(together.sum(), x[:1000].sum(), rtol=1e-5)
    measured("2.66", f"1,000 samples: {', '.join(map(str, sizes))}")


def test_coarse_to_fine_random_search_beats_a_grid(measured):
    """Only one of two hyperparameters matters: random search tries more values of it."""
    space = {"lr": LogUniform(1e-6, 1), "decay": LogUniform(1e-8, 1e-2)}

    def distance(target, **how):
        def f(trial):
            return -((math.log10(trial["lr"]) - target) ** 2)

        return -search(f, space, trials=16, **how).best.value

    targets = np.linspace(-5, -1, 21)
    best = {
        "grid": np.mean([distance(target, method="grid") for target in targets]),
        "random": np.mean([distance(target, seed=i) for i, target in enumerate(targets)]),
        "coarse to fine": np.mean(
            [distance(target, seed=i, rounds=2) for i, target in enumerate(targets)]
        ),
    }
    assert best["coarse to fine"] < best["random"] < best["grid"]
    measured(
        "2.67",
        "16 trials, squared distance of log lr: "
        + ", ".join(f"{name} {value:.3f}" for name, value in best.items()),
    )


def test_bad_trials_end_early(measured):
    (x, t), _ = digits()
    found = search(objective, SPACE, trials=10, data=(x[:400], t[:400]), stop_bad=MedianRule())
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    epochs = sum(len(trial.reports) for trial in found.trials)
    assert pruned and epochs < 30 and found.best.state == "complete"
    measured("2.68", f"{len(pruned)} of 10 given up, {epochs} epochs instead of 30")
