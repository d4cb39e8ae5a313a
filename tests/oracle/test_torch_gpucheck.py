"""The rows of bench/gpucheck with torch as their peer, on the processor: both compute the same."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pynet import _core
from pynet.bench.nets import NETS, Affine, Conv, Dropout, MaxPool, Net, Relu
from pynet.bench.rows import Kernel, Step

pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
measure, timing = import_module("gpucheck.measure"), import_module("gpucheck.timing")
own, peer = import_module("gpucheck.own"), import_module("gpucheck.peer")
rows = import_module("gpucheck.rows")

SMALL = Net((Conv(2, 3), Relu(), MaxPool(), Dropout(), Affine(10)), (1, 8, 8))
KERNELS = [name for name, row in rows.TABLE.items() if isinstance(row.work, Kernel)]
STEPS = [name for name, row in rows.TABLE.items() if isinstance(row.work, Step)]


@pytest.fixture
def bench() -> Any:
    plan = timing.Plan(rounds=2, seconds=0.0)
    made = measure.Bench(own.Own(_core, events=False), peer.Torch("cpu", events=False), plan)
    made.copy(rows.tiny(rows.COPY))
    return made


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel(bench: Any, name: str) -> None:
    row = rows.tiny(rows.TABLE[name])
    found = bench.row(row)
    assert "failed" not in found, found
    assert found["peer"].startswith("torch") and found["peer_seconds"] > 0
    assert found["ratio"]["median"] > 0
    if name.startswith("gemm"):
        assert found["peer_error"] < (2e-2 if row.precision == "bfloat16" else 1e-6)


@pytest.mark.parametrize("name", STEPS)
def test_a_step(bench: Any, monkeypatch: Any, name: str) -> None:
    monkeypatch.setattr(measure, "STEPS_COMPARED", 3)
    row = rows.TABLE[name]
    assert isinstance(row.work, Step)
    if "conv" in row.work.net:
        monkeypatch.setitem(NETS, row.work.net, SMALL)
    found = bench.row(row._replace(work=row.work._replace(batch=3)))
    assert "failed" not in found, found
    assert found["peer"] == "torch" and found["ratio"]["median"] > 0


def test_a_difference_is_no_measurement(bench: Any, monkeypatch: Any) -> None:
    kernel = own.Own.kernel

    def wrong(self: Any, work: Any, inputs: Any) -> Any:
        call = kernel(self, work, inputs)
        return lambda: call() + 0.1

    monkeypatch.setattr(own.Own, "kernel", wrong)
    found = bench.row(rows.tiny(rows.TABLE["gemm/fp32/512x512x512"]))
    assert found["failed"].startswith("differs from torch by") and "seconds" not in found
