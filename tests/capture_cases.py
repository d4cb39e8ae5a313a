"""What the tests of pynet.capture share."""

from __future__ import annotations

import copy

import numpy as np

import pynet
from pynet.networks import MultiLayerNetExtend

N = 6


def batches(shape, classes, dtype=np.float32, count=6, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal((N, *shape)).astype(dtype), rng.integers(0, classes, N))
        for _ in range(count)
    ]


def eager(net, optimizer, data):
    losses = []
    for x, t in data:
        optimizer.update(net.params, net.gradient(x, t))
        losses.append(net.last_loss)
    return losses


def everything(net, optimizer):
    """All bits that a step changes."""
    state = {slot.key: np.array(slot.value) for slot in net.named_state()}
    arrays = {"params": net.params.flat, **state}
    for name, store in zip(optimizer.state_names, optimizer.states, strict=True):
        arrays[name] = store.flat
    numbers = {**optimizer.numbers, "loss": net.last_loss}
    return {key: array.tobytes() for key, array in arrays.items()}, numbers


def twins(make, optimizer):
    """Two equal nets with equal optimizers: dropout's numbers too."""
    np.random.seed(0)
    pynet.seed(0)
    net = make()
    other = copy.deepcopy(net)
    return net, optimizer(), other, optimizer()


def small():
    return MultiLayerNetExtend(5, [8, 7], 3, use_batchnorm=True, use_dropout=True)
