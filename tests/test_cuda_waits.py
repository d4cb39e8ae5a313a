"""How often the processor waits for the GPU: once for a loss that is read, else not at all.

The executor of tests/cuda_host counts the calls that wait (cudaStreamSynchronize and the like); all
copies are cudaMemcpyAsync.
"""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import N, batches, small
from device_ops import counted_waits, on_device_module
from trainer_cases import samples

import pynet
from pynet.callbacks import Callback
from pynet.layers import Affine, IdentityWithLoss
from pynet.networks import Network
from pynet.optimizers import SGD, Adam
from pynet.recording import CapturedStep
from pynet.trainer import Trainer

pytestmark = pytest.mark.usefixtures("device")
device, waits = on_device_module, counted_waits


def numbers(x):
    return np.arange(len(x)) % 3


def regression():
    return Network([Affine.sized(3)], IdentityWithLoss(), input_dim=(5,))


# ---- a step ------------------------------------------------------------------------------------


def test_an_eager_step_waits_for_its_loss(waits):
    net, rule = small().to("cuda"), Adam()
    ((x, t),) = batches((5,), 3, count=1)
    there = pynet.to_device(x), pynet.to_device(t)
    for given, times in (((x, t), 3), (there, 1)):  # x and t are copied out of NumPy's memory
        with waits(times):
            rule.update(net.params, net.gradient(*given))


@pytest.mark.parametrize("make", [small, regression])
@pytest.mark.parametrize("way", ["numpy", "device", "rows", "numpy rows"])
def test_a_replay_waits_for_its_loss(waits, make, way):
    step = CapturedStep(make().to("cuda"), Adam())
    for x, t in batches((5,), 3, count=6):
        given = (x, t if make is small else np.ones((N, 3), np.float32))
        if way in ("device", "rows"):
            given = tuple(pynet.to_device(array) for array in given)
        run = step.run_rows if "rows" in way else step
        rows = (np.arange(N)[::-1],) if "rows" in way else ()
        if step.replays == 0:
            run(*given, *rows)
            continue
        with waits(1):
            run(*given, *rows)
    assert step.replays == 3


def test_the_processor_may_be_far_ahead(waits, monkeypatch):
    """It waits where the GPU is a whole ring of slots behind, and not before."""
    step = CapturedStep(small().to("cuda"), SGD())
    ((x, t),) = batches((5,), 3, count=1)
    for _ in range(4):
        step(x, t)
    monkeypatch.setenv("PYNET_EXECUTOR_FAIL", "cudaEventQuery=600")  # cudaErrorNotReady
    with waits(0):
        assert step.run_later(x, t, np.arange(N)) and step.run_later(x, t, np.arange(N))
    with waits(2):  # for the slots of batches, of which there are four
        assert step.run_later(x, t, np.arange(N)) and step.run_later(x, t, np.arange(N))
    assert len(step.settle()[0]) == 4


# ---- a run -------------------------------------------------------------------------------------


def trainer(make=small, count=40, epochs=60.0, x=None, t=None, **kwargs):
    np.random.seed(0)
    pynet.seed(0)
    net = make().to("cuda")
    data = samples(count)[0][:, :5]
    x = data if x is None else x
    t = numbers(data) if t is None else t
    return Trainer(net, x, t, None, None, epochs, N, "adam", verbose=False, **kwargs)


def warm(run):
    """Run until steps are replayed, and nothing waits."""
    for _ in range(5):
        run.train_step()
    assert run.train_loss_list and run.step.replays > 0
    return run


@pytest.mark.parametrize("host", [False, True], ids=["device", "host"])
def test_steps_of_a_run_do_not_wait(waits, monkeypatch, device, host):
    if host:
        monkeypatch.setattr(device, "free_memory", lambda: 0)
    run = warm(trainer(sampling="epoch", count=N * 400))
    with waits(0):
        for _ in range(200):  # more than there are slots
            run.train_step()
    with waits(1):
        assert len(run.train_loss_list) == 205
    with waits(0):
        assert len(run.train_loss_list) == 205


def test_losses_are_those_of_eager_steps(waits):
    runs = [trainer(sampling="epoch", capture=capture) for capture in (True, False)]
    for run in runs:
        np.random.seed(1)
        run.train()
    first, second = runs
    assert first.train_loss_list == second.train_loss_list
    assert first.history == second.history
    assert first.network.last_loss == second.network.last_loss
    bits = [run.network.params.flat.to_numpy().tobytes() for run in runs]
    assert bits[0] == bits[1]


def test_who_shows_losses_waits(waits, capsys):
    run = warm(trainer(sampling="epoch", count=N * 400))
    run.verbose = True
    with waits(1):
        run.train_step()
    assert capsys.readouterr().out == f"train loss:{run.train_loss_list[-1]}\n"


def test_a_callback_that_reads_them_gets_them():
    class Reader(Callback):
        def __init__(self):
            self.seen = []

        def step(self, trainer):
            self.seen.append(len(trainer.train_loss_list))

    reader = Reader()
    trainer(epochs=2, callbacks=[reader]).train()
    assert reader.seen == list(range(1, len(reader.seen) + 1))


def test_more_steps_than_losses_are_kept(waits):
    run = warm(
        trainer(regression, x=np.ones((N * 2000, 5)), t=np.ones((N * 2000, 3)), sampling="epoch")
    )
    for _ in range(1100):
        run.train_step()
    assert len(run.train_loss_list) == 1105 and run.step.replays > 1090


def test_accuracy_is_read_at_once(waits):
    net = small().to("cuda")
    x = samples(250)[0][:, :5].astype(np.float32)
    there = pynet.to_device(x)
    with waits(1):
        accuracy = net.accuracy(there, numbers(x))
    assert accuracy == net.accuracy(x, numbers(x), batch_size=7)


# ---- what goes wrong on the way ----------------------------------------------------------------


def state_of(run):
    arrays = {slot.key: pynet.to_numpy(slot.value) for slot in run.network.named_state()}
    flats = [run.network.params.flat, *(store.flat for store in run.optimizer.states)]
    bits = [pynet.to_numpy(flat).tobytes() for flat in flats]
    return bits, {k: v.tobytes() for k, v in arrays.items()}, run.optimizer.numbers


@pytest.mark.parametrize("host", [False, True], ids=["device", "host"])
def test_a_label_out_of_range_stops_before_its_step(monkeypatch, device, host):
    if host:
        monkeypatch.setattr(device, "free_memory", lambda: 0)
    x = samples(N * 40)[0][:, :5]
    t = numbers(x)
    t[N * 12 + 4] = 3
    t[N * 14 + 1] = -7  # later, and so not what is reported
    monkeypatch.setattr(np.random, "permutation", np.arange)
    run = warm(trainer(x=x, t=t, sampling="epoch"))
    while run.current_iter < 12:
        run.train_step()
    assert len(run.train_loss_list) == 12
    before = state_of(run)
    with pytest.raises(IndexError) as error:
        for _ in range(6):
            run.train_step()
        len(run.train_loss_list)
    words = "[step] t: expected numbers in 0 .. 2, got 3 as element 4"
    assert str(error.value) == words
    assert state_of(run) == before and run.current_iter == 12
    assert len(run.train_loss_list) == 12


@pytest.mark.parametrize("large", [np.inf, 1e30])
def test_a_number_that_is_not_finite_stops_before_its_step(monkeypatch, large):
    x = samples(N * 40)[0][:, :5].astype(np.float32)
    x[N * 9 + 2] = large
    monkeypatch.setattr(np.random, "permutation", np.arange)
    runs = [
        trainer(regression, x=x, t=x[:, :3], sampling="epoch", capture=capture)
        for capture in (True, False)
    ]
    words = []
    for run in runs:
        with pytest.raises(FloatingPointError) as error:
            run.train()
        words.append(str(error.value))
        assert run.current_iter == 9 and len(run.train_loss_list) == 9
    assert words[0] == words[1] and "at step 10" in words[0]
    assert runs[0].train_loss_list == runs[1].train_loss_list
    assert state_of(runs[0]) == state_of(runs[1])


def test_a_run_goes_on_after_an_error(monkeypatch):
    x = samples(N * 40)[0][:, :5]
    t = numbers(x)
    monkeypatch.setattr(np.random, "permutation", np.arange)
    run = warm(trainer(x=x, t=pynet.to_device(t), sampling="epoch"))
    data = run._data().t
    data[N * 8] = 5
    with pytest.raises(IndexError, match="got 5 as element 0"):
        for _ in range(6):
            run.train_step()
        len(run.train_loss_list)
    data[N * 8] = 0
    before = state_of(run)
    for _ in range(3):
        run.train_step()
    assert len(run.train_loss_list) == 11 and state_of(run) != before
