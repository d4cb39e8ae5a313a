"""What pynet.gpucheck makes of the figures: which targets are reached."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from gpucheck import report, targets

(TF32X3,) = (each for each in targets.TARGETS if each.rows == "gemm/tf32x3/")
(STEP,) = (each for each in targets.TARGETS if each.rows == "step/two-layer-100")
(MNIST,) = (each for each in targets.TARGETS if each.rows == "mnist/")
(PASS,) = (each for each in targets.TARGETS if each.rows == "pass/")


def of_ratio(row: str, median: float, **more: Any) -> dict[str, Any]:
    return {"row": row, "ratio": {"median": median}, **more}


@pytest.mark.parametrize(
    ("ratios", "errors", "reached"),
    [
        ((4.0, 1.4), (1.9, 1.0), "goal"),
        ((2.0, 1.5), (1.0, 1.0), "at least"),
        ((9.0, 1.2), (1.0, 1.0), "no"),
        ((4.0, 1.4), (2.1, 1.0), "no"),
        ((4.0,), (1.0,), "not measured"),
    ],
)
def test_mean_and_worst(ratios: tuple[float, ...], errors: tuple[float, ...], reached: str) -> None:
    names = ["gemm/tf32x3/1", "gemm/tf32x3/2", "gemm/fp32/1"]
    found = [
        of_ratio(name, ratio, error=error, peer_error=1.0)
        for name, ratio, error in zip(names, ratios, errors)
    ]
    found.append(of_ratio("gemm/fp32/1", 0.1))
    assert targets.judged(TF32X3, found, names)["reached"] == reached


@pytest.mark.parametrize(
    ("target", "row", "reached"),
    [
        (STEP, {"ratio": {"median": 40}, "seconds": 9e-6}, "goal"),
        (STEP, {"ratio": {"median": 40}, "seconds": 11e-6}, "at least"),
        (STEP, {"ratio": {"median": 14}, "seconds": 9e-6}, "no"),
        (STEP, {"seconds": 9e-6}, "not measured"),
        (STEP, {"failed": "differs"}, "not measured"),
        (MNIST, {"seconds": 0.1, "reached": True}, "goal"),
        (MNIST, {"seconds": 0.9, "reached": True}, "at least"),
        (MNIST, {"seconds": 0.1, "reached": False}, "no"),
        (MNIST, {"seconds": 1.1, "reached": True}, "no"),
        (PASS, {"share": 0.91}, "goal"),
        (PASS, {"share": 0.8}, "at least"),
        (PASS, {"share": 0.7}, "no"),
    ],
)
def test_what_is_reached(target: targets.Target, row: dict[str, Any], reached: str) -> None:
    name = target.rows + ("/one" if target.rows.endswith("/") else "")
    said = targets.judged(target, [{"row": name, **row}], [name])
    assert said["reached"] == reached
    assert f"reached: {reached}" in report.target(said)


def test_every_row_has_a_target() -> None:
    from gpucheck.rows import TABLE

    for target in targets.TARGETS:
        assert any(name.startswith(target.rows) for name in TABLE), target.what
    for name in TABLE:
        assert sum(name.startswith(target.rows) for target in targets.TARGETS) == 1, name
