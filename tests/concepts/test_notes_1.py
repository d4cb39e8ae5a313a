"""Concepts 1.1 to 1.22: optimisation, and how learning differs from it."""

from __future__ import annotations

import numpy as np
import pytest
from digits_cases import F64, digits, flat, small_net, train

from pynet import losses, metrics, optimizers
from pynet.callbacks import EarlyStopping
from pynet.diagnosis import learning_curve
from pynet.functions import softmax
from pynet.gradient import gradient_descent
from pynet.graph import Number
from pynet.layers import Affine
from pynet.loader import batches
from pynet.networks import MultiLayerNet, Network
from pynet.optimizers import OPTIMIZERS, SGD
from pynet.search import LogUniform, search
from pynet.trainer import Trainer
from pynet.util import smooth_curve

# A rate with which each of them gets down the bowl in 200 steps.
RATES = {"adadelta": 1.0, "lars": 1.0}


def test_optimizers_share_one_interface(measured):
    for name, cls in OPTIMIZERS.items():
        optimizer, params = cls(lr=RATES.get(name, 0.05)), {"x": np.array([-3.0, 4.0])}
        for _ in range(200):
            optimizer.update(params, {"x": 2 * params["x"]})
        assert np.sum(params["x"] ** 2) < 0.9 * 25, name
    measured("1.1", f"{len(OPTIMIZERS)} optimizers, one update(params, grads)")


def test_any_function_can_be_minimised_or_maximised(measured):
    def f(x):
        return np.sum(np.sin(x)) + np.sum((x - 1) ** 2)

    low = gradient_descent(f, np.zeros(3), lr=0.1, step_num=200)
    np.testing.assert_allclose(np.cos(low) + 2 * (low - 1), 0, atol=1e-8)
    high = gradient_descent(lambda x: np.sum((x - 2) ** 2), np.zeros(2), lr=0.1, step_num=200)
    np.testing.assert_allclose(high, 2, atol=1e-8)  # the maximum of -sum (x - 2)^2
    measured("1.2", f"minimum of sin x + (x - 1)^2 at {low[0]:.4f}")


def test_accuracy_precision_recall_f1_by_hand(measured):
    t = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    y = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])  # 3 found, 1 missed, 1 false alarm
    assert metrics.accuracy(t, y) == 0.8
    assert metrics.precision(t, y, average=None)[1] == 0.75
    assert metrics.recall(t, y, average=None)[1] == 0.75
    np.testing.assert_allclose(metrics.precision(t, y), (3 / 4 + 5 / 6) / 2)
    y[1] = 0  # now 2 found of 4, and 1 false alarm
    p, r = 2 / 3, 2 / 4
    np.testing.assert_allclose(metrics.f1(t, y, average=None)[1], 2 * p * r / (p + r))
    measured("1.3", "8 of 10 right: 0.8")
    measured("1.4", "3 found, 1 missed, 1 false: precision 0.75, recall 0.75")
    measured("1.5", "precision 2/3, recall 1/2: F1 0.571")


def test_accuracy_and_f1_have_no_useful_derivative(measured):
    (x, t), _ = digits()
    x, t, net = x[:200], t[:200], small_net(std=0.3)
    W = net.params["W2"]
    for measure in (metrics.accuracy, metrics.f1):
        before = measure(t, net.predict(x))
        zeros = 0
        for index in np.ndindex(W.shape):
            W[index] += 1e-7
            zeros += measure(t, net.predict(x)) == before
            W[index] -= 1e-7
        assert zeros >= 0.99 * W.size
    measured("1.6", f"derivative 0 for {zeros} of {W.size} weights, of accuracy as of F1")


def test_negative_log_likelihood_is_cross_entropy_on_one_hot_labels(measured):
    rng = np.random.default_rng(0)
    scores, t = rng.standard_normal((50, 7)), rng.integers(0, 7, 50)
    log_y = np.log(softmax(scores))
    values = (
        losses.negative_log_likelihood(log_y, t),
        losses.cross_entropy(softmax(scores), np.eye(7)[t]),
        losses.softmax_cross_entropy(scores, t),
    )
    np.testing.assert_allclose(values, values[0], rtol=1e-12)
    measured("1.7", f"three ways: {values[0]:.6f}")


def test_early_stopping_on_the_metric_itself(measured):
    (x, t), test = digits()
    np.random.seed(0)
    net = MultiLayerNet(64, [50], 10)
    stop = EarlyStopping("f1", patience=3)
    trainer = Trainer(
        *(net, x[:60], t[:60], *test),
        epochs=300,
        mini_batch_size=20,
        optimizer="adam",
        optimizer_param={"lr": 0.005},
        verbose=False,
        validation=(x[1000:], t[1000:]),
        metrics={"f1": metrics.f1},
        callbacks=[stop],
    )
    trainer.train()
    history = trainer.history["f1"]
    assert len(history) < 300
    np.testing.assert_allclose(metrics.f1(t[1000:], net.predict(x[1000:])), max(history), rtol=1e-6)
    measured("1.8", f"stopped after {len(history)} of 300 epochs, F1 {max(history):.3f} put back")


def test_metrics_of_ones_own_every_epoch(measured):
    (x, t), test = digits()
    trainer = Trainer(
        *(small_net(), x, t, *test),
        epochs=3,
        sampling="epoch",
        verbose=False,
        validation=test,
        metrics={"recall": metrics.recall, "wrong": lambda t, y: float((y.argmax(1) != t).sum())},
    )
    trainer.train()
    assert len(trainer.history["recall"]) == len(trainer.history["wrong"]) == 3
    measured("1.9", f"3 epochs, wrong: {[int(n) for n in trainer.history['wrong']]}")


def test_the_gap_between_seen_and_unseen_data(measured):
    (x, t), (x_test, t_test) = digits()
    net = small_net()
    train(net, optimizers.Adam(0.01), x[:80], t[:80], 200, 40)
    seen, unseen = net.accuracy(x[:80], t[:80]), net.accuracy(x_test, t_test)
    report = learning_curve([0.5, seen], [0.5, unseen])
    assert seen == 1 and report.verdict == "over-fitting"
    np.testing.assert_allclose(report.variance, seen - unseen)
    measured("1.10", f"80 digits: training {seen:.3f}, test {unseen:.3f}, gap {seen - unseen:.3f}")


def test_the_test_data_decide_nothing(measured):
    (x, t), test = digits()
    trainer = Trainer(
        *(small_net(), x, t, *test), verbose=False, callbacks=[EarlyStopping("test_accuracy")]
    )
    with pytest.raises(ValueError, match="validation"):
        trainer.train()
    measured("1.11", "stopping on test accuracy: ValueError")


def test_a_search_sees_training_and_validation_only(measured):
    (x, t), _ = digits()
    sizes = set()

    def objective(trial):
        sizes.add((len(trial.train[0]), len(trial.validation[0])))
        net = small_net(dtype=np.float32)
        train(net, SGD(trial["lr"]), *trial.train, 20, 50)
        return net.accuracy(*trial.validation)

    found = search(objective, {"lr": LogUniform(1e-4, 1)}, trials=6, data=(x, t), validation=0.25)
    assert sizes == {(1011, 337)}
    assert found.best.value == max(trial.value for trial in found.trials)
    measured("1.12", f"1,011 to train, 337 to choose; chosen lr {found.best.params['lr']:.2g}")


def test_full_batch_is_the_true_gradient_of_the_training_set(measured):
    (x, t), _ = digits()
    x, t, net = x[:60], t[:60], small_net()
    whole = flat(net.gradient(x, t))
    each = np.mean([flat(net.gradient(x[i : i + 1], t[i : i + 1])) for i in range(60)], axis=0)
    error = np.abs(whole - each).max()
    assert error < 1e-15
    measured("1.13", f"largest difference to the mean over samples {error:.0e}")


def test_the_noise_of_a_mini_batch_falls_with_its_size(measured):
    (x, t), _ = digits()
    net = small_net()
    rng = np.random.default_rng(0)

    def noise(size):
        grads = [
            flat(net.gradient(x[i], t[i])) for i in (rng.choice(len(x), size) for _ in range(60))
        ]
        return float(np.var(grads, axis=0).sum())

    ratio = noise(4) / noise(64)
    assert 10 < ratio < 25  # 1 / size: 16
    measured("1.14", f"variance of the gradient with 4 over that with 64: {ratio:.1f}")


def test_online_against_batch_training(measured):
    """Equal epochs and rate on four real data sets; lab online-against-batch takes over 20."""
    from sklearn import datasets as real

    scores = {}
    for load in (real.load_iris, real.load_wine, real.load_breast_cancer, real.load_digits):
        x, t = load(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(x))[:450]
        x = ((x - x.mean(0)) / (x.std(0) + 1e-9))[order].astype(np.float32)
        t, cut = t[order], len(order) * 2 // 3
        for size in (1, cut):
            np.random.seed(0)
            net = MultiLayerNet(x.shape[1], [10], int(t.max()) + 1)
            for batch, labels in (
                pair for _ in range(5) for pair in batches(x[:cut], t[:cut], size)
            ):
                SGD(0.05).update(net.params, net.gradient(batch, labels))
            scores.setdefault("online" if size == 1 else "batch", []).append(
                net.accuracy(x[cut:], t[cut:])
            )
    means = {name: np.mean(values) for name, values in scores.items()}
    assert means["online"] > means["batch"] + 0.1
    measured(
        "1.15",
        f"5 epochs, four data sets: online {means['online']:.3f}, batch {means['batch']:.3f}",
    )


def test_forward_and_backward_through_a_graph(measured):
    x, y = Number(3.0), Number(4.0)
    z = (x + y) * (x + y)
    z.backward()
    assert (z.value, x.grad, y.grad) == (49, 14, 14)
    measured("1.16", "(3 + 4)^2 = 49, dz/dx = 14")


@pytest.mark.parametrize("size", [32, 64, 128])
def test_batch_sizes_of_powers_of_two(size, measured):
    (x, t), _ = digits()
    sizes = [len(labels) for _, labels in batches(x, t, batch_size=size)]
    assert sum(sizes) == len(x) and set(sizes[:-1]) == {size}
    measured("1.17", f"{len(sizes)} batches of {size}")


def test_epochs_and_iterations_are_counted(measured):
    (x, t), test = digits()
    trainer = Trainer(
        *(small_net(), x[:1000], t[:1000], *test), epochs=3, sampling="epoch", verbose=False
    )
    trainer.train()
    assert (trainer.current_epoch, trainer.current_iter, trainer.iter_per_epoch) == (3, 30, 10)
    measured("1.18", "1,000 samples, batch 100, 3 epochs: 30 iterations")


def test_the_loss_fluctuates_and_can_be_smoothed(measured):
    (x, t), _ = digits()
    history = train(small_net(dtype=np.float32), SGD(0.1), x, t, 3000, 5)
    assert len(history) == 3000
    rough, smooth = (np.abs(np.diff(line)).mean() for line in (history, smooth_curve(history)))
    assert smooth < rough / 4 and history[999] < history[0]
    at = [smooth_curve(history)[i - 1] for i in (1000, 2000, 3000)]
    assert at[0] > at[2]
    measured(
        "1.19",
        f"jumps of {rough:.2f}, smoothed {smooth:.2f}; after 1,000, 2,000, 3,000 iterations "
        + ", ".join(f"{value:.3f}" for value in at),
    )


def test_a_linear_support_vector_machine(measured):
    """Hinge loss and an L2 penalty on one Affine layer: the widest street between two classes."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-2, 0.5, (50, 2)), rng.normal(2, 0.5, (50, 2))])
    t = np.repeat([0, 1], 50).reshape(-1, 1)
    np.random.seed(0)
    net = Network(
        [Affine(np.zeros((2, 1)), np.zeros(1))],
        losses.Hinge(),
        input_dim=(2,),
        weight_decay_lambda=0.01,
        dtype=F64,
    )
    for _ in range(500):
        net.params["W1"] -= 0.1 * (grads := net.gradient(x, t))["W1"]
        net.params["b1"] -= 0.1 * grads["b1"]
    errors = int(((net.predict(x) > 0) != t).sum())
    inside = int((np.where(t, 1, -1) * net.predict(x) < 1).sum())
    assert errors == 0 and inside < 20
    measured("1.20", f"100 points: {errors} errors, {inside} inside the margin")


def test_a_batch_costs_what_a_batch_costs(measured):
    """Memory follows the batch, not the data set."""
    net = MultiLayerNet(64, [100], 10)
    rows = {row.layer.__class__.__name__: row.description.out_shape for row in net.summary().rows}
    assert rows["Relu"] == (1, 100)
    reads = []

    class Rows(np.ndarray):
        def __getitem__(self, index):
            reads.append(np.size(index))
            return super().__getitem__(index)

    x = np.zeros((5000, 64), np.float32).view(Rows)
    next(iter(batches(x, np.zeros(5000, int), batch_size=50)))
    assert max(reads) <= 50
    measured("1.21", f"of 5,000 samples a step reads {max(reads)}")


def test_random_search_of_the_weights_is_worse_than_descent(measured):
    (x, t), _ = digits()
    rng = np.random.default_rng(0)
    x, t = x[:300], t[:300]
    W = [rng.standard_normal((64, 10)) * 0.1 for _ in range(100)]
    net = Network([Affine(W[0].copy(), np.zeros(10))], input_dim=(64,), dtype=F64)
    best = 0.0
    for candidate in W:
        net.params["W1"] = candidate
        best = max(best, net.accuracy(x, t))
    net.params["W1"] = W[0]
    for _ in range(100):
        net.params["W1"] -= 0.5 * net.gradient(x, t)["W1"]
    descent = net.accuracy(x, t)
    assert descent > best + 0.3
    measured("1.22", f"100 evaluations each: random {best:.2f}, gradient descent {descent:.2f}")
