"""MNIST until the test images are known, with the data on the device: seconds of each seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import pynet
from gpucheck.own import Own, Steps
from pynet.bench.nets import NETS, weights
from pynet.bench.rows import Training

EVALUATED = 1000  # images at a time


class Data(NamedTuple):
    """On the device: the images at each shift, labels; the test images."""

    shifted: list[Any]
    t: Any
    x_test: Any
    t_test: Any


class Seed(NamedTuple):
    seconds: float
    accuracies: list[float]  # after each epoch


def shifts(x: Any, most: int) -> Iterator[Any]:
    """The images moved by up to so many pixels up or down, left or right."""
    padded = np.pad(x, [(0, 0), (0, 0), (most, most), (most, most)])
    H, W = x.shape[2:]
    for dy in range(2 * most + 1):
        for dx in range(2 * most + 1):
            yield np.ascontiguousarray(padded[:, :, dy : dy + H, dx : dx + W])


def load(own: Own, shift: int) -> Data:
    """Raises OSError or ValueError where MNIST cannot be read."""
    from pynet.datasets import load_mnist

    (x, t), (x_test, t_test) = load_mnist(flatten=False)
    return put(own, x, t, x_test, t_test, shift)


def put(own: Own, x: Any, t: Any, x_test: Any, t_test: Any, shift: int) -> Data:
    moved = [own.put(each.astype(np.float32)) for each in shifts(x, shift)]
    labels = own.put(t.astype(np.int64))
    return Data(moved, labels, own.put(x_test.astype(np.float32)), t_test.astype(np.int64))


def train(own: Own, work: Training, data: Data, seed: int, epochs: int | None = None) -> Seed:
    """From new weights until the accuracy is reached, or the epochs are over."""
    rng = np.random.default_rng(seed)
    pynet.seed(seed)
    step, batch = work.step, work.step.batch
    own.wait()
    begin = time.perf_counter()
    captured = own.step(NETS[step.net], weights(NETS[step.net], seed), step)
    steps = Steps(captured, None, data.t)
    accuracies: list[float] = []
    for epoch in range(work.epochs if epochs is None else epochs):
        captured.optimizer.lr = step.lr * work.decay**epoch
        order = rng.permutation(len(data.t))
        places = rng.integers(0, len(data.shifted), len(order) // batch)
        for i, place in enumerate(places):
            steps(order[i * batch : (i + 1) * batch], data.shifted[place])
        steps.settle()
        known = captured.network.accuracy(data.x_test, data.t_test, EVALUATED)
        accuracies.append(float(known))
        if known >= work.accuracy:
            break
    own.wait()
    return Seed(time.perf_counter() - begin, accuracies)
