"""The table of the goals: means, leasts, verdicts, and the place in the document."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynet.bench.rows import ROWS

BENCH = Path(__file__).resolve().parent.parent / "bench"
if str(BENCH) not in sys.path:
    sys.path.append(str(BENCH))
goals, runs, training = (import_module(f"suite.{name}") for name in ("goals", "runs", "training"))


def result(row: str, threads: int, **ratios: float | tuple[float, float, float]) -> dict[str, Any]:
    """A measured row: a ratio, or its three quartiles, for each peer."""
    quartiles = {
        name.replace("_", "-"): r if isinstance(r, tuple) else (r, r, r)
        for name, r in ratios.items()
    }
    names = ("q1", "median", "q3", "measured")
    each = {name: dict(zip(names, (*found, True))) for name, found in quartiles.items()}
    return {
        "row": row,
        "threads": threads,
        "unit": "seconds",
        "seconds": 2.0,
        "bytes": 1 << 30,
        "quartiles": [1.0, 4.0],
        "share": 0.5,
        "gflops": 1.0,
        "gbytes": 3.0,
        "best": "torch",
        "peers": each,
        "samples": {"pynet": [2.0]},
        "dropped": {},
        "disturbed": {},
    }


def goal(what: str, against: str) -> Any:
    (found,) = [g for g in goals.GOALS if g.what == what and goals.WORDS.get(g.against) == against]
    return found


def test_every_goal_has_rows_and_a_peer() -> None:
    for each in goals.GOALS:
        assert any(each.rows(name) for name in ROWS), each.what
        assert each.must != goals.NONE or each.goal != goals.NONE
        assert not each.against or each.against in goals.WORDS
    assert all(isinstance(level, float | int | None) for g in goals.GOALS for level in g.must)


def test_best_is_who_the_goals_name() -> None:
    best = goal("784-50-10, SGD, batch 1", "best")
    row = result("step/two-layer-1", 1, torch=9.0, jax=4.0, numpy=1.0, tinygrad=0.5, book=2.0)
    assert goals.figure(best, [row], 1)[1] == 4.0
    assert goals.figure(best, [row], 1).peer == "jax"
    assert goals.figure(best, [row], 4) is None


def test_products_are_compared_with_the_better_library() -> None:
    rows = [
        result("gemm/256x256x256", 1, torch=1.2, numpy=0.95, jax=0.5),
        result("gemm/512x512x512", 1, torch=1.1, numpy=1.3),
        result("gemm/100x50x784", 1, torch=0.1, numpy=0.1),  # no square
    ]
    found = goals.figure(goal("GEMM, squares", "the better of OpenBLAS and MKL"), rows, 1)
    assert (found.median, found.low, found.high, found.rows) == (0.95, 0.95, 1.1, 2)


def test_a_group_is_its_geometric_mean() -> None:
    rows = [result(f"{op}/3x3-c64", 1, torch=r) for op, r in (("conv2d", 2.0), ("conv2d_dx", 8.0))]
    found = goals.figure(goal("convolution 3x3, forward and dX", "torch eager"), rows, 1)
    assert found.median == pytest.approx(4.0)
    assert goals.verdict(found, 3.0) == "yes" and goals.verdict(found, 4.1) == "no"


def test_a_threshold_between_the_quartiles_is_doubted() -> None:
    step = goal("LeNet-5, Adam", "torch eager")
    found = goals.figure(step, [result("step/lenet5-100", 1, torch=(2.8, 3.1, 3.4))], 1)
    assert [goals.verdict(found, level) for level in (2.5, 3.0, 3.3, 5.0)] == [
        *("yes", "yes ?", "no ?", "no"),
    ]


def test_share_of_the_bandwidth_is_of_rows_out_of_cache() -> None:
    (share,) = [g for g in goals.GOALS if g.what == "pooling, share of the bandwidth"]
    inside = result("max_pool2d/2x2", 1, torch=5.0)
    inside["bytes"], inside["share"] = 1 << 20, 0.1
    found = goals.figure(share, [inside, result("max_pool2d/3x3-s2", 1, torch=5.0)], 1)
    assert (found.q1, found.median, found.q3, found.rows) == (0.25, 0.5, 1.0, 1)


def test_the_table(tmp_path: Path) -> None:
    rows = [
        result("step/deep-conv-100", 1, torch=2.0, torch_tuned=1.5, book=12.0),
        result("step/deep-conv-100", 4, torch=4.0, torch_tuned=3.0, book=20.0),
    ]
    run = {
        "about": {"cpu": "a CPU", "isa": "avx2", "commit": "abc", "versions": {"pynet": "1"}},
        "results": rows,
    }
    file = tmp_path / "performance.md"
    file.write_text(f"before\n{goals.BEGIN}\nold\n{goals.END}\nafter\n")
    goals.write_table(str(file), run)
    lines = file.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    table = {tuple(x.strip() for x in line.split("|")[1:3]): line for line in lines if "|" in line}
    assert table["DeepConvNet, Adam", "torch eager"] == (
        "| DeepConvNet, Adam | torch eager | 1.8x | 3x | 2.00x / 4.00x | yes | no / yes |"
    )
    assert table["DeepConvNet, Adam", "best"] == (
        "| DeepConvNet, Adam | best |  | 1.9x / 2.5x | 1.50x torch-tuned / 3.00x torch-tuned |  "
        "| no / yes |"
    )
    assert table["conv nets, batch 100", "the book's NumPy"] == (
        "| conv nets, batch 100 | the book's NumPy | 10x / 25x | 20x / 50x | 12.00x / 20.00x "
        "| yes / no | no |"
    )
    assert "| step/deep-conv-100 | 4 | 2 s | 1.0 | 3.0 | 50 % | 4.00x | 3.00x |" in "\n".join(lines)
    (tmp_path / "no-markers.md").write_text("text")
    with pytest.raises(SystemExit, match="expected the lines"):
        goals.write_table(str(tmp_path / "no-markers.md"), run)


def test_runs_in_parts_are_joined(tmp_path: Path) -> None:
    files = []
    for i, rows in enumerate(
        [
            {"step/lenet5-100": 2.0, "infer/deep-conv-1": 3.0},
            {"step/lenet5-100": 5.0, "relu/16384": 1.5},
        ]
    ):
        run = {
            "about": {"commit": str(i)},
            "limits": {str(i): {}},
            "wake_up": {},
            "results": [result(name, 1, torch=ratio) for name, ratio in rows.items()],
        }
        files.append(str(tmp_path / f"{i}.json"))
        Path(files[-1]).write_text(json.dumps(run))
    together = import_module("run").joined(files)
    found = [(each["row"], each["peers"]["torch"]["median"]) for each in together["results"]]
    assert found == [("step/lenet5-100", 5.0), ("infer/deep-conv-1", 3.0), ("relu/16384", 1.5)]
    assert together["about"]["commit"] == "1" and set(together["limits"]) == {"0", "1"}


# ---- whole runs --------------------------------------------------------------------------------


def test_an_epoch_has_every_image_once_shifted_together() -> None:
    x = np.arange(12.0).reshape(12, 1, 1, 1) * np.ones((1, 1, 4, 4))
    padded = np.pad(x + 1, [(0, 0), (0, 0), (1, 1), (1, 1)])
    rng = np.random.default_rng(3)
    batches = list(training.shifted_batches(padded, np.arange(12), 4, 1, rng))
    assert sorted(int(label) for _, t in batches for label in t) == list(range(12))
    for images, t in batches:
        assert images.shape == (4, 1, 4, 4) and images.flags.c_contiguous
        assert np.array_equal(images.max(axis=(1, 2, 3)), t + 1)
        assert len({(image > 0).tobytes() for image in images}) == 1  # the same shift


def test_a_process_says_what_it_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MEMORY_RUNS", 1)
    (found,) = runs.measure(ROWS["memory/deep-conv-100"], ["pynet", "numpy"], [1], 1)
    assert found["unit"] == "bytes" and found["left_out"] == {}
    assert 30 << 20 < found["seconds"] < 1 << 30


def test_mnist_is_left_out_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYNET_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(runs.measure(ROWS["mnist/simple-conv-99.0"], ["pynet"], [1], 1)) == []
    assert "left out: " in capsys.readouterr().err
