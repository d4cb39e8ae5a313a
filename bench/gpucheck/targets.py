"""What a GPU has to reach: the goal, what is the least, and what the measured rows say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Found = dict[str, Any]


class Target(NamedTuple):
    """The goal is one of the rows' geometric mean, the least holds for each of them."""

    what: str
    rows: str  # how their names begin
    value: Callable[[Found], float | None]  # None where the row lacks a peer
    unit: str
    goal: float
    least: float
    smaller: bool = False  # is better
    of_goal: Callable[[Found], bool] | None = None  # what else each row has to keep, for the goal
    of_least: Callable[[Found], bool] | None = None  # and at least


def ratio(found: Found) -> float | None:
    """Of the kernels where they were replayed, as calls from Python take longer than they do."""
    for said in (found.get("replayed", {}), found):
        if said.get("ratio"):
            return float(said["ratio"]["median"])
    return None


def share(found: Found) -> float | None:
    return found.get("share")


def exact(found: Found) -> bool:
    """Three products of TF32: an error within twice that of the peer's float32."""
    return bool(found["error"] <= 2 * found["peer_error"])


TARGETS = (
    Target("fp32 GEMM against cuBLAS, TF32 off", "gemm/fp32/", ratio, "x", 1.0, 0.85),
    Target(
        *("3xTF32 GEMM against cuBLAS fp32, error within 2x of it", "gemm/tf32x3/", ratio),
        *("x", 2.0, 1.3, False, exact, exact),
    ),
    Target("bf16 GEMM against cuBLAS", "gemm/bf16/", ratio, "x", 1.0, 0.8),
    Target("3x3 convolutions against the best cuDNN fp32", "conv3x3/", ratio, "x", 1.3, 0.8),
    Target("first layers against cuDNN fp32", "first/", ratio, "x", 1.8, 1.0),
    Target("passes over memory, of the copy bandwidth", "pass/", share, "", 0.9, 0.75),
    Target(
        *(
            "step of 784-50-10, captured, against torch eager; goal also <= 10 us",
            "step/two-layer-100",
            ratio,
        ),
        *("x", 30.0, 15.0, False, lambda found: bool(found["seconds"] <= 10e-6)),
    ),
    Target("step of SimpleConvNet, the same", "step/simple-conv-100", ratio, "x", 8.0, 4.0),
    Target("step of DeepConvNet, the same", "step/deep-conv-100", ratio, "x", 3.0, 1.5),
    Target(
        *("MNIST to 99.0 %, mean of 20 seeds", "mnist/", lambda found: found["seconds"]),
        *("s", 0.15, 1.0, True, lambda found: bool(found["reached"])),
        lambda found: bool(found["reached"]),
    ),
)


def judged(target: Target, results: Sequence[Found], table: Iterable[str]) -> dict[str, Any]:
    """The figures of a target: mean and worst of its rows in the table, and what is reached.

    "not measured" where a row is missing, has failed or has no peer.
    """
    wanted = [name for name in table if name.startswith(target.rows)]
    found = {one["row"]: one for one in results if one["row"] in wanted and "failed" not in one}
    values = {name: target.value(one) for name, one in found.items()}
    each = {name: value for name, value in values.items() if value is not None}
    said: dict[str, Any] = {
        "what": target.what,
        "goal": target.goal,
        "least": target.least,
        "unit": target.unit,
        "rows": len(wanted),
        "measured": len(each),
        "mean": None,
        "worst": None,
    }
    if each:
        said["mean"] = math.exp(math.fsum(map(math.log, each.values())) / len(each))
        said["worst"] = max(each.values()) if target.smaller else min(each.values())
        said["worst_row"] = next(name for name, v in each.items() if v == said["worst"])
    if not wanted or len(each) < len(wanted):
        return {**said, "reached": "not measured"}

    def reaches(value: float, bound: float) -> bool:
        return value <= bound if target.smaller else value >= bound

    def keeps(rule: Callable[[Found], bool] | None) -> bool:
        return rule is None or all(rule(found[name]) for name in wanted)

    least = reaches(said["worst"], target.least) and keeps(target.of_least)
    goal = least and reaches(said["mean"], target.goal) and keeps(target.of_goal)
    return {**said, "reached": "goal" if goal else "at least" if least else "no"}
