"""What bench/ makes of its measurements: ratios, quartiles, and when it refuses."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pynet.bench import machine, nets, ratios, rows

BENCH = Path(__file__).resolve().parent.parent / "bench"


def load(name: str) -> ModuleType:
    """A module of bench/, as its scripts see it."""
    if str(BENCH) not in sys.path:
        sys.path.append(str(BENCH))
    return importlib.import_module(name)


compare, callgrind, goals = load("compare"), load("callgrind"), load("suite.goals")
cuda_registers = load("cuda_registers")
runs, training = load("suite.runs"), load("suite.training")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_quantiles_are_numpys(count: int, share: float) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    assert math.isclose(ratios.quantile(values, share), np.quantile(values, share))


def test_a_ratio_is_of_each_round() -> None:
    # The machine is twice as slow in the second half: the ratio does not move.
    found = ratios.ratio([1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 6.0, 6.0])
    assert found == (3.0, 3.0, 3.0, True)


@pytest.mark.parametrize(
    "peer, measured",
    [
        ([2.0, 2.1, 1.9, 2.0], True),
        ([0.5, 0.52, 0.48, 0.5], True),
        ([1.01, 1.0, 0.99, 1.02], False),  # the spread is larger than the difference
        ([0.5, 4.0, 0.6, 5.0], False),
        ([2.0, 2.0], False),  # too few rounds
    ],
    ids=["faster", "slower", "level", "noise", "two-rounds"],
)
def test_refusal(peer: list[float], measured: bool) -> None:
    assert ratios.ratio([1.0] * len(peer), peer).measured is measured


def test_refusal_judges_a_ratio_and_its_inverse_alike() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        ours, theirs = rng.uniform(1, 2, (2, 7)).tolist()
        one, two = ratios.ratio(ours, theirs), ratios.ratio(theirs, ours)
        assert one.measured is two.measured and math.isclose(one.q1 * two.q3, 1, rel_tol=0.05)


@pytest.mark.parametrize("ours, theirs", [([1.0], [1.0, 2.0]), ([0.0], [1.0])])
def test_what_is_no_measurement_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError):
        ratios.ratio(ours, theirs)


def test_samples_disturbed_in_most_rounds_say_nothing() -> None:
    assert ratios.ratio([1.0] * 5, [3.0] * 5).measured
    assert not ratios.ratio([1.0] * 5, [3.0] * 5, clean=False).measured


def test_a_ratio_of_whole_runs_is_that_of_the_medians() -> None:
    found = ratios.of_medians([1.0, 2.0, 3.0], [30.0, 10.0, 20.0])
    assert found.median == 10.0 and found.measured
    assert not ratios.of_medians([1.0, 2.0, 3.0], [3.0, 1.0, 2.5]).measured


def test_agreement() -> None:
    assert ratios.agree([1.0, 100.0], [1.05, 100.0], 1e-3) is None
    assert ratios.agree([1.0, 100.0], [1.5, 100.0], 1e-3) == 0.005
    assert ratios.agree([1.0], [1.0, 2.0], 1.0) == math.inf
    assert ratios.agree([math.nan], [1.0], 1.0) is not None
    assert ratios.agree([1.0, math.nan], [1.0, 1.0], 1.0) is not None  # wherever it is


def test_flops_of_the_two_layer_net() -> None:
    assert nets.flops(nets.NETS["two-layer"], 10, False) == 2 * 10 * (784 * 50 + 50 * 10)
    assert nets.flops(nets.NETS["two-layer"], 10, True) == 2 * 10 * (2 * 784 * 50 + 3 * 50 * 10)


@pytest.mark.parametrize(
    "name, count",
    [("two-layer", 39760), ("lenet5", 61706), ("simple-conv", 433890), ("resnet20", 272474)],
)
def test_parameters(name: str, count: int) -> None:
    arrays = [a for pair in nets.weights(nets.NETS[name]) for a in pair if a is not None]
    assert sum(a.size for a in arrays) == count


def test_every_kernel_row_has_work_and_inputs() -> None:
    for row in rows.ROWS.values():
        if isinstance(row.work, rows.Training | rows.Memory):
            continue
        assert row.flops > 0 and row.tolerance > 0
        assert isinstance(row.work, rows.Kernel) == (row.bytes is not None)


def test_roofline() -> None:
    limit = {"float32": 100.0, "triad": {"1000": 50.0, "1000000": 10.0}}
    assert machine.least_seconds(limit, 1e9, None) == 0.01
    assert machine.least_seconds(limit, 1.0, 1000.0) == pytest.approx(1000 / 50e9)
    assert machine.least_seconds(limit, 1.0, 1e8) == pytest.approx(1e8 / 10e9)


def test_comparison_of_two_runs() -> None:
    def run(pynet: float, peer: float) -> dict[str, Any]:
        samples = {"pynet": [pynet] * 3, "torch": [peer] * 3}
        each = {"torch": ratios.ratio(*samples.values())._asdict()}
        found = {"row": "gemm", "threads": 1, "seconds": pynet, "samples": samples}
        found["unit"] = "seconds"
        return {"results": [{**found, "peers": each, "best": "torch"}]}

    _, line = compare.lines(run(2.0, 4.0), run(1.0, 4.0))
    assert line.split()[:5] == ["gemm", "1", "2", "s", "1"]
    assert "2.00x" in line and "1.00x" in line and "4.00x torch" in line


def test_instruction_counts() -> None:
    kept = {"gemm": 1000, "relu": 100, "gone": 1}
    wrong = callgrind.verdicts(kept, {"gemm": 1030, "relu": 101, "new": 5}, 0.02)
    assert set(wrong) == {"gemm", "gone", "new"}
    assert "3.0 %" in wrong["gemm"]


PTXAS = """
ptxas info    : Compiling entry function '_ZN5pynet4cuda13planes_kernelIfEEvPT_' for 'sm_90a'
ptxas info    : Function properties for _ZN5pynet4cuda13planes_kernelIfEEvPT_
    {stack} bytes stack frame, {spill} bytes spill stores, {spill} bytes spill loads
ptxas info    : Used {registers} registers, used 1 barriers, 2048 bytes smem, 400 bytes cmem[0]
"""


def test_registers_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def table(stack: int, spill: int, registers: int) -> Any:
        return cuda_registers.read(PTXAS.format(stack=stack, spill=spill, registers=registers))

    monkeypatch.setattr(
        cuda_registers, "demangled", lambda names: ["void pynet::cuda::k<float>(T*)"]
    )
    kept = table(0, 0, 40)
    assert kept == {"k<float>": {"sm_90a": (40, 2048, 0, 0)}}
    assert cuda_registers.verdicts(kept, table(0, 0, 48)) == []
    assert cuda_registers.changes(kept, table(0, 0, 48)) == [
        "k<float> on sm_90a: 40 -> 48 registers"
    ]
    assert cuda_registers.verdicts(kept, table(8, 4, 40)) == [
        "k<float> on sm_90a: 8 bytes spilled, allowed are 0",
        "k<float> on sm_90a: 8 bytes stack, allowed are 0",
    ]
    assert cuda_registers.verdicts(table(8, 4, 40), table(8, 4, 40)) == []
    assert cuda_registers.verdicts({}, table(16, 0, 9))  # a new one may not either
    assert cuda_registers.verdicts(kept, {}) == ["sm_90a: no kernel was built for it"]


def test_the_table_of_registers_has_every_target() -> None:
    rows = cuda_registers.load().values()
    assert {target for row in rows for target in row} == {
        "sm_75", "sm_80", "sm_86", "sm_89", "sm_90a"
    }  # fmt: skip
