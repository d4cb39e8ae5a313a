"""The same bits for every number of threads: a whole training of a CNN."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import pynet
from pynet.layers import (
    Affine,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dropout,
    Pooling,
    Relu,
    Residual,
    Sequential,
)
from pynet.networks import Network
from pynet.trainer import Trainer

THREADS = [1, 2, 3, 4, 7, 16]


@pytest.fixture(autouse=True)
def default_threads() -> Iterator[None]:
    yield
    pynet.set_num_threads(0)


def weights_after(steps: int, dtype: type, batch: int = 32) -> str:
    """SHA-256 of the weights of a CNN with batch norm and dropout, trained on random images."""
    np.random.seed(0)
    pynet.seed(0)
    data = np.random.default_rng(0)
    x, t = data.standard_normal((256, 3, 12, 12)), data.integers(0, 10, 256)
    body = Sequential(Convolution.sized(16, 3, pad=1), BatchNormalization.sized(), Relu())
    net = Network(
        Sequential(
            Convolution.sized(16, 3, pad=1),
            BatchNormalization.sized(),
            Relu(),
            Residual(body),
            Pooling(3, 3, stride=2),
            Convolution.sized(24, 3, stride=2, pad=1, groups=2),
            Relu(),
            AveragePooling(2, 2, stride=1),
            Dropout(0.25),
            Affine.sized(64),
            BatchNormalization.sized(),
            Relu(),
            Dropout(0.5),
            Affine.sized(10),
        ),
        input_dim=(3, 12, 12),
        weight_decay_lambda=1e-4,
        dtype=dtype,
    )
    trainer = Trainer(net, x, t, x, t, 10**6, batch, "adam", {"lr": 0.003}, 16, verbose=False)
    for _ in range(steps):
        trainer.train_step()
    digest = hashlib.sha256(net.params.flat.tobytes())
    for slot in net.named_state():
        digest.update(np.asarray(slot.value).tobytes())
    digest.update(np.array(trainer.train_loss_list).tobytes())
    assert trainer.train_loss_list[-1] < trainer.train_loss_list[0]
    return digest.hexdigest()


@pytest.mark.parametrize(("dtype", "steps"), [(np.float32, 60), (np.float64, 20)])
def test_threads_do_not_change_the_weights(dtype: type, steps: int) -> None:
    digests = {}
    for threads in THREADS:
        pynet.set_num_threads(threads)
        assert pynet.num_threads() == threads
        digests[threads] = weights_after(steps, dtype)
    assert set(digests.values()) == {digests[1]}, digests


def test_large_batches_too() -> None:
    """Where every reduction is cut into more pieces than there are threads."""
    digests = set()
    for threads in (1, 4, 7):
        pynet.set_num_threads(threads)
        digests.add(weights_after(8, np.float32, batch=250))
    assert len(digests) == 1


def test_processes_give_the_same_bits() -> None:
    """Set from outside, on whatever addresses the memory of another process has."""
    code = "import numpy, test_bits; print(test_bits.weights_after(30, numpy.float32))"
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    told = set()
    for threads in ("1", "3"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYNET_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        told.add(done.stdout)
    assert told == {weights_after(30, np.float32) + "\n"}
