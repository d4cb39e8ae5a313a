"""pynet.capture on the device: a graph that is replayed is the eager step, bit for bit.

On the executor of tests/cuda_host a graph is the list of what its stream was told to do.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import capture_cases
import numpy as np
import pytest
from capture_cases import N, batches, eager, small
from device_ops import on_device_module
from layer_cases import LAYERS

import pynet
from pynet.layers import (
    Affine,
    BatchNormalization,
    Convolution,
    Dropout,
    IdentityWithLoss,
    Pooling,
    Relu,
    Reshape,
    Sequential,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
)
from pynet.losses import (
    CrossEntropy,
    Huber,
    KullbackLeibler,
    LogCosh,
    MeanAbsoluteError,
    MultiClassHinge,
    NegativeLogLikelihood,
    SquaredHinge,
)
from pynet.networks import Network, TwoLayerNet
from pynet.optimizers import OPTIMIZERS, SGD, Adam, ClipNorm
from pynet.recording import CapturedStep

pytestmark = pytest.mark.usefixtures("device")
device = on_device_module

IN_NUMPY = {"PRelu", "PRelu of 4-D", "RRelu"}


def twins(make, optimizer):
    net, rule, other, other_rule = capture_cases.twins(make, optimizer)
    return net.to("cuda"), rule, other.to("cuda"), other_rule


def everything(net, optimizer):
    """All bits that a step changes."""
    arrays = {slot.key: slot.value for slot in net.named_state()} | {"params": net.params.flat}
    for name, store in zip(optimizer.state_names, optimizer.states, strict=True):
        arrays[name] = store.flat
    bits = {key: pynet.to_numpy(array).tobytes() for key, array in arrays.items()}
    return bits, {**optimizer.numbers, "loss": net.last_loss}


def check(make, optimizer, data, replays=None):
    """Run the data through a captured step and its eager twin; return the step."""
    net, rule, other, other_rule = twins(make, optimizer)
    step = CapturedStep(net, rule)
    assert [step(x, t) for x, t in data] == eager(other, other_rule, data)
    assert everything(net, rule) == everything(other, other_rule)
    assert step.replays == (len(data) - 3 if replays is None else replays), step.refusal
    return step


def net_around(name, dtype):
    """A net with the layer in the middle, so that it gets a gradient and must give one."""
    make, shape = LAYERS[name]
    front = Affine.sized(int(np.prod(shape[1:])))
    layers = [front, *([] if len(shape) == 2 else [Reshape(*shape[1:])]), make(dtype)]
    return Network(Sequential(*layers, Affine.sized(3)), input_dim=(5,), dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in LAYERS if name not in IN_NUMPY])
def test_every_layer(name, dtype):
    data = batches((5,), 3, dtype, count=5)
    step = check(lambda: net_around(name, dtype), SGD, data)
    assert step.refusal is None


@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_every_optimizer_with_a_rate_that_changes(cls):
    net, rule, other, other_rule = twins(small, cls)
    step = pynet.capture(net, rule)
    for i, (x, t) in enumerate(batches((5,), 3, count=7)):
        if "lr" in rule.numbers:
            rule.lr = other_rule.lr = 0.01 * (i + 1)
        assert step(x, t) == eager(other, other_rule, [(x, t)])[0]
    assert everything(net, rule) == everything(other, other_rule)
    assert step.replays == 4


@pytest.mark.parametrize("classes", [3, 70, 1000, 1500, 8200])
@pytest.mark.parametrize("soft", [False, True])
def test_the_loss_with_its_gradient(classes, soft):
    """One call that reads the scores once, in each of the ways that rows are held."""
    rng = np.random.default_rng(classes)
    targets = [rng.integers(0, classes, N) for _ in range(5)]
    if soft:
        targets = [np.eye(classes)[t] * 0.75 for t in targets]
    inputs = [x for x, _ in batches((5,), 3, count=5)]
    step = check(
        lambda: Network([Affine.sized(classes)], SoftmaxWithLoss(), input_dim=(5,)),
        SGD,
        list(zip(inputs, targets, strict=True)),
    )
    kernels = [call.kernel for call in step.plan.calls]
    assert "softmax_cross_entropy + softmax_cross_entropy_backward" in kernels


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (IdentityWithLoss, lambda rng: rng.standard_normal((N, 3))),
        (SigmoidWithLoss, lambda rng: rng.integers(0, 2, (N, 3)).astype(np.float32)),
        (SoftmaxWithLoss, lambda rng: np.eye(3)[rng.integers(0, 3, N)]),
        (SoftmaxWithLoss, lambda rng: rng.integers(0, 3, N).astype(np.uint8)),
    ],
)
def test_targets_of_every_kind(loss, targets):
    rng = np.random.default_rng(1)
    layers = [Affine.sized(4), Relu(), Affine.sized(3)]
    check(
        lambda: Network(layers, loss(), input_dim=(5,)),
        SGD,
        [(x, targets(rng)) for x, _ in batches((5,), 3)],
    )


def test_calls_that_one_kernel_makes_become_one():
    def make():
        conv, other = Convolution.sized(3, 3, pad=1), Convolution.sized(4, 3)
        body = (conv, Relu(), Pooling(2, 2), other, BatchNormalization.sized(), Relu())
        layers = (*body, Pooling(2, 2, 1), Affine.sized(7), Relu(), Affine.sized(3))
        return Network(Sequential(*layers), input_dim=(2, 10, 10))

    step = check(make, Adam, batches((2, 10, 10), 3, count=5))
    kernels = [call.kernel for call in step.plan.calls]
    for kernel in ("conv2d + relu + max_pool2d", "batch_norm + relu", "gemm + relu"):
        assert kernel in kernels
    assert "relu" not in kernels


@pytest.mark.parametrize("there", [True, False])
def test_batches_from_either_side(there):
    data = batches((5,), 3, count=6)
    given = [(pynet.to_device(x), pynet.to_device(t)) for x, t in data] if there else data
    check(small, Adam, given)


@pytest.mark.parametrize("there", [True, False])
def test_rows_by_number(there):
    net, rule, other, other_rule = twins(small, Adam)
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((20, 5)).astype(np.float32), rng.integers(0, 3, 20)
    given = (pynet.to_device(x), pynet.to_device(t)) if there else (x, t)
    step = CapturedStep(net, rule)
    for _ in range(6):
        rows = rng.integers(0, 20, N)
        assert step.run_rows(*given, rows) == eager(other, other_rule, [(x[rows], t[rows])])[0]
    assert everything(net, rule) == everything(other, other_rule)
    assert step.replays == 3


def test_a_smaller_batch_runs_in_between():
    data = batches((5,), 3, count=9)
    for i in (5, 8):
        data[i] = data[i][0][:2], data[i][1][:2]
    check(small, Adam, data, 9 - 3 - 2)


@pytest.mark.parametrize("there", [True, False])
def test_a_label_out_of_range_changes_nothing(there):
    net, rule, _, _ = twins(small, Adam)
    step = pynet.capture(net, rule)
    data = batches((5,), 3, count=5)
    for x, t in data:
        step(x, t)
    before = everything(net, rule)
    move = pynet.to_device if there else np.asarray
    for bad in (3, -1, 2**40):
        t = data[0][1].copy()
        t[4] = bad
        given = move(data[0][0]), move(t)
        for rows in ((), (np.arange(N),)):
            with pytest.raises(IndexError, match=re.escape(f"got {bad} as element 4")):
                (step.run_rows if rows else step)(*given, *rows)
            assert everything(net, rule) == before
    with pytest.raises(IndexError, match="index"):
        step.run_rows(*map(move, data[0]), np.array([0, 1, 2, 3, 4, N]))
    with pytest.raises(ValueError, match="expected"):
        step(np.zeros((N, 4), np.float32), data[0][1])
    assert everything(net, rule) == before
    step(*data[0])


def test_settings_changed_on_the_way_count():
    def change(net, i):
        if i == 5:
            net.layers["Dropout1"].dropout_ratio = 0.1
        if i == 8:
            net.params["W1"] = np.full(net.params["W1"].shape, 0.25, np.float32)
        if i == 10:
            net.layers["BatchNorm2"].running_mean = np.full(7, 0.5, np.float32)
        if i == 13:
            pynet.seed(3)

    net, rule, other, other_rule = twins(small, SGD)
    step = pynet.capture(net, rule)
    for i, (x, t) in enumerate(batches((5,), 3, count=18)):
        change(net, i)
        change(other, i)
        assert step(x, t) == eager(other, other_rule, [(x, t)])[0], i
    assert everything(net, rule) == everything(other, other_rule)
    assert step.replays > 6


def test_a_network_that_moves_is_recorded_anew():
    net, rule, other, other_rule = twins(lambda: TwoLayerNet(5, 4, 3), SGD)
    step = pynet.capture(net, rule)
    data = batches((5,), 3, count=5)
    for where in ("cuda", "cpu", "cuda"):
        net.to(where), other.to(where)
        assert [step(x, t) for x, t in data] == eager(other, other_rule, data)
    assert step.replays == 6
    assert everything(net, rule) == everything(other, other_rule)


@pytest.mark.parametrize(
    ("make", "rule", "reason"),
    [
        (lambda: TwoLayerNet(5, 4, 3), lambda: SGD().add_hook(ClipNorm()), "ClipNorm is a hook"),
        (
            lambda: Network(
                [Affine.sized(4), Affine.sized(3)],
                SoftmaxWithLoss(label_smoothing=0.1),
                input_dim=(5,),
            ),
            SGD,
            "SoftmaxWithLoss computes in NumPy",
        ),
    ],
)
def test_what_stays_eager(make, rule, reason):
    step = check(make, rule, batches((5,), 3), 0)
    assert reason in step.refusal


def test_another_thread_and_another_algorithm(device):
    net, rule, other, other_rule = twins(small, Adam)
    step = pynet.capture(net, rule)
    data = batches((5,), 3, count=6)
    losses = []

    def run():
        losses.extend(step(x, t) for x, t in data)

    run()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    run()
    assert step.replays == 3 + 3 + 3
    device.set_winograd(not device.winograd())
    run()
    device.set_winograd(not device.winograd())
    assert losses == eager(other, other_rule, 4 * data)
    assert everything(net, rule) == everything(other, other_rule)
    assert step.replays == 3 + 3 + 3 + 2


def test_a_step_that_waits_after_each_launch():
    code = """
from test_cuda_capture import *
from device_ops import device_module
pynet.backend.use_device(device_module())
print(check(small, Adam, batches((5,), 3)).replays)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYNET_CUDA_SYNC": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stdout == "3\n", result.stderr


def test_memory_is_given_back(device):
    def live():
        net = TwoLayerNet(50, 40, 10).to("cuda")
        step = pynet.capture(net, SGD())
        for x, t in batches((50,), 10, count=5):
            step(x, t)
        return step.plan.bytes

    live()
    before = device.memory()["in_use"]
    assert live() > 0
    assert device.memory()["in_use"] <= before


def test_no_memory_is_asked_for_in_a_replay(device):
    net, rule, _, _ = twins(small, Adam)
    step = pynet.capture(net, rule)
    data = [(pynet.to_device(x), pynet.to_device(t)) for x, t in batches((5,), 3)]
    for x, t in data:
        step(x, t)
    before = device.memory()
    for x, t in data:
        step(x, t)
    assert device.memory() == before


def test_the_plan_is_a_table():
    net, rule, _, _ = twins(small, Adam)
    step = pynet.capture(net, rule)
    for x, t in batches((5,), 3):
        step(x, t)
    calls = step.plan.calls
    assert [call.kernel for call in calls[:2]] == ["gemm", "batch_norm + relu"]
    assert calls[-1].kernel == "adam_update"
    assert all(call.seconds > 0 for call in calls)
    text = str(step.plan)
    assert "Affine1 forward" in text and f"{len(calls)} calls" in text
    assert text.endswith(f" {step.plan.recording.nodes()} nodes in the graph")


def test_looking_at_the_plan_changes_nothing():
    net, rule, other, other_rule = twins(small, Adam)
    step = pynet.capture(net, rule)
    for i, (x, t) in enumerate(batches((5,), 3, count=8)):
        assert step(x, t) == eager(other, other_rule, [(x, t)])[0]
        if i == 5:
            str(step.plan)
    assert everything(net, rule) == everything(other, other_rule)
    assert step.replays == 5


IN_NUMPY_LOSSES = [
    CrossEntropy, Huber, KullbackLeibler, LogCosh, MeanAbsoluteError, MultiClassHinge,
    NegativeLogLikelihood, SquaredHinge,
]  # fmt: skip


@pytest.mark.parametrize("loss", IN_NUMPY_LOSSES)
def test_a_loss_in_numpy_says_so(loss):
    rng = np.random.default_rng(2)
    shape = (N, 3)
    targets = {
        SquaredHinge: np.sign(rng.standard_normal(shape)),
        **dict.fromkeys((Huber, LogCosh, MeanAbsoluteError), rng.standard_normal(shape)),
    }
    data = [(x, targets.get(loss, t)) for x, t in batches((5,), 3)]
    layers = [Affine.sized(3), *([Softmax()] if loss is CrossEntropy else [])]
    step = check(lambda: Network(layers, loss(), input_dim=(5,)), SGD, data, 0)
    assert step.refusal == f"{loss.__name__} computes in NumPy"


def test_dropout_draws_new_numbers_in_every_replay():
    layers = [Affine.sized(30), Dropout(0.5), Affine.sized(3)]
    (data,) = batches((5,), 3, count=1)
    net, rule, _, _ = twins(lambda: Network(layers, input_dim=(5,)), lambda: SGD(0.0))
    step = CapturedStep(net, rule)
    losses = [step(*data) for _ in range(6)]
    assert len(set(losses)) == 6 and step.replays == 3
