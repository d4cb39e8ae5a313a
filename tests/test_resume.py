"""Checkpoints of a Trainer: a run goes on bit for bit, or not at all."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from trainer_cases import OPTIMIZERS, Own, bare, samples

import pynet
from pynet.networks import MultiLayerNet, MultiLayerNetExtend, TwoLayerNet
from pynet.params import FlatStore
from pynet.trainer import Trainer

RUN = """
import hashlib, os, signal, sys
import numpy as np
import pynet
from pynet.layers import *
from pynet.networks import Network
from pynet.trainer import Trainer

def make(seed, optimizer, sampling, schedule, epochs=6):
    np.random.seed(seed)
    np.random.randn()  # the generator makes two at a time and keeps the other
    pynet.seed(seed)
    data = np.random.default_rng(0)
    x, t = data.standard_normal((50, 2, 6, 6)), data.integers(0, 3, 50)
    net = Network(
        Sequential(
            Convolution.sized(4, 3, pad=1), BatchNormalization.sized(), Relu(), Pooling(2, 2),
            Dropout(0.3), Affine.sized(8), BatchNormalization.sized(), Relu(), Dropout(0.2),
            Affine.sized(3),
        ),
        input_dim=(2, 6, 6),
    )
    return Trainer(
        net, x, t, x, t, epochs, 20, optimizer, {"lr": 0.02}, verbose=False,
        sampling=sampling, schedule=schedule,
    )

def steps(trainer, n):
    for _ in range(n):
        trainer.train_step()

def digest(trainer):
    net, optimizer = trainer.network, trainer.optimizer
    sha = hashlib.sha256(net.params.flat.tobytes())
    for name in optimizer.state_names:
        sha.update(getattr(optimizer, name).flat.tobytes())
    for slot in net.named_state():
        sha.update(np.asarray(slot.value).tobytes())
    history = trainer.train_loss_list, trainer.train_acc_list, trainer.test_acc_list
    sha.update(repr((history, trainer.current_epoch, getattr(optimizer, "iter", 0))).encode())
    sha.update(np.random.randn(3).tobytes())
    return sha.hexdigest()
"""


def run_python(code, *args):
    return subprocess.run(
        [sys.executable, "-c", RUN + code, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("optimizer", "sampling", "schedule"),
    [
        ("adam", "epoch", "cosine"),
        ("adam", "replacement", "constant"),
        ("momentum", "epoch", "constant"),
    ],
)
def test_resume_after_a_kill_gives_the_same_bits(tmp_path, optimizer, sampling, schedule):
    """5 steps, save, kill -9, resume in a process with another seed, 5 steps = 10 steps."""
    path = tmp_path / "checkpoint.safetensors"
    arguments = (optimizer, sampling, schedule)
    whole = run_python(
        "t = make(0, *sys.argv[1:]); steps(t, 10); print(digest(t))",
        *arguments,
    )
    assert whole.returncode == 0, whole.stderr
    killed = run_python(
        "t = make(0, *sys.argv[2:]); steps(t, 5); t.save(sys.argv[1]); steps(t, 2)\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        *(path, *arguments),
    )
    assert killed.returncode == -9, killed.stderr
    resumed = run_python(
        "t = make(7, *sys.argv[2:]); steps(t, 3); t.resume(sys.argv[1]); steps(t, 5)\n"
        "print(digest(t))",
        *(path, *arguments),
    )
    assert resumed.stdout == whole.stdout != "", resumed.stderr


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("at", [0, 1, 4])
def test_resume_with_every_optimizer(tmp_path, optimizer, at):
    def trainer(seed):
        np.random.seed(seed)
        pynet.seed(seed)
        net = MultiLayerNetExtend(6, [5], 3, use_dropout=True, use_batchnorm=True)
        data = samples(25)
        return Trainer(
            *(net, *data, *data, 5, 10, optimizer),
            {"lr": 0.02},
            verbose=False,
            sampling="epoch",
        )

    path = tmp_path / "c.safetensors"
    one = trainer(0)
    for step in range(8):
        if step == at:
            one.save(path, {"model": "mine"})
        one.train_step()
    two = trainer(1)
    assert two.resume(path) == {"model": "mine"}
    assert two.current_iter == at
    for _ in range(8 - at):
        two.train_step()
    np.testing.assert_array_equal(two.network.params.flat, one.network.params.flat)
    assert two.train_loss_list == one.train_loss_list
    assert two.evaluated_iters == one.evaluated_iters
    for name in one.optimizer.state_names:
        assert isinstance(getattr(two.optimizer, name), FlatStore)  # one call per update, still


def test_resume_of_a_readers_own_class(tmp_path):
    x, t = samples(40)

    def trainer(seed):
        np.random.seed(seed)
        pynet.seed(seed)
        return Trainer(Own(), x, t, x, t, 5, 10, "adam", {"lr": 0.02}, verbose=False)

    one = trainer(0)
    for _ in range(5):
        one.train_step()
    one.save(tmp_path / "c.safetensors")
    for _ in range(5):
        one.train_step()
    two = trainer(3)
    two.resume(tmp_path / "c.safetensors")
    for _ in range(5):
        two.train_step()
    assert two.train_loss_list == one.train_loss_list
    for key, value in one.network.params.items():
        np.testing.assert_array_equal(two.network.params[key], value)
    assert two.network.layers["Affine1"].W is two.network.params["W1"]


def test_the_checkpoint_decides_the_learning_rate(tmp_path):
    one, two = fresh(schedule="cosine"), fresh(schedule="cosine", lr=0.7)
    one.train_step()
    one.save(tmp_path / "c.safetensors")
    two.resume(tmp_path / "c.safetensors")
    one.train_step()
    two.train_step()
    assert two.base_lr == 0.1 and two.optimizer.lr == one.optimizer.lr < 0.1


def test_a_checkpoint_is_a_weight_file_too(tmp_path):
    x, t = samples(40)
    net, other = TwoLayerNet(6, 5, 3, 0.5), TwoLayerNet(6, 5, 3, 0.5)
    trainer = Trainer(net, x, t, x, t, 2, 10, verbose=False)
    trainer.train()
    trainer.save(tmp_path / "c.safetensors")
    other.load_params(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(other.params.flat, net.params.flat)


def fresh(net=None, optimizer="adam", batch=10, N=40, lr=0.1, **kwargs):
    x, t = samples(N)
    net = TwoLayerNet(6, 5, 3, 0.5) if net is None else net
    return Trainer(net, x, t, x, t, 3, batch, optimizer, {"lr": lr}, verbose=False, **kwargs)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: fresh(batch=20), "batch_size: expected 10 like the checkpoint, got 20"),
        (lambda: fresh(N=41), "train_size: expected 40 like the checkpoint, got 41"),
        (lambda: fresh(optimizer="sgd"), "optimizer: expected Adam like the checkpoint, got SGD"),
        (lambda: fresh(sampling="epoch"), "sampling: expected replacement"),
        (lambda: fresh(schedule="cosine"), "schedule: expected constant"),
        (lambda: fresh(MultiLayerNet(6, [5, 5], 3)), "network: expected the parameters W1, W2, b1"),
        (lambda: fresh(TwoLayerNet(6, 4, 3)), r"network: expected W1 of shape \(6, 5\)"),
        (lambda: fresh(TwoLayerNet(6, 5, 3, dtype=np.float64)), "network: expected W1 .* float32"),
    ],
)
def test_a_checkpoint_of_another_run_changes_nothing(tmp_path, other, message):
    saved = fresh()
    saved.train_step()
    saved.save(tmp_path / "c.safetensors")
    trainer = other()
    before, draws = trainer.network.params.flat.copy(), np.random.get_state(legacy=False)
    with pytest.raises(ValueError, match=rf"^\[Trainer.resume\] {message}"):
        trainer.resume(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(trainer.network.params.flat, before)
    assert trainer.current_iter == 0 and trainer.train_loss_list == []
    assert draws["state"]["pos"] == np.random.get_state(legacy=False)["state"]["pos"]
    trainer.train_step()


def test_a_checkpoint_of_something_else(tmp_path):
    pynet.serialization.save_checkpoint(tmp_path / "c.safetensors", {"W1": np.zeros(3)}, {"a": 1})
    with pytest.raises(ValueError, match="expected a checkpoint of a Trainer"):
        fresh().resume(tmp_path / "c.safetensors")
    with pytest.raises(FileNotFoundError):
        fresh().resume(tmp_path / "none.safetensors")


def test_save_says_whose_state_it_knows(tmp_path):
    class Mine:
        def update(self, params, grads):
            pass

    _, trainer = bare(optimizer=Mine())
    trainer.train_step()
    with pytest.raises(TypeError, match=r"^\[Trainer.save\] optimizer: expected one of pynet"):
        trainer.save(tmp_path / "c.safetensors")


def test_saving_changes_nothing(tmp_path):
    def losses(save):
        np.random.seed(0)
        trainer = fresh()
        for i in range(6):
            if save:
                trainer.save(tmp_path / f"{i}.safetensors")
            trainer.train_step()
        return trainer.train_loss_list

    assert losses(True) == losses(False)


def test_equal_states_give_equal_files(tmp_path):
    digests = []
    for name in "ab":
        np.random.seed(0)
        pynet.seed(0)
        trainer = fresh()
        trainer.train_step()
        trainer.save(tmp_path / name)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]
