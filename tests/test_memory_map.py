"""Training and measuring on files that are larger than the memory allowed."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pynet import datasets
from pynet.loader import batches
from pynet.networks import TwoLayerNet
from pynet.trainer import Trainer

N, D = 20_000, 800  # 64 MB of float32; the file is sparse where nothing was written
ALLOWED = 8 * 2**20


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (N, D))
    x[::1000, 0] = 1
    x.flush()
    t = np.zeros(N, np.int64)
    t[::1000] = 1
    np.save(folder / "t.npy", t)
    return folder / "x.npy", folder / "t.npy"


class peak:
    """The largest number of bytes that Python and NumPy held inside the with block."""

    def __enter__(self):
        tracemalloc.start()
        return self

    def __exit__(self, *_):
        self.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def test_what_is_measured_sees_a_copy_of_the_file(pair):
    x, _ = datasets.open_npy_pair(*pair)
    with peak() as held:
        np.array(x)
    assert held.bytes >= 64e6 > ALLOWED


@pytest.mark.parametrize("sampling", ["replacement", "epoch"])
def test_training_reads_a_batch_at_a_time(pair, sampling):
    with peak() as held:
        x, t = datasets.open_npy_pair(*pair)
        net = TwoLayerNet(D, 4, 2)
        trainer = Trainer(
            *(net, x, t, x, t),
            epochs=1,
            mini_batch_size=500,
            verbose=False,
            sampling=sampling,
            validation=(x, t),
            metrics={"share": lambda t, y: np.mean(y.argmax(axis=1) == t)},
        )
        trainer.train()
    assert held.bytes < ALLOWED
    assert len(trainer.train_loss_list) == 40 and len(trainer.test_acc_list) == 1
    assert trainer.history["share"] == trainer.history["validation_accuracy"]


def test_accuracy_and_batches_read_a_batch_at_a_time(pair):
    with peak() as held:
        x, t = datasets.open_npy_pair(*pair)
        assert 0 <= TwoLayerNet(D, 4, 2).accuracy(x, t) <= 1
        positive = sum(float(rows[:, 0].sum()) for rows, _ in batches(x, t, 500, seed=0))
    assert positive == 20  # every row once
    assert held.bytes < ALLOWED


def test_the_maps_are_read_only(pair):
    x, t = datasets.open_npy_pair(*pair)
    assert isinstance(x, np.memmap) and x.shape == (N, D) and t.sum() == 20
    with pytest.raises(ValueError):
        x[0] = 1


def test_bad_files(pair, tmp_path):
    np.save(tmp_path / "short.npy", np.zeros(3))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", x=np.zeros(3))
    (tmp_path / "empty.npy").touch()
    for name, message in [
        ("short.npy", r"short.npy: expected one target for each of 20000 samples, got 3"),
        ("text.npy", "text.npy: expected a .npy file of real numbers, got <U1"),
        ("object.npy", "object.npy: expected a .npy file of numbers"),
        ("archive.npz", "archive.npz: expected a .npy file, got an archive"),
        ("empty.npy", "empty.npy: expected a .npy file of numbers"),
    ]:
        with pytest.raises(ValueError, match=rf"^\[open_npy_pair\] {message}"):
            datasets.open_npy_pair(pair[0], tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"^\[open_npy_pair\] none.npy: expected a file"):
        datasets.open_npy_pair(tmp_path / "none.npy", pair[1])
