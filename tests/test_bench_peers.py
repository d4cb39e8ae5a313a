"""Peers that need no other package: they compute what pynet computes; and `pynet bench`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import pynet
from pynet.bench import nets, peers
from pynet.bench.nets import Affine, Conv, Dropout, MaxPool, Relu
from pynet.bench.peers.book_style import BatchNormalization, Convolution, Pooling
from pynet.bench.process import batches, started
from pynet.bench.ratios import agree
from pynet.bench.rows import ROWS, Step
from pynet.cli import main


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    yield
    pynet.set_num_threads(0)


SMALL = nets.Net(
    (Conv(3, 3, 1, 2), Relu(), MaxPool(), Affine(8), nets.BatchNorm(), Relu(), Affine(10)),
    (2, 8, 8),
)


def losses(name: str, net: nets.Net, optimizer: str, rates: list[float]) -> list[float]:
    model = peers.make(name, 1).model(net, nets.weights(net), Step("", 5, optimizer, rates[0]))
    found = []
    for rate, (x, t) in zip(rates, batches(net, 5, len(rates), 1)):
        model.set_rate(rate)
        found.append(model.step(x, t))
    x, _ = batches(net, 5, 1, 9)[0]
    return found + np.asarray(model.predict(x)).ravel().tolist()


@pytest.mark.parametrize("optimizer", ["SGD", "Momentum", "Adam"])
def test_the_book_s_way_and_pynet_s_agree(optimizer: str) -> None:
    rates = [0.01, 0.01, 0.005, 0.002]
    plain = nets.Net(tuple(x for x in SMALL.layers if not isinstance(x, nets.BatchNorm)), (2, 8, 8))
    found = {name: losses(name, plain, optimizer, rates) for name in ("pynet", "book")}
    eager = losses("pynet-eager", plain, optimizer, rates)
    assert agree(found["pynet"], found["book"], 1e-5) is None
    assert agree(found["pynet"], eager, 0.0) is None
    assert min(len(set(values)) for values in found.values()) > 10  # each loss is another


def test_batch_norm_trains_alike() -> None:
    found = {name: losses(name, SMALL, "SGD", [0.1] * 4)[:4] for name in ("pynet", "book")}
    assert agree(found["pynet"], found["book"], 1e-5) is None


def test_the_book_s_gradient_of_the_image() -> None:
    """Central differences, through all layers that have windows or statistics."""
    rng = np.random.default_rng(0)
    W, gamma = rng.standard_normal((3, 2, 3, 3)), rng.standard_normal(12)
    x, dout = rng.standard_normal((4, 2, 4, 4)), rng.standard_normal((4, 12))

    def value() -> float:
        return float(np.sum(forward() * dout))

    layers = [Convolution(Conv(3, 3, 1), W, np.zeros(3)), Pooling(2)]
    norm = BatchNormalization(gamma, gamma)

    def forward() -> np.ndarray:
        y = x
        for layer in layers:
            y = layer.forward(y, True)
        return norm.forward(y.reshape(4, -1), True)

    forward()
    dx = norm.backward(dout).reshape(4, 3, 2, 2)
    for layer in reversed(layers):
        dx = layer.backward(dx)
    for place in [(0, 0, 0, 0), (1, 1, 3, 2), (3, 0, 2, 1)]:
        before = x[place]
        x[place] = before + 1e-6
        above = value()
        x[place] = before - 1e-6
        slope = (above - value()) / 2e-6
        x[place] = before
        assert dx[place] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_dropout_is_for_training() -> None:
    net = nets.Net((Affine(50), Dropout(0.5), Affine(10)), (20,))
    for name in ("pynet", "book"):
        model = peers.make(name, 1).model(net, nets.weights(net), Step("", 5, "SGD", 0.1))
        x, t = batches(net, 5, 1, 1)[0]
        model.step(x, t)
        assert np.array_equal(model.predict(x), np.asarray(model.predict(x)))


def test_a_step_hands_over_what_it_is_given() -> None:
    """Another batch in the same place is another step: no peer may keep what it saw before."""
    net = nets.NETS["two-layer"]
    (x, t), (other, u) = batches(net, 10, 2, 1)
    for name in ("pynet", "pynet-eager", "book"):
        ways = []
        for reused in (False, True):
            model = peers.make(name, 1).model(net, nets.weights(net), Step("", 10, "SGD", 0.1))
            place = x.copy()
            first = model.step(place, t)
            if reused:
                place[...] = other
            ways.append((first, model.step(place if reused else other, u)))
        assert ways[0] == ways[1]


# ---- in processes of their own -------------------------------------------------------------------

LIGHT = ("step/two-layer-10", "infer/simple-conv-1", "softmax_cross_entropy/100x10")
KERNELS = (
    "batch_norm_relu/100x100x1x1",
    "adam_update/16384",
    "max_pool2d_backward/2x2",
    "avg_pool2d/2x2",
    "avg_pool2d_backward/2x2",
    "global_avg_pool2d/32x64x56x56",
    "global_avg_pool2d_backward/32x64x56x56",
)


@pytest.mark.parametrize("name", [n for n in peers.PEERS if n not in ("pynet", "torch-compile")])
def test_a_peer_computes_the_same(name: str) -> None:
    if name not in peers.available():
        pytest.skip(f"{name} is not installed")
    both, absent = started(["pynet", name], 1, 0.001)
    try:
        assert absent == [] and len(both) == 2
        compared = 0
        for row in (*LIGHT, *KERNELS):
            (_, ours), (state, theirs) = (process.prepare(row) for process in both)
            assert state in ("ready", "unsupported"), (row, theirs)
            if state == "ready":
                compared += 1
                assert agree(ours, theirs, ROWS[row].tolerance) is None, row
                assert both[1].time().seconds > 0
        assert compared > 0 or name == "numpy"
    finally:
        for process in both:
            process.close()


# ---- pynet bench -------------------------------------------------------------------------------


def test_pynet_bench(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--peers", "book", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[3].split() == ["row", "T", "time", "GFLOP/s", "best", "book", "disturbed"]
    for line, name in zip(lines[4:6], ("step/two-layer-100", "infer/simple-conv-1")):
        assert re.match(rf"{name} +1 +\d\S* [mu]s +\d+\.\d+ +- +\d+\.\d\dx", line), line
    assert re.fullmatch(r"\d+ disturbed samples taken again; of the 12 kept .*", lines[-1])


def test_pynet_bench_knows_its_peers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--peers", "nobody"]) == 1
    assert re.fullmatch(
        r"pynet: error: --peers: expected some of pynet-eager, .*, got 'nobody'\n",
        capsys.readouterr().err,
    )
