"""What a Trainer measures, and on which data; full batch and online learning."""

from __future__ import annotations

import numpy as np
import pytest
from trainer_cases import samples

from pynet import metrics
from pynet.callbacks import EarlyStopping
from pynet.layers import Affine, IdentityWithLoss, Relu
from pynet.networks import MultiLayerNetExtend, Network, TwoLayerNet
from pynet.trainer import Trainer


def test_a_metric_is_measured_every_epoch_stored_and_shown(capsys):
    x, t = samples(40)
    seen = []

    def margin(t, y):
        seen.append((t, y))
        return 0.25 * len(seen)

    net = TwoLayerNet(6, 5, 3)
    trainer = Trainer(
        *(net, x, t, x, t, 3, 10),
        verbose=False,
        progress=True,
        sampling="epoch",
        validation=(x[:7], t[:7]),
        metrics={"margin": margin},
    )
    trainer.train()
    assert trainer.history["margin"] == [0.25, 0.5, 0.75]
    assert len(seen) == 3
    np.testing.assert_array_equal(seen[-1][0], t[:7])
    np.testing.assert_array_equal(seen[-1][1], net.predict(x[:7]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("margin ")[1].split()[0] for line in lines] == ["0.2500", "0.5000", "0.7500"]
    assert list(trainer.history) == [
        *("loss", "train_accuracy", "test_accuracy"),
        *("validation_loss", "validation_accuracy", "margin"),
    ]
    assert trainer.history["validation_loss"][-1] == pytest.approx(net.loss(x[:7], t[:7]))
    assert trainer.history["loss"][0] == pytest.approx(np.mean(trainer.train_loss_list[:4]))
    assert trainer.history["train_accuracy"] == trainer.train_acc_list


def test_the_validation_loss_is_that_of_inference_and_of_all_samples():
    x, t = samples(250)
    np.random.seed(0)
    net = MultiLayerNetExtend(6, [5], 3, use_dropout=True, use_batchnorm=True)
    net.train_flg_of_loss = True  # as DeepConvNet has it
    trainer = Trainer(net, x, t, None, None, 1, 50, verbose=False, validation=(x[:230], t[:230]))
    trainer.train()
    expected = net.loss(x[:230], t[:230], False)
    assert trainer.history["validation_loss"][0] != 0
    trainer.train_step()  # 5 is the next multiple of 5 iterations: measured again
    assert trainer.measure(None)["validation_loss"] != pytest.approx(expected, rel=1e-7)
    assert trainer.measure(None)["validation_loss"] == pytest.approx(
        net.loss(x[:230], t[:230], False), rel=1e-6
    )


def test_without_test_data():
    x, t = samples(20)
    trainer = Trainer(TwoLayerNet(6, 5, 3), x, t, None, None, 2, 10, sampling="epoch")
    trainer.verbose = False
    trainer.train()
    assert trainer.test_acc_list == [] and len(trainer.train_acc_list) == 2


def test_regression_measures_the_loss(capsys):
    x, _ = samples(60)
    t = x[:, :1] * 2 + 1
    np.random.seed(0)
    net = Network([Affine.sized(8), Relu(), Affine.sized(1)], IdentityWithLoss(), input_dim=(6,))
    stop = EarlyStopping("mae", patience=30)
    trainer = Trainer(
        *(net, x, t, x, t, 30, 10, "adam", {"lr": 0.02}),
        sampling="epoch",
        validation=(x, t),
        metrics={"mae": lambda t, y: np.abs(t - y).mean()},
        callbacks=[stop],
    )
    trainer.train()
    assert list(trainer.history) == ["loss", "train_loss", "test_loss", "validation_loss", "mae"]
    assert stop._best.mode == "max"  # a name says nothing: mode='min' would be right here
    assert trainer.history["mae"][-1] < 0.5 * trainer.history["mae"][0]
    assert trainer.train_acc_list == [] == trainer.test_acc_list
    assert "accuracy" not in capsys.readouterr().out


def test_a_full_batch_is_the_same_gradient_every_time():
    x, t = samples(50)

    def run():
        np.random.seed(3)
        net = TwoLayerNet(6, 5, 3, 0.5)
        trainer = Trainer(net, x, t, x, t, 4, 7, verbose=False, sampling="full")
        state = np.random.get_state()[1].copy()
        trainer.train()
        np.testing.assert_array_equal(np.random.get_state()[1], state)  # nothing was drawn
        return trainer, net

    (one, net), (two, other) = run(), run()
    assert (one.max_iter, one.batch_size, one.evaluated_iters) == (4, 50, [1, 2, 3, 4])
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    assert one.train_loss_list == two.train_loss_list


def test_online_learning_with_batch_normalisation():
    x, t = samples(30)
    np.random.seed(0)
    net = MultiLayerNetExtend(6, [8], 3, use_batchnorm=True)
    trainer = Trainer(net, x, t, x, t, 2, 1, verbose=False, sampling="epoch")
    trainer.train()
    assert trainer.max_iter == 60 and np.isfinite(net.params.flat).all()


def test_early_stopping_on_f1():
    """On the metric itself, which no gradient knows: it stops, and the best net has that F1."""
    x, t = samples(200)
    np.random.seed(2)
    net = TwoLayerNet(6, 40, 3, 1.0)
    stop = EarlyStopping("f1", patience=4)
    held_out = x[60:], t[60:]
    trainer = Trainer(
        *(net, x[:60], t[:60], None, None, 300, 10, "adam", {"lr": 0.02}),
        verbose=False,
        sampling="epoch",
        validation=held_out,
        metrics={"f1": metrics.f1},
        callbacks=[stop],
    )
    trainer.train()
    assert trainer.current_epoch == stop.best_epoch + 4 < 300
    assert stop.best == max(trainer.history["f1"]) == metrics.f1(held_out[1], net.predict(x[60:]))
    assert stop.best > trainer.history["f1"][-1]
