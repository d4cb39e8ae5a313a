"""The Trainer: the book's semantics, and what it adds to them."""

from __future__ import annotations

import re

import book_nets
import numpy as np
import pytest
from trainer_cases import OPTIMIZERS, Bare, bare, numbered, samples

from pynet.networks import TwoLayerNet
from pynet.optimizers import SGD, Momentum
from pynet.trainer import Trainer

# ---- as in the book ------------------------------------------------------------------------------


@pytest.mark.parametrize("loss_after_update", [False, True])
def test_a_run_of_the_book(loss_after_update):
    """The same batches and losses as the book's loop, written out here, with the same seed."""
    x, t = samples(250)
    np.random.seed(0)
    book = book_nets.TwoLayer(6, 8, 3, std=0.5)
    expected = []
    for _ in range(int(4 * 250 / 100)):
        chosen = np.random.choice(250, 100)
        loss, grads = book.loss_and_gradient(x[chosen], t[chosen])
        for key, grad in grads.items():
            book.params[key] -= 0.1 * grad
        after, _ = book.loss_and_gradient(x[chosen], t[chosen])
        expected.append(after if loss_after_update else loss)
    np.random.seed(0)
    net = TwoLayerNet(6, 8, 3, 0.5, dtype=np.float64)
    options = {"optimizer_param": {"lr": 0.1}, "loss_after_update": loss_after_update}
    trainer = Trainer(net, x, t, x, t, epochs=4, verbose=False, **options)
    trainer.train()
    np.testing.assert_allclose(trainer.train_loss_list, expected, rtol=1e-12)
    for key, value in book.params.items():
        np.testing.assert_allclose(net.params[key], value, rtol=1e-12)


def test_attributes_and_defaults():
    net, trainer = bare(250)
    assert (trainer.epochs, trainer.batch_size, trainer.train_size) == (20, 100, 250)
    assert (trainer.iter_per_epoch, trainer.max_iter) == (2.5, 50)
    assert (trainer.current_iter, trainer.current_epoch) == (0, 0)
    assert (trainer.train_loss_list, trainer.train_acc_list, trainer.test_acc_list) == ([], [], [])
    assert isinstance(trainer.optimizer, SGD) and trainer.optimizer.lr == 0.01
    assert trainer.network is net and trainer.evaluate_sample_num_per_epoch is None
    assert len(trainer.x_train) == len(trainer.t_train) == 250
    assert len(trainer.x_test) == len(trainer.t_test) == 7


def test_a_fractional_epoch_is_rarely_evaluated():
    """250 samples in batches of 100 for 2 epochs: the book has 5 losses and 1 accuracy."""
    _, trainer = bare(250, epochs=2)
    trainer.train()
    assert len(trainer.train_loss_list) == 5
    assert trainer.evaluated_iters == [1]
    _, trainer = bare(250, epochs=5)  # 0 and 5 are the multiples of 2.5 among 0 ... 11
    trainer.train()
    assert (trainer.max_iter, trainer.evaluated_iters) == (12, [1, 6, 11])


def test_fewer_samples_than_a_batch():
    net, trainer = bare(10, epochs=3)
    trainer.train()
    assert (trainer.iter_per_epoch, trainer.max_iter, trainer.current_epoch) == (1, 3, 3)
    assert [len(x) for x, _ in net.batches] == [100, 100, 100]


def test_evaluation_on_the_first_samples():
    net, trainer = bare(20, epochs=1, mini_batch_size=10, evaluate_sample_num_per_epoch=4)
    trainer.train()
    assert [x[:, 0].tolist() for x, _ in net.evaluated] == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert [t.tolist() for _, t in net.evaluated] == [[0, 1, 2, 0], [0, 1, 2, 0]]
    net, trainer = bare(20, epochs=1, mini_batch_size=10)
    trainer.train()
    assert [len(x) for x, _ in net.evaluated] == [20, 7]


def test_what_is_printed(capsys):
    net = Bare()
    Trainer(net, *numbered(4), *numbered(7), epochs=2, mini_batch_size=2).train()
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r"-?[\d.]+", "#", line) for line in lines if "final" not in line] == [
        *("train loss:#", "=== epoch:#, train acc:#, test acc:# ==="),
        *("train loss:#", "train loss:#", "=== epoch:#, train acc:#, test acc:# ==="),
        *("train loss:#", "test acc:#"),
    ]
    assert len(net.evaluated[-1][0]) == 7
    Trainer(Bare(), *numbered(4), *numbered(7), epochs=2, verbose=False).train()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_by_name(name):
    for spelling in (name, name.upper()):
        _, trainer = bare(optimizer=spelling, optimizer_param={"lr": 0.25})
        assert type(trainer.optimizer).__name__.lower() == name
        assert trainer.optimizer.lr == 0.25


def test_an_optimizer_of_ones_own():
    optimizer = Momentum(0.1, momentum=0.5)
    _, trainer = bare(optimizer=optimizer, epochs=2)
    trainer.train()
    assert trainer.optimizer is optimizer and optimizer.v is not None


def test_a_network_that_is_only_what_the_book_asks_for():
    """It has no last_loss: its loss is that of a second pass, after the update."""
    net, trainer = bare(epochs=3)
    trainer.train()
    np.testing.assert_allclose(net.params["W"], [-0.03] * 3)
    np.testing.assert_allclose(trainer.train_loss_list, [-0.03, -0.06, -0.09])


def test_a_stale_last_loss_is_not_taken():
    """A subclass whose gradient() never calls loss() gets its loss from loss(x, t)."""

    class Mine(TwoLayerNet):
        def gradient(self, x, t):
            return {key: np.zeros_like(value) for key, value in self.params.items()}

    x, t = samples(20)
    net = Mine(6, 5, 3)
    net.loss(x, t)
    net.last_loss = 99.0
    trainer = Trainer(net, x, t, x, t, epochs=1, verbose=False)
    trainer.train()
    assert trainer.train_loss_list[0] != 99.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"optimizer": "adm"}, "optimizer: expected one of sgd, .*, got 'adm'"),
        ({"mini_batch_size": 0}, "mini_batch_size: expected at least 1, got 0"),
        (
            {"sampling": "random"},
            "sampling: expected one of replacement, epoch, full, got 'random'",
        ),
        ({"schedule": "steps"}, "schedule: expected one of constant, cosine, .*, got 'steps'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=rf"^\[Trainer\] {message}"):
        bare(**kwargs)


def test_data_that_do_not_fit_together():
    x, t = numbered(5)
    with pytest.raises(ValueError, match=r"^\[Trainer\] t_train: expected one label for each of 5"):
        Trainer(Bare(), x, t[:4], x, t)
    with pytest.raises(ValueError, match=r"^\[Trainer\] t_test: expected at least one label"):
        Trainer(Bare(), x, t, x[:0], t[:0])


# ---- beyond the book -----------------------------------------------------------------------------


def test_sampling_by_epoch_sees_each_sample_once():
    net, trainer = bare(10, epochs=3, mini_batch_size=4, sampling="epoch")
    trainer.train()
    assert (trainer.iter_per_epoch, trainer.max_iter) == (3, 9)
    assert trainer.evaluated_iters == [3, 6, 9]
    assert [len(x) for x, _ in net.batches] == [4, 4, 2] * 3
    orders = [np.concatenate([x[:, 0] for x, _ in net.batches[i : i + 3]]) for i in (0, 3, 6)]
    for order in orders:
        assert sorted(order) == list(range(10))
    assert (orders[0] != orders[1]).any() and (orders[1] != orders[2]).any()
    for x, t in net.batches:
        np.testing.assert_array_equal(t, x[:, 0] % 3)


def test_the_cosine_schedule():
    net, trainer = bare(10, epochs=4, mini_batch_size=10, schedule="cosine")
    rates = []
    net.loss = lambda x, t: rates.append(trainer.optimizer.lr) or 0.0
    trainer.train()
    expected = [0.01 * 0.5 * (1 + np.cos(np.pi * i / 4)) for i in range(4)]
    np.testing.assert_allclose(rates, expected, rtol=1e-15)


def test_stop_and_go_on():
    net, trainer = bare(10, epochs=6, mini_batch_size=10)
    trainer.train(after_epoch=lambda trainer: trainer.current_epoch == 2 and trainer.stop())
    assert trainer.current_iter == 2 and trainer.stopped
    trainer.train()
    assert trainer.current_iter == 6 and not trainer.stopped
    trainer.train()
    assert len(net.batches) == 6


def test_one_line_per_epoch_where_there_is_no_terminal(capsys):
    _, trainer = bare(10, epochs=12, mini_batch_size=5, sampling="epoch", progress=True)
    trainer.train()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    pattern = r"epoch  1/12  loss -0.0450  train accuracy 0.5000  test accuracy 0.5000  [\d.]+ s"
    assert re.fullmatch(pattern, lines[0])
    assert trainer.mean_loss(0) == pytest.approx(-0.045)
    assert trainer.mean_loss(-1) == pytest.approx((-0.03 * 23 - 0.03 * 24) / 2)
