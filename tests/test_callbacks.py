"""Callbacks: what they do, on which data they may decide, and that a checkpoint knows them."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from trainer_cases import Bare, Own, numbered, samples, scripted

import pynet
from pynet.callbacks import (
    Callback,
    Checkpoint,
    CSVLog,
    EarlyStopping,
    LambdaCallback,
    ReduceRateOnPlateau,
    Report,
)
from pynet.networks import MultiLayerNetExtend
from pynet.trainer import Trainer

# ---- the methods ---------------------------------------------------------------------------------


def test_when_the_methods_are_called():
    calls = []
    names = ("begin", "step", "epoch", "end")
    log = LambdaCallback(**{n: lambda trainer, n=n: calls.append(n) for n in names})
    _, trainer = scripted([1.0] * 9, [log])
    trainer.max_iter = 4
    trainer.train()
    assert calls == ["begin", "step", "step", "epoch", "step", "step", "epoch", "end"]


# ---- early stopping ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "options", "stopped_at", "best_epoch"),
    [
        ([1, 2, 3, 2, 2, 9, 9, 9, 9], {"patience": 2}, 5, 3),
        ([1, 2, 3, 2, 2, 9, 9, 8, 10], {"patience": 3}, 9, 9),
        ([5, 4, 3, 3.5, 3, 9, 9, 9, 9], {"patience": 2, "mode": "min"}, 5, 3),
        ([1, 1.4, 1.6, 1.9, 1.9, 9, 9, 9, 9], {"patience": 2, "min_delta": 0.5}, 5, 3),
        ([np.nan, 1, np.nan, np.nan, 0, 0, 0, 0, 0], {"patience": 2}, 4, 2),
    ],
)
def test_early_stopping(values, options, stopped_at, best_epoch):
    stop = EarlyStopping("score", **options)
    net, trainer = scripted(values, [stop])
    trainer.train()
    assert trainer.current_epoch == stopped_at
    assert (stop.best_epoch, stop.best) == (best_epoch, values[best_epoch - 1])
    assert stop.stopped == (stopped_at < 9) == trainer.stopped
    np.testing.assert_array_equal(net.params["W"], [-2.0 * best_epoch] * 3)  # two steps an epoch


def test_the_last_weights_can_be_kept():
    net, trainer = scripted([3, 2, 1] + [0] * 6, [EarlyStopping("score", 2, restore_best=False)])
    trainer.train()
    np.testing.assert_array_equal(net.params["W"], [-6.0] * 3)


def test_an_interruption_does_not_put_the_best_net_back():
    stop = EarlyStopping("score", 8)
    net, trainer = scripted([3, 2, 1] + [0] * 6, [stop])
    trainer.train(after_epoch=lambda trainer: trainer.current_epoch == 3 and trainer.stop())
    np.testing.assert_array_equal(net.params["W"], [-6.0] * 3)
    assert not trainer.finished
    trainer.train()
    assert trainer.current_epoch == 9 and stop.best_epoch == 1
    np.testing.assert_array_equal(net.params["W"], [-2.0] * 3)


def test_the_running_statistics_of_the_best_epoch_come_back():
    x, t = samples(60)
    np.random.seed(0)
    net = MultiLayerNetExtend(6, [5], 3, use_batchnorm=True)
    stop = EarlyStopping("score", 2)
    scores = iter([1, 2, 0, 0, 0])
    kept = []
    look = LambdaCallback(
        epoch=lambda trainer: kept.append(
            [np.array(slot.value) for slot in trainer.network.named_state()]
        )
    )
    trainer = Trainer(
        *(net, x, t, None, None, 5, 20),
        verbose=False,
        sampling="epoch",
        validation=(x, t),
        metrics={"score": lambda t, y: next(scores)},
        callbacks=[stop, look],
    )
    trainer.train()
    assert len(kept) == 4
    for slot, best, last in zip(net.named_state(), kept[1], kept[-1]):
        np.testing.assert_array_equal(slot.value, best)
        assert (best != last).any()


def test_it_prints_why_and_then_the_test_accuracy(capsys):
    _, trainer = scripted([3] + [0] * 8, [EarlyStopping("score", 2)])
    trainer.verbose = True
    trainer.train()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "stopped after epoch 3: score best 3.0000 after epoch 1",
        "=============== final test accuracy ===============",
        "test acc:0.5",
    ]


@pytest.mark.parametrize(
    "callback",
    [
        lambda metric: EarlyStopping(metric),
        lambda metric: Report(lambda epoch, value: None, metric),
        lambda metric: Checkpoint("never", best=metric),
        lambda metric: ReduceRateOnPlateau(metric),
    ],
)
@pytest.mark.parametrize("metric", ["test_accuracy", "train_accuracy", "loss", "f2"])
def test_no_decision_without_validation_data(callback, metric):
    net = Bare()
    trainer = Trainer(
        *(net, *numbered(4), *numbered(3)), verbose=False, callbacks=[callback("validation_loss")]
    )
    with pytest.raises(ValueError, match="validation: expected data to decide on.* no test any"):
        trainer.train()
    _, trainer = scripted([1.0] * 9, [callback(metric)])
    expected = "validation_loss, validation_accuracy, score"
    with pytest.raises(ValueError, match=f"metric: expected .*{expected}, got '{metric}'"):
        trainer.train()
    assert net.batches == [] and trainer.current_iter == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=0), r"\[EarlyStopping\] patience: expected at least 1"),
        (
            lambda: EarlyStopping(mode="up"),
            r"\[EarlyStopping\] mode: expected one of min, max, got",
        ),
        (lambda: EarlyStopping(min_delta=-1), r"\[EarlyStopping\] min_delta: expected .* >= 0"),
        (lambda: Checkpoint("c", 0), r"\[Checkpoint\] every: expected at least 1, got 0"),
        (
            lambda: Trainer(Bare(), *numbered(4), *numbered(4), metrics={"a": max}),
            r"\[Trainer\] metrics: expected validation=\(x, t\)",
        ),
        (
            lambda: Trainer(
                *(Bare(), *numbered(4), *numbered(4)),
                metrics={"test_accuracy": max},
                validation=numbered(4),
            ),
            r"\[Trainer\] metrics: expected names other than .*, got 'test_accuracy'",
        ),
        (
            lambda: Trainer(Bare(), *numbered(4), None, None, validation=(np.ones(3), np.ones(2))),
            r"\[Trainer\] t_validation: expected one label for each of 3 samples, got 2",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def test_a_metric_that_is_no_function():
    with pytest.raises(TypeError, match=r"metrics\['f1'\]: expected a function \(t, y\), got str"):
        scripted([], []) and Trainer(
            *(Bare(), *numbered(4), None, None), validation=numbered(4), metrics={"f1": "f1"}
        )


# ---- files and checkpoints -----------------------------------------------------------------------


def run(path, callbacks, epochs=6, net=None):
    x, t = samples(60)
    np.random.seed(1)
    pynet.seed(1)
    net = net or MultiLayerNetExtend(6, [5], 3, use_dropout=True, use_batchnorm=True)
    return Trainer(
        *(net, x[:40], t[:40], None, None, epochs, 10, "adam", {"lr": 0.1}),
        verbose=False,
        sampling="epoch",
        validation=(x[40:], t[40:]),
        callbacks=callbacks,
    )


@pytest.mark.parametrize("make", [None, Own])
def test_a_checkpoint_knows_what_early_stopping_has_seen(tmp_path, make):
    """Saved after each epoch, by a callback that is named first; resumed in each place."""
    path = tmp_path / "{epoch}.safetensors"
    whole = run(
        tmp_path,
        [Checkpoint(path), EarlyStopping(patience=2)],
        epochs=20,
        net=make and make(),
    )
    whole.train()
    assert 2 < whole.current_epoch < 20
    for epoch in range(1, whole.current_epoch + 1):
        np.random.seed(99)
        stop = EarlyStopping(patience=2)
        other = run(tmp_path, [stop, Checkpoint(tmp_path / "x")], 20, make and make())
        other.resume(tmp_path / f"{epoch}.safetensors")
        other.train()
        assert other.history == whole.history
        assert stop.stopped and other.current_iter == whole.current_iter
        for key, value in whole.network.params.items():
            np.testing.assert_array_equal(other.network.params[key], value)


def test_a_checkpoint_with_other_callbacks_is_refused(tmp_path):
    one = run(tmp_path, [EarlyStopping()])
    one.train_step()
    one.save(tmp_path / "c")
    other = run(tmp_path, [])
    with pytest.raises(ValueError, match=r"callbacks: expected \['EarlyStopping'\] like the"):
        other.resume(tmp_path / "c")
    log = run(tmp_path, [CSVLog(tmp_path / "h.csv"), EarlyStopping()])
    log.resume(tmp_path / "c")  # one that remembers nothing may be added
    assert log.current_iter == 1


def test_a_callback_of_ones_own_is_resumed(tmp_path):
    class Counter(Callback):
        def __init__(self):
            self.sums = np.zeros(2)

        def step(self, trainer):
            self.sums += [1, trainer.train_loss_list[-1]]

        def state(self):
            return {"sums": self.sums}

        def set_state(self, state):
            self.sums = state["sums"]

    one, counter = run(tmp_path, [Counter()]), Counter()
    for _ in range(5):
        one.train_step()
    one.save(tmp_path / "c")
    one.train()
    two = run(tmp_path, [counter])
    two.resume(tmp_path / "c")
    two.train()
    assert counter.sums[0] == 24
    np.testing.assert_array_equal(counter.sums, one.callbacks[0].sums)


def test_only_the_best_is_saved():
    saved = []
    _, trainer = scripted([1, 3, 2, 3, 4, 0, 0, 0, 0], [Checkpoint("{epoch}.st", best="score")])
    trainer.save = saved.append
    trainer.train()
    assert saved == ["1.st", "2.st", "5.st"]


def test_every_few_epochs(tmp_path):
    run(tmp_path, [Checkpoint(tmp_path / "{epoch}.st", every=2)], epochs=5).train()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.st", "4.st"]


def test_the_history_as_a_file(tmp_path):
    trainer = run(tmp_path, [CSVLog(tmp_path / "h.csv")], epochs=3)
    trainer.train()
    rows = list(csv.DictReader((tmp_path / "h.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["step"] for row in rows] == ["4", "8", "12"]
    for name, values in trainer.history.items():
        assert [float(row[name]) for row in rows] == values


def test_report_may_end_the_run():
    class Enough(Exception):
        pass

    seen = []

    def report(epoch, value):
        seen.append((epoch, value))
        if epoch == 2:
            raise Enough

    _, trainer = scripted([0.5, 0.25, 0], [Report(report, "score")])
    with pytest.raises(Enough):
        trainer.train()
    assert seen == [(1, 0.5), (2, 0.25)]
