"""Where pynet.capture records nothing, and the Trainer, which captures where it can."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

import pynet
from pynet.layers import Affine, Layer, Relu
from pynet.losses import Huber
from pynet.networks import MultiLayerNet, Network, TwoLayerNet
from pynet.optimizers import SGD, Adam, ClipNorm
from pynet.trainer import Trainer
from tests.capture_cases import batches, eager, everything, small, twins


class Double(Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


class OwnGradient(TwoLayerNet):
    def gradient(self, x, t):
        return super().gradient(x, t)


class OwnAdam(Adam):
    pass


def replaced():
    net = TwoLayerNet(5, 4, 3)
    net.layers["Relu1"].forward = Relu().forward
    return net


def foreign():
    """A network of the reader's own: it trains, but there is nothing of pynet's to record."""
    return SimpleNamespace(params={}, gradient=None, loss=None)


@pytest.mark.parametrize(
    ("make", "optimizer", "reason"),
    [
        (lambda: Network([Affine.sized(3), Double()], input_dim=(5,)), SGD, "Double is not one"),
        (lambda: OwnGradient(5, 4, 3), SGD, "OwnGradient has a gradient of its own"),
        (lambda: TwoLayerNet(5, 4, 3), OwnAdam, "OwnAdam is not one of"),
        (lambda: TwoLayerNet(5, 4, 3), lambda: SGD().add_hook(ClipNorm(1)), "ClipNorm is a hook"),
        (lambda: MultiLayerNet(5, [4], 3, weight_decay_lambda=0.1), SGD, "L2"),
        (replaced, SGD, "Relu has a forward or backward put in its place"),
        (foreign, SGD, "SimpleNamespace is no pynet.networks.Network"),
    ],
)
def test_refusals_are_named(make, optimizer, reason):
    with pytest.warns(UserWarning, match=re.escape(reason)):
        step = pynet.capture(make(), optimizer())
    assert reason in step.refusal
    assert reason in repr(step)


def test_a_loss_in_numpy_is_refused():
    def make():
        return Network([Affine.sized(3)], Huber(), input_dim=(5,))

    net, optimizer, other, other_optimizer = twins(make, SGD)
    data = [(x, x[:, :3]) for x, _ in batches((5,), 3)]
    with pytest.warns(UserWarning, match="Huber computes in NumPy"):
        step = pynet.capture(net, optimizer)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert step.refusal == "Huber computes in NumPy"


def test_what_a_recording_misses_is_found_out(monkeypatch):
    """A layer that adds in NumPy is caught by the comparison of the first replay."""
    net, optimizer, other, other_optimizer = twins(lambda: TwoLayerNet(5, 4, 3), SGD)
    forward = Relu.forward
    monkeypatch.setattr(Relu, "forward", lambda self, x: np.add(y := forward(self, x), 1, out=y))
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert "replaying it gives another" in step.refusal
    assert everything(net, optimizer) == everything(other, other_optimizer)


def run(capture, sampling="replacement", x_dtype=np.float32, **settings):
    np.random.seed(0)
    pynet.seed(0)
    rng = np.random.default_rng(0)
    x, t = rng.random((50, 5)).astype(x_dtype), rng.integers(0, 3, 50)
    trainer = Trainer(
        *(small(), x, t, x, t),
        epochs=4,
        mini_batch_size=8,
        optimizer="adam",
        verbose=False,
        sampling=sampling,
        capture=capture,
        **settings,
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize("x_dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("sampling", ["replacement", "epoch", "full"])
def test_a_trainer_captures_and_computes_the_same(sampling, x_dtype):
    captured, plain = (run(capture, sampling, x_dtype) for capture in (True, False))
    assert captured.train_loss_list == plain.train_loss_list
    assert captured.history == plain.history
    assert captured.network.params.flat.tobytes() == plain.network.params.flat.tobytes()
    assert plain.step.replays == 0
    if sampling != "full":
        assert captured.step.replays > 10


def test_a_trainer_with_a_schedule_captures():
    captured, plain = (run(capture, schedule="cosine") for capture in (True, False))
    assert captured.train_loss_list == plain.train_loss_list
    assert captured.step.replays > 10


def test_a_trainer_stops_before_a_bad_update():
    np.random.seed(0)
    x, t = np.ones((40, 5), np.float32), np.arange(40) % 3
    trainer = Trainer(TwoLayerNet(5, 4, 3), x, t, x, t, 5, 8, verbose=False)
    for _ in range(6):
        trainer.train_step()
    assert trainer.step.replays == 3
    before = trainer.network.params.flat.copy()
    x[:] = np.inf
    with pytest.raises(FloatingPointError, match="the batch itself is not finite"):
        trainer.train_step()
    assert trainer.network.params.flat.tobytes() == before.tobytes()
