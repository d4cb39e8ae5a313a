"""What pynet.gpucheck makes of the figures: which targets are reached."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from gpucheck import evidence, report, run, targets

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
        (PASS._replace(value=targets.ratio), of_ratio("", 0.1, replayed={"failed": "no"}), "no"),
        (PASS._replace(value=targets.ratio), of_ratio("", 0.1, replayed=of_ratio("", 2)), "goal"),
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
    said = targets.judged(target, [{**row, "row": name}], [name])
    assert said["reached"] == reached
    assert f"reached: {reached}" in report.target(said)


def test_every_row_has_a_target() -> None:
    from gpucheck.rows import TABLE

    for target in targets.TARGETS:
        assert any(name.startswith(target.rows) for name in TABLE), target.what
    for name in TABLE:
        assert sum(name.startswith(target.rows) for target in targets.TARGETS) == 1, name


# ---- the page -----------------------------------------------------------------------------------

ROWS = [
    of_ratio("gemm/tf32x3/1", 2.5, seconds=1e-3, peer="torch", peer_seconds=2.5e-3, tflops=9.0),
    {"row": "gemm/tf32x3/2", "failed": "differs from torch by 0.5"},
    {"row": "pass/one", "seconds": 1e-4, "peer": "none", "bandwidth": 2.7e12, "share": 0.9},
]
ROWS[0] |= {"error": 1.0, "peer_error": 1.0}
ONE = {"tests": 8, "failures": 1, "skipped": 0}
RECORDED = {
    "sources": "0",
    "device": {"name": "stand-in", "driver": "580.1"},
    "date": "2026-01-02T03:04:05+00:00",
    "versions": {"nvcc": "13.0"},
    "steps": {
        "test": {"passed": False, **ONE},
        "sanitizer": {"passed": True, "tools": {"memcheck": {"errors": 0, "tests": ONE}}},
        "bench": {
            "passed": True,
            "copy": 3e12,
            "versions": {"torch": "2"},
            "rows": ROWS,
            "targets": [
                targets.judged(TF32X3, ROWS, ["gemm/tf32x3/1", "gemm/tf32x3/2"]),
                targets.judged(PASS, ROWS, ["pass/one"]),
            ],
        },
        "ladder": {"passed": True, "rows": [{"kernel": "1", "size": 9, "ms": 1.0, "gflops": 2.0}]},
        "sass": {"passed": True, "kernels": 3, "instructions": {"HGMMA": 4}},
    },
}


def test_the_page_says_what_was_found(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "e.json"
    evidence.write(path, RECORDED)
    assert run.main(["--table", "--evidence", str(path)]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    about = "stand-in, driver 580.1, 2026-01-02, nvcc 13.0, torch 2"
    assert lines[0] == f"{about}; the CUDA sources have changed since."
    assert (
        "| 3xTF32 GEMM against cuBLAS fp32, error within 2x of it | >= 2x | >= 1.3x | 2.5x "
        "| 2.5x (gemm/tf32x3/1) | 1 of 2 | not measured |" in lines
    )
    assert "| passes over memory, of the copy bandwidth | >= 90 % | >= 75 % | 90 % " in text
    assert "| `test` | failed | 8 tests, 1 failures |" in lines
    assert "| `sanitizer` | passed | memcheck: 0 errors in 8 tests |" in lines
    assert "| `sass` | passed | 3 kernels: 4 HGMMA |" in lines
    assert "| `gemm/tf32x3/1` | 1000.0 | 2500.0 | 2.50x | 9.00 TFLOP/s | torch |" in lines
    assert "| `gemm/tf32x3/2` |  |  |  |  | not measured: differs from torch by 0.5 |" in lines
    assert "| `pass/one` | 100.0 |  |  | 2700 GB/s, 90 % | none |" in lines
    assert "| 1 | 9 | 1.000 | 2 |" in lines
    for line in lines:  # every row has the cells of its head
        assert not line.startswith("|") or line.count("|") in (5, 4, 7, 8)


def test_there_may_be_nothing_to_show(tmp_path: Path, capsys: Any) -> None:
    assert run.main(["--table", "--evidence", str(tmp_path / "none.json")]) == 0
    assert capsys.readouterr().out == "No run on a GPU is recorded.\n"
