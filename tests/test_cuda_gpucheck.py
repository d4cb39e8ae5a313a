"""Every row of bench/gpucheck once, on next to nothing: before a GPU is there to measure it.

With the executor of tests/cuda_host, or on a GPU.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_ops import on_device_module

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from gpucheck import measure, mnist
from gpucheck.own import Own
from gpucheck.report import text
from gpucheck.rows import COPY, TABLE, tiny
from gpucheck.timing import Plan
from pynet.bench.nets import NETS, Affine, Conv, Dropout, MaxPool, Net, Relu
from pynet.bench.rows import Kernel, Step, Training

device = on_device_module
ONCE = Plan(rounds=2, seconds=0.0)
KERNELS = [name for name, row in TABLE.items() if isinstance(row.work, Kernel)]
SMALL = Net((Conv(2, 3), Relu(), MaxPool(), Dropout(), Affine(10)), (1, 8, 8))
STEPS = [name for name, row in TABLE.items() if isinstance(row.work, Step)]


@pytest.fixture
def bench(device: Any) -> measure.Bench:
    made = measure.Bench(Own(device, events=False), None, ONCE)
    made.copy(tiny(COPY))
    return made


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel(bench: measure.Bench, name: str) -> None:
    row = tiny(TABLE[name])
    found = bench.row(row)
    assert found["row"] == name and "failed" not in found
    assert found["seconds"] > 0 and found["peer"] == "none"
    assert ("tflops" in found) == name.startswith(("gemm", "conv", "first"))
    assert ("share" in found) == name.startswith("pass")
    if name.startswith("gemm"):
        bound = {"float32": 1e-6, "tf32x3": 2e-6, "bfloat16": 2e-2}[row.precision]
        assert 0 < found["error"] < bound
    assert bench.own.module.precision() == "float32"


@pytest.mark.parametrize("fails", [False, True])
def test_short_kernels_are_replayed(
    bench: measure.Bench, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """With a stand-in for the graph, which makes so many calls."""

    def replay(call: Any, count: int) -> Any:
        if fails:
            raise ValueError("no graph")
        return lambda: [call() for _ in range(count)]

    monkeypatch.setattr(bench.own, "stream", 1, raising=False)
    monkeypatch.setattr(bench.own, "replay", replay)
    monkeypatch.setattr(measure, "REPLAYED_BELOW", 100.0)
    found = bench.row(tiny(TABLE["gemm/fp32/512x512x512"]))
    if fails:
        assert found["replayed"] == {"failed": "ValueError: no graph"}
        assert "not replayed: ValueError" in text(found)
    else:
        assert 0 < found["replayed"]["seconds"] and found["replayed"]["peer"] == "none"
        assert "replayed: " in text(found)
    assert "replayed" not in bench.row(tiny(TABLE["pass/adam_update"]))


@pytest.mark.parametrize("op", ["softmax_cross_entropy", "batch_norm_relu_backward", "copy"])
def test_what_a_kernel_computes(device: Any, op: str) -> None:
    """The calls of the row as NumPy would have it, on arrays that are not zeros."""
    row = tiny(COPY if op == "copy" else TABLE[f"pass/{op}"])
    assert isinstance(row.work, Kernel)
    inputs = measure.inputs_of(row.work)
    call = Own(device, events=False).kernel(row.work, inputs)
    call()
    y = call().to_numpy()
    if op == "copy":
        exact = inputs["x"]
    elif op == "softmax_cross_entropy":
        e = np.exp(inputs["x"] - inputs["x"].max(axis=1, keepdims=True))
        hot = np.eye(e.shape[1])[inputs["t"]]
        exact = (e / e.sum(axis=1, keepdims=True) - hot) / len(e)
    else:
        axes, shape = (0, 2, 3), (1, -1, 1, 1)
        gamma, beta = inputs["gamma"].reshape(shape), inputs["beta"].reshape(shape)
        x = inputs["x"].astype(np.float64)
        std = np.sqrt(x.var(axes, keepdims=True) + 1e-6)
        xn = (x - x.mean(axes, keepdims=True)) / std
        dout = inputs["dout"] * (gamma * xn + beta > 0)
        means = dout.mean(axes, keepdims=True), (dout * xn).mean(axes, keepdims=True)
        exact = gamma * (dout - means[0] - xn * means[1]) / std
    np.testing.assert_allclose(y, exact, 1e-4, 1e-5)


@pytest.mark.parametrize("name", STEPS)
def test_a_step(bench: measure.Bench, monkeypatch: Any, name: str) -> None:
    monkeypatch.setattr(measure, "STEPS_COMPARED", 2)
    row = TABLE[name]
    assert isinstance(row.work, Step)
    if "conv" in row.work.net:
        monkeypatch.setitem(NETS, row.work.net, SMALL)
    found = bench.row(row._replace(work=row.work._replace(batch=2)))
    assert found["row"] == name and found["seconds"] > 0


def test_a_training(device: Any, monkeypatch: Any) -> None:
    """Bars, left or right: known after the first epochs, and not before the last is trained."""
    monkeypatch.setitem(NETS, "bars", Net((Affine(4), Relu(), Affine(2)), (1, 4, 4)))
    rng = np.random.default_rng(0)
    t = rng.integers(0, 2, 40)
    x = rng.random((40, 1, 4, 4)) * 0.1
    x[np.arange(40), 0, :, 1 + t] += 1
    own = Own(device, events=False)
    work = Training(Step("bars", 5, "Momentum", 0.05), 0.99, 30, 0.9, 1)
    data = mnist.put(own, x, t, x[:20], t[:20], 0)
    seeds = [mnist.train(own, work, data, seed) for seed in range(2)]
    for seed in seeds:
        assert seed.seconds > 0 and seed.accuracies[-1] >= 0.99 and len(seed.accuracies) < 30
        assert all(accuracy < 0.99 for accuracy in seed.accuracies[:-1])
    assert not measure.trainings(seeds, 3)["reached"]  # there was no time for the third
    found = measure.trainings(seeds, 2)
    assert found["reached"] and math.isclose(sum(found["each"]) / 2, found["seconds"])
    assert len(mnist.train(own, work, data, 0, epochs=1).accuracies) == 1


def test_a_result_that_nobody_wrote_is_seen(
    bench: measure.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_but_for_one(work: Kernel, inputs: dict[str, Any]) -> Any:
        y = bench.own._unwritten((4, 5))
        y[1:] = 1.0
        return lambda: y

    monkeypatch.setattr(bench.own, "kernel", written_but_for_one)
    found = bench.row(tiny(TABLE["pass/adam_update"]))
    assert found["failed"] == "differs from pynet by nan"


def test_an_error_of_a_row_is_told(bench: measure.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this row alone, unless the process has lost the GPU."""
    for error, lost in ((ValueError("no room"), False), (RuntimeError("CUDA error: 700"), True)):

        def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(bench.own, "kernel", fail)
        if lost:
            with pytest.raises(RuntimeError):
                measure.measured(bench, "pass/adam_update")
        else:
            found = measure.measured(bench, "pass/adam_update")
            assert found == {"row": "pass/adam_update", "failed": "ValueError: no room"}


def test_images_are_moved(device: Any) -> None:
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    own = Own(device, events=False)
    moved = mnist.put(own, x, np.zeros(1), x, np.zeros(1), 1).shifted
    assert len(moved) == 9
    np.testing.assert_array_equal(moved[4].to_numpy(), x)
    np.testing.assert_array_equal(moved[0].to_numpy()[0, 0], [[0, 0, 0], [0, 0, 1], [0, 3, 4]])
