"""Trainer and `pynet train` with a network on the device.

With the executor of tests/cuda_host, or on a GPU.
"""

from __future__ import annotations

import numpy as np
import pytest
from cli_cases import write_npz
from device_ops import on_device_module
from layer_cases import F32, F64
from trainer_cases import samples

import pynet
from pynet import backend
from pynet.callbacks import Checkpoint, EarlyStopping, UseAverage
from pynet.cli import main
from pynet.layers import Affine, BatchNormalization, Dropout, IdentityWithLoss, Relu, Sequential
from pynet.networks import Network
from pynet.optimizers import SGD, Adam, MovingAverage
from pynet.trainer import Trainer

pytestmark = pytest.mark.usefixtures("device")
device = on_device_module
N = 40


def network(where, dtype=F64, **kwargs):
    np.random.seed(3)
    pynet.seed(3)
    layers = (
        *(Affine.sized(5), BatchNormalization.sized(), Relu(), Dropout(0.2)),
        Affine.sized(3),
    )
    return Network(Sequential(*layers), input_dim=(6,), dtype=dtype, **kwargs).to(where)


def trainer(where, epochs=2, data=None, dtype=F64, **kwargs):
    net = network(where, dtype)
    x, t = samples(N) if data is None else data
    given = {"optimizer": "adam", "optimizer_param": {"lr": 0.02}, "verbose": False} | kwargs
    if "optimizer" in kwargs:
        given.pop("optimizer_param")
    return Trainer(net, x, t, *samples(20, seed=1), epochs, 8, **given)


def trained(where, **kwargs):
    run = trainer(where, **kwargs)
    np.random.seed(4)
    run.train()
    return run


def same_run(here, there, bound=1e-9):
    np.testing.assert_allclose(there.train_loss_list, here.train_loss_list, bound)
    assert list(here.history) == list(there.history)
    for name, values in here.history.items():
        np.testing.assert_allclose(there.history[name], values, bound, err_msg=name)
    for key, param in here.network.params.items():
        np.testing.assert_allclose(
            pynet.to_numpy(there.network.params[key]), pynet.to_numpy(param), bound, bound
        )


# ---- runs --------------------------------------------------------------------------------------

VALIDATION = samples(12, seed=2)
RUNS = {
    "as in the book": {},
    "by epoch": {"sampling": "epoch"},
    "all at once": {"sampling": "full", "epochs": 4},
    "call by call": {"capture": False},
    "loss after update": {"loss_after_update": True},
    "cosine": {"schedule": "cosine"},
    "validation and metrics": {
        "validation": VALIDATION,
        "metrics": {"wrong": lambda t, y: float(np.mean(y.argmax(1) != t))},
    },
    "the first samples": {"evaluate_sample_num_per_epoch": 7},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run(name):
    here, there = trained("cpu", **RUNS[name]), trained("cuda", **RUNS[name])
    same_run(here, there)
    assert backend.on_device(there.network.params.flat)
    assert there.step.refusal is None and there.step.replays == here.step.replays


def test_labels_and_samples_of_any_kind():
    x, t = samples(N)
    pixels = np.clip(60 + 60 * x, 0, 255).astype(np.uint8)
    for data in ((pixels, t.astype(np.uint8)), (x, np.eye(3)[t]), (x, np.eye(3, dtype=int)[t])):
        runs = [trained(where, data=data, dtype=F32, epochs=1) for where in ("cpu", "cuda")]
        same_run(*runs, bound=2e-3)


def test_regression():
    x = np.random.default_rng(0).standard_normal((N, 6))
    runs = []
    for where in ("cpu", "cuda"):
        net = network(where, last_layer=IdentityWithLoss())
        np.random.seed(0)
        runs.append(Trainer(net, x, x[:, :3], x[:8], x[:8, :3], 1, 8, verbose=False))
        runs[-1].train()
    same_run(*runs)
    assert list(runs[1].history) == ["loss", "train_loss", "test_loss"]


def test_the_average_of_the_weights():
    def run(where):
        average = MovingAverage(0.8)
        rule = SGD(0.05).add_hook(average)
        return trained(where, optimizer=rule, callbacks=[UseAverage(average)])

    same_run(run("cpu"), run("cuda"))


def test_the_best_network_comes_back():
    def run(where):
        stop = EarlyStopping("validation_loss", 1, mode="max")
        return trained(where, epochs=5, validation=VALIDATION, callbacks=[stop])

    here, there = run("cpu"), run("cuda")
    assert there.stop_reason is not None
    same_run(here, there)
    assert backend.on_device(there.network.params.flat)


@pytest.mark.parametrize("given", [np.asarray, pynet.to_device], ids=["numpy", "device"])
def test_a_label_out_of_range(given):
    x, t = samples(N)
    t[:] = 3
    for capture in (True, False):
        run = trainer("cuda", data=(x, given(t)), capture=capture)
        before = run.network.params.flat.to_numpy()
        with pytest.raises(IndexError, match=r"t: expected numbers in 0 \.\. 2, got 3 as element"):
            run.train()
        np.testing.assert_array_equal(run.network.params.flat.to_numpy(), before)


def test_a_loss_that_is_not_finite():
    x, t = samples(N)
    x[:] = np.nan
    with pytest.raises(FloatingPointError, match="the batch itself is not finite"):
        trained("cuda", data=(x, t))


# ---- where the data lie ------------------------------------------------------------------------


def test_data_that_fit_are_copied_once(monkeypatch, device):
    copied = []
    to_device = device.to_device

    def noted(x):
        if not backend.on_device(x):
            copied.append(np.shape(x))
        return to_device(x)

    run = trainer("cuda", epochs=3, sampling="epoch")
    monkeypatch.setattr(device, "to_device", noted)
    run.train()
    assert [shape for shape in copied if len(shape) == 2] == [(N, 6), (20, 6)]
    x, t = run._data()
    assert x.shape == (N, 6) and x.dtype == F64 and t.dtype == np.int64
    assert isinstance(run.x_train, np.ndarray)


def test_data_that_do_not_fit_go_batch_by_batch(monkeypatch, device):
    here = trained("cuda")
    monkeypatch.setattr(device, "free_memory", lambda: 2 * N * 6 * 8)
    there = trained("cuda")
    assert there._data().x is there.x_train
    same_run(here, there, 0)


def test_a_memory_map_is_read_in_parts(tmp_path, monkeypatch):
    x, t = samples(N)
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr("pynet.trainer.places._COPIED_AT_ONCE", 7 * 6 * 8)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    same_run(trained("cuda"), trained("cuda", data=(mapped, t)), 0)


def test_the_network_may_move_between_two_runs():
    run, other = trainer("cpu"), trainer("cpu", epochs=4)
    run.train()
    run.network.to("cuda")
    run.optimizer = Adam(0.02)
    run.max_iter *= 2
    run.train()
    assert backend.on_device(run._data().x) and backend.on_device(run.network.params.flat)
    run.network.to("cpu")
    assert run._data().x is run.x_train
    assert other.max_iter == run.max_iter


# ---- checkpoints -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "places", [("cuda", "cuda"), ("cuda", "cpu"), ("cpu", "cuda")], ids=" to ".join
)
def test_a_checkpoint(places, tmp_path):
    path = tmp_path / "run.safetensors"
    whole = trained(places[0], epochs=2)
    np.random.seed(4)
    first = trainer(places[0], epochs=2)
    np.random.seed(4)
    for _ in range(first.max_iter // 2):
        first.train_step()
    first.save(path)
    rest = trainer(places[1], epochs=2)
    rest.resume(path)
    rest.train()
    same_run(whole, rest, 0 if places[0] == places[1] else 1e-9)


def test_a_file_after_each_epoch(tmp_path):
    path = tmp_path / "{epoch}.safetensors"
    run = trained("cuda", validation=VALIDATION, callbacks=[Checkpoint(path)])
    here = network("cpu")
    here.load_params(tmp_path / f"{run.current_epoch}.safetensors")


# ---- the command line --------------------------------------------------------------------------


@pytest.fixture
def bars(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "bars.npz", 40)


def train(*arguments):
    return main(
        ["train", "--data", "bars.npz", "--model", "mlp-bn", "--batch-size", "10", *arguments]
    )


def test_train_on_the_device_and_go_on_elsewhere(bars, capsys, device):
    assert train("--epochs", "1", "--device", "cuda") == 0
    out = capsys.readouterr().out
    assert f"device cuda: {device.device_info()['name']}\n" in out and "call by call" not in out
    assert main(["eval"]) == 0
    assert main(["train", "--resume", "out", "--epochs", "2", "--device", "cpu"]) == 0
    assert "device cuda" not in capsys.readouterr().out
    assert main(["train", "--resume", "out", "--epochs", "3", "--device", "cuda"]) == 0
    assert "device cuda" in capsys.readouterr().out
    assert main(["train", "--resume", "out", "--epochs", "4"]) == 0
    assert "device cuda" in capsys.readouterr().out


def test_train_where_there_is_no_gpu(bars, capsys, monkeypatch, device):
    missing = {"present": False, "reason": "no driver", "code": 100}
    monkeypatch.setattr(device, "device_info", lambda: missing)
    assert train("--device", "cuda") == 1
    assert "expected a GPU, got none: no driver" in capsys.readouterr().err
