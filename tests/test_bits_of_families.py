"""The same bits for every number of threads: each layer, optimizer and loss in a short training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from layer_cases import LAYERS
from loss_cases import drawn, every_loss, log_probabilities, probabilities, shares

import pynet
from pynet.layers import (
    Affine,
    Convolution,
    Convolution1D,
    Flatten,
    Identity,
    LogSoftmax,
    Sequential,
    Sigmoid,
    Softmax,
)
from pynet.networks import Network
from pynet.optimizers import OPTIMIZERS, SGD, ClipNorm, MovingAverage, WeightDecay

N = 400  # rows enough for kernels to share them out
F32 = np.float32


@pytest.fixture(autouse=True)
def default_threads() -> Iterator[None]:
    yield
    pynet.set_num_threads(0)


def weights_after(threads, make_net, shape, targets, optimizer, steps=3):
    """The bytes of the weights, and of the losses, after a few steps on random numbers."""
    pynet.set_num_threads(threads)
    np.random.seed(0)
    pynet.seed(0)
    x = np.random.default_rng(1).standard_normal(shape).astype(F32)
    net, average, losses = make_net(), MovingAverage(0.9), []
    optimizer.add_hook(WeightDecay(1e-3)).add_hook(ClipNorm(1.0)).add_hook(average)
    before = net.params.flat.copy()
    for _ in range(steps):
        optimizer.update(net.params, net.gradient(x, targets))
        losses.append(net.last_loss)
    assert not np.array_equal(net.params.flat, before) and np.isfinite(losses).all()
    return net.params.flat.tobytes(), average.average.flat.tobytes(), repr(losses)


def same(*arguments, optimizer=lambda: SGD(0.1)):
    one = weights_after(1, *arguments, optimizer())
    for threads in (3, 4):
        assert weights_after(threads, *arguments, optimizer()) == one


FRONTS = {1: Affine.sized, 2: lambda C: Convolution1D.sized(C, 1)}


@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)
def test_layers(make, shape):
    shape = (N, *shape[1:])

    def net():
        front = FRONTS.get(len(shape) - 1, lambda C: Convolution.sized(C, 1))(shape[1])
        layers = Sequential(front, make(F32), Flatten(), Affine.sized(3))
        return Network(layers, input_dim=shape[1:])

    same(net, shape, np.arange(N) % 3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    def net():
        return Network(Sequential(Affine.sized(200), Affine.sized(10)), input_dim=(100,))

    same(net, (50, 100), np.arange(50) % 10, optimizer=OPTIMIZERS[name])


OUTPUTS = {probabilities: Softmax, log_probabilities: LogSoftmax, shares: Sigmoid}


@every_loss
def test_losses(case):
    _, t, _ = drawn(case, 2000, 30)

    def net():
        layers = Sequential(Affine.sized(30), OUTPUTS.get(case.x, Identity)())
        return Network(layers, case.layer(**case.options), input_dim=(20,))

    same(net, (2000, 20), t)
