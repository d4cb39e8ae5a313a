"""What a recording on the GPU holds beside kernels: copies, labels; and what it refuses."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
from capture_cases import batches, eager, small
from device_ops import on_device_module
from test_cuda_capture import check, twins

import pynet
from pynet.layers import (
    Affine,
    BatchNormalization,
    Concat,
    Convolution,
    Relu,
    Reshape,
    Sequential,
)
from pynet.networks import Network
from pynet.optimizers import Adam

pytestmark = pytest.mark.usefixtures("device")
device = on_device_module


@pytest.mark.parametrize("there", [True, False])
def test_a_label_beyond_64_bits_is_told_as_it_was_given(there):
    net, rule, other, other_rule = twins(small, Adam)
    step = pynet.capture(net, rule)
    for x, t in batches((5,), 3, count=5):
        step(x, t), eager(other, other_rule, [(x, t)])
    t = t.astype(np.uint64)
    t[2] = 2**63 + 5
    move = pynet.to_device if there else np.asarray
    here = copy.deepcopy(other).to("cpu")
    words = []
    for call, labels in ((step, move(t)), (other.gradient, move(t)), (here.gradient, t)):
        with pytest.raises(IndexError) as error:
            call(x, labels)
        words.append(str(error.value).partition("] ")[2])
    assert words == ["t: expected numbers in 0 .. 2, got 9223372036854775813 as element 2"] * 3


def test_parts_along_the_channels():
    def make():
        branches = Concat(Convolution.sized(2, 1), Relu(), Sequential(Convolution.sized(3, 1)))
        layers = [Reshape(5, 1, 1), branches, BatchNormalization.sized(), Affine.sized(3)]
        return Network(layers, input_dim=(5,))

    step = check(make, Adam, batches((5,), 3))
    assert "copy" in [call.kernel for call in step.plan.calls]


def test_a_copy_is_recorded_and_refused_in_an_update(device):
    x = pynet.to_device(np.ones(3, np.float32))
    recording = device.Recording()
    for _ in range(2):
        recording.start()
        x.copy()
        recording.stop()
        recording.set_boundary()
    assert [row[0] for row in recording.rows()] == ["copy", "copy"]
    assert recording.first_copy() == 1


def test_a_recording_without_its_arrays_is_refused(device):
    x = pynet.to_device(np.ones((2, 3), np.float32))
    t = pynet.to_device(np.zeros(2, np.int64))
    recording = device.Recording()
    recording.start()
    pynet.ops.relu(x)
    recording.stop()
    words = re.escape("[step] x: expected the array of set_inputs(), got none")
    for call in (
        lambda: recording.feed(x, t),
        lambda: recording.feed_rows(x, t, np.arange(2)),
        lambda: recording.play(0, 1),
        lambda: recording.loss(0),
        recording.settle,
        recording.measure,
    ):
        with pytest.raises(ValueError, match=words):
            call()
    recording.set_inputs(x, t, 3)
    assert recording.play(0, 1)
    words = re.escape("[step] grads: expected the array of set_gradients(), got none")
    with pytest.raises(ValueError, match=words):
        recording.play_later()
