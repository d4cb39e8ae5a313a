"""pynet.capture: a replayed step is the eager step, bit for bit, or it is not replayed at all."""

from __future__ import annotations

import copy
import os
import re
import sys
import threading
import warnings

import numpy as np
import pytest

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
)
from pynet.losses import Huber, NegativeLogLikelihood
from pynet.networks import Network, TwoLayerNet
from pynet.optimizers import OPTIMIZERS, SGD, Adam
from pynet.recording import CapturedStep
from tests.capture_cases import N, batches, eager, everything, small, twins
from tests.layer_cases import LAYERS

# Their forward or backward computes in NumPy: the step stays eager, and says so.
NOT_RECORDED = {"PRelu", "PRelu of 4-D", "RRelu", "ChannelDropout"}


@pytest.mark.parametrize("loss", [Huber, NegativeLogLikelihood])
def test_a_loss_in_numpy_is_refused_by_its_name(loss):
    net = Network([Affine.sized(3)], loss(), input_dim=(5,))
    with pytest.warns(UserWarning, match=f"not recorded: {loss.__name__} computes in NumPy"):
        step = pynet.capture(net, SGD())
    other, rule = copy.deepcopy(net), SGD()
    for x, t in batches((5,), 3, count=4):
        t = t if loss is NegativeLogLikelihood else np.eye(3)[t]
        assert step(x, t) == eager(other, rule, [(x, t)])[0]


def net_around(name, dtype):
    """A net with the layer in the middle, so that it gets a gradient and must give one."""
    make, shape = LAYERS[name]
    front = Affine.sized(int(np.prod(shape[1:])))
    layers = [front, *([] if len(shape) == 2 else [Reshape(*shape[1:])]), make(dtype)]
    return Network(Sequential(*layers, Affine.sized(3)), input_dim=(5,), dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_replays_bit_for_bit_or_is_refused(name, dtype):
    net, optimizer, other, other_optimizer = twins(lambda: net_around(name, dtype), SGD)
    step = CapturedStep(net, optimizer)
    data = batches((5,), 3, dtype)
    losses = [step(x, t) for x, t in data]
    assert losses == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)
    if name in NOT_RECORDED:
        assert step.refusal and step.replays == 0
    else:
        assert step.refusal is None
        assert step.replays == len(data) - 3


@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_every_optimizer_replays_bit_for_bit(cls):
    net, optimizer, other, other_optimizer = twins(small, cls)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3, count=8)
    losses = []
    for i, (x, t) in enumerate(data):
        if "lr" in optimizer.numbers:
            optimizer.lr = other_optimizer.lr = 0.01 * (i + 1)
        losses.append(step(x, t))
        other_optimizer.update(other.params, other.gradient(x, t))
        assert losses[-1] == other.last_loss
    assert everything(net, optimizer) == everything(other, other_optimizer)
    assert step.replays == 5


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_the_bits(threads):
    def make():
        conv = Convolution.sized(16, 3, pad=1)
        layers = (conv, BatchNormalization.sized(), Relu(), Pooling(2, 2), Dropout(0.3))
        return Network(Sequential(*layers, Affine.sized(3)), input_dim=(3, 40, 40))

    net, optimizer, other, other_optimizer = twins(make, Adam)
    data = batches((3, 40, 40), 3)
    step = pynet.capture(net, optimizer)
    before = pynet.num_threads()
    try:
        pynet.set_num_threads(threads)
        losses = [step(x, t) for x, t in data]
    finally:
        pynet.set_num_threads(before)
    assert losses == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (IdentityWithLoss, lambda rng: rng.standard_normal((N, 3))),
        (SigmoidWithLoss, lambda rng: rng.integers(0, 2, (N, 3)).astype(np.float32)),
        (None, lambda rng: np.eye(3)[rng.integers(0, 3, N)]),
    ],
)
def test_targets_of_every_kind(loss, targets):
    def make():
        last = None if loss is None else loss()
        return Network([Affine.sized(4), Relu(), Affine.sized(3)], last, input_dim=(5,))

    net, optimizer, other, other_optimizer = twins(make, SGD)
    rng = np.random.default_rng(1)
    data = [(x, targets(rng)) for x, _ in batches((5,), 3)]
    step = pynet.capture(net, optimizer)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert step.replays == 3
    assert everything(net, optimizer) == everything(other, other_optimizer)


def test_calls_that_one_kernel_makes_become_one():
    """Convolution, ReLU and pooling; what a network of chapter 8 is made of."""

    def make():
        conv, other = Convolution.sized(5, 3, pad=1), Convolution.sized(4, 3)
        body = (conv, Relu(), Pooling(2, 2), other, BatchNormalization.sized(), Relu())
        layers = (*body, Pooling(2, 2, 1), Affine.sized(7), Relu(), Affine.sized(3))
        return Network(Sequential(*layers), input_dim=(2, 12, 12))

    net, optimizer, other, other_optimizer = twins(make, Adam)
    step = pynet.capture(net, optimizer)
    data = batches((2, 12, 12), 3)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)
    kernels = [call.kernel for call in step.plan.calls]
    assert "conv2d + relu + max_pool2d" in kernels
    assert "batch_norm + relu" in kernels
    assert "gemm + relu" in kernels
    assert kernels.count("max_pool2d_backward + relu_backward") == 2
    assert "softmax_cross_entropy + softmax_cross_entropy_backward" in kernels
    assert "relu" not in kernels


@pytest.mark.parametrize("classes", [20, 65, 100])
def test_gaps_between_the_gradients_stay_zero(classes):
    """Scores of the size of the gradients must not have lain where these are."""
    net, optimizer, other, other_optimizer = twins(
        lambda: Network([Affine.sized(classes)], input_dim=(5,)), Adam
    )
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert step.replays > 0, step.refusal


def test_integers_lists_and_strides_are_batches_too():
    net, optimizer, other, other_optimizer = twins(lambda: TwoLayerNet(5, 4, 3), SGD)
    data = [
        *batches((5,), 3, count=4),
        (np.arange(2 * N * 5).reshape(N, 10)[:, ::2], np.arange(N) % 3),
        (np.ones((N, 5), np.float64) / 3, np.zeros(N, np.uint8)),
        ([[1.0] * 5] * N, [0] * N),
    ]
    step = pynet.capture(net, optimizer)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)


def test_a_batch_is_read_where_it_lies_and_let_go():
    net, optimizer, other, other_optimizer = twins(lambda: TwoLayerNet(5, 4, 3), SGD)
    store = np.random.default_rng(3).standard_normal(9 * N * 5 + 1).astype(np.float32)
    places = [slice(i * N * 5 + 1, (i + 1) * N * 5 + 1) for i in range(9)]  # on no boundary
    data = [(store[place].reshape(N, 5), np.arange(N) % 3) for place in places]
    data += [(data[0][0][::-1], data[0][1])]  # must be copied
    data += [(data[0][0].copy(), data[0][1])]
    x = data[-1][0]
    references = sys.getrefcount(x)
    step = pynet.capture(net, optimizer)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)
    assert step.replays == len(data) - 3
    other.predict(data[0][0])  # the eager twin lets go of it too
    assert sys.getrefcount(x) == references


def test_a_smaller_batch_runs_in_between():
    net, optimizer, other, other_optimizer = twins(small, Adam)
    data = batches((5,), 3, count=12)
    for i in (5, 8, 11):
        data[i] = data[i][0][:2], data[i][1][:2]
    step = pynet.capture(net, optimizer)
    assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)
    assert step.replays == 12 - 3 - 3


def test_a_label_out_of_range_changes_nothing():
    net, optimizer, _, _ = twins(small, Adam)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    for x, t in data:
        step(x, t)
    before = everything(net, optimizer)
    for bad in (3, -1, 2**40):
        t = data[0][1].copy()
        t[4] = bad
        with pytest.raises(IndexError, match=re.escape(f"got {bad} as element 4")):
            step(data[0][0], t)
        with pytest.raises(IndexError, match=re.escape(f"got {bad} as element 4")):
            step.run_rows(data[0][0], t, np.arange(N))
        assert everything(net, optimizer) == before
    with pytest.raises(IndexError, match="index"):
        step.run_rows(*data[0], np.array([0, 1, 2, 3, 4, N]))
    with pytest.raises(ValueError, match="expected"):
        step(np.zeros((N, 4), np.float32), data[0][1])
    assert everything(net, optimizer) == before


def test_settings_changed_on_the_way_count():
    def change(net, optimizer, i):
        if i == 5:
            net.layers["Dropout1"].dropout_ratio = 0.1
        if i == 9:
            net.layers["BatchNorm1"].momentum = 0.5
        if i == 12:
            net.params["W1"] = np.ones_like(net.params["W1"]) / 7
            net.layers["Affine2"].b = np.ones(7)
        if i == 14:
            net.layers["BatchNorm2"].running_mean = np.full(7, 0.5, np.float32)
        if i == 17:
            net.predict(np.ones((3, 5)), False)
        if i == 18:
            pynet.seed(3)

    net, optimizer, other, other_optimizer = twins(small, SGD)
    step = pynet.capture(net, optimizer)
    pairs = [(net, optimizer), (other, other_optimizer)]
    data = batches((5,), 3, count=24)
    for i, (x, t) in enumerate(data):
        change(*pairs[0], i)
        change(*pairs[1], i)
        assert step(x, t) == eager(other, other_optimizer, [(x, t)])[0], i
    assert everything(net, optimizer) == everything(other, other_optimizer)
    assert step.replays > 8


def test_statistics_put_back_after_every_epoch_do_not_end_the_recording():
    net, optimizer, other, other_optimizer = twins(small, SGD)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3, count=20)
    for _ in range(12):
        for one in (net, other):
            for slot in one.named_state():
                setattr(slot.layer, slot.name, copy.copy(slot.value))
        assert [step(x, t) for x, t in data] == eager(other, other_optimizer, data)
    assert everything(net, optimizer) == everything(other, other_optimizer)
    assert step.refusal is None
    assert step.replays > 12 * 17 - 3


def test_settings_that_never_stay_end_it():
    net, optimizer, other, other_optimizer = twins(small, SGD)
    step = pynet.capture(net, optimizer)
    for i, (x, t) in enumerate(batches((5,), 3, count=60)):
        for one in (net, other):
            one.layers["Dropout1"].dropout_ratio = 0.1 + 0.01 * (i // 3)
        assert step(x, t) == eager(other, other_optimizer, [(x, t)])[0]
    assert "change all the time" in step.refusal


def test_arrays_held_by_others_are_not_overwritten():
    net, optimizer, _, _ = twins(small, Adam)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    for x, t in data:
        step(x, t)
    grads = net.gradient(*data[0])
    scores = net.predict(data[0][0])
    kept = grads.flat.copy(), scores.copy()
    for x, t in data:
        step(x, t)
    assert (grads.flat == kept[0]).all()
    assert (scores == kept[1]).all()


def test_another_algorithm_chosen_on_the_way():
    net, optimizer, other, other_optimizer = twins(small, Adam)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    losses = []
    try:
        for on in (True, False, True):
            pynet.set_winograd(on)
            losses += [step(x, t) for x, t in data]
    finally:
        pynet.set_winograd(True)
    assert losses == eager(other, other_optimizer, 3 * data)
    assert everything(net, optimizer) == everything(other, other_optimizer)
    assert step.replays > 6


def test_memory_is_given_back():
    def live():
        net = TwoLayerNet(50, 40, 10)
        step = pynet.capture(net, SGD())
        for x, t in batches((50,), 10):
            step(x, t)
        return step.plan.bytes

    live()
    before = pynet.memory()["in_use"]
    assert live() > 0
    assert pynet.memory()["in_use"] <= before


def test_no_memory_is_asked_for_in_a_replay():
    net, optimizer, _, _ = twins(small, Adam)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    for x, t in data:
        step(x, t)
    before = pynet.memory()["system_allocations"]
    for x, t in data:
        step(x, t)
    assert pynet.memory()["system_allocations"] == before


def test_the_plan_is_a_table():
    net, optimizer, _, _ = twins(small, Adam)
    step = pynet.capture(net, optimizer)
    for x, t in batches((5,), 3):
        step(x, t)
    calls = step.plan.calls
    assert [call.kernel for call in calls[:2]] == ["gemm", "batch_norm + relu"]
    assert calls[0].operations == 2 * N * 5 * 8
    assert calls[0].bytes == 4 * (N * 5 + 5 * 8 + 8 + N * 8)
    assert calls[-1].kernel == "adam_update"
    assert all(call.seconds > 0 for call in calls)
    text = str(step.plan)
    assert "Affine1 forward" in text
    assert f"{len(calls)} calls" in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "MultiLayerNetExtend, Adam, x (6, 5)" in repr(step)


def test_two_threads_with_a_step_each():
    results = {}

    def train(seed):
        net = TwoLayerNet(50, 40, 10)
        for key, param in net.params.items():
            net.params[key] = np.random.default_rng(seed).standard_normal(param.shape)
        step = pynet.capture(net, SGD())
        results[seed] = [step(x, t) for x, t in batches((50,), 10, count=40, seed=seed)]

    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = dict(results)
    for seed in range(4):
        train(seed)
    assert results == together


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_goes_on():
    net, optimizer, other, other_optimizer = twins(small, SGD)
    step = pynet.capture(net, optimizer)
    data = batches((5,), 3)
    for x, t in data:
        step(x, t)
    expected = eager(other, other_optimizer, [*data, data[0]])[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if step(*data[0]) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
