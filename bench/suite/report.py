"""Measured rows as lines of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suite.machine import least_seconds
from suite.ratios import Quartiles, ratio
from suite.rows import Row


def result(
    row: Row,
    threads: int,
    times: dict[str, list[float]],
    out: dict[str, str],
    limit: dict[str, Any] | None,
) -> dict[str, Any]:
    """All that is known about a row, as JSON; `out` says why peers are not in it."""
    ours = times["pynet"]
    seconds = Quartiles.of(ours)
    found: dict[str, Any] = {
        "row": row.name,
        "threads": threads,
        "seconds": seconds.median,
        "quartiles": [seconds.q1, seconds.q3],
        "flops": row.flops,
        "bytes": row.bytes,
        "gflops": row.flops / seconds.median * 1e-9,
        "gbytes": None if row.bytes is None else row.bytes / seconds.median * 1e-9,
        "share": None,
        "peers": {},
        "left_out": out,
        "samples": times,
    }
    if limit:
        found["share"] = least_seconds(limit, row.flops, row.bytes) / seconds.median
    for name, theirs in times.items():
        if name != "pynet":
            found["peers"][name] = ratio(ours, theirs)._asdict()
    best = [name for name in found["peers"] if name != "reference"]
    found["best"] = min(best, key=lambda name: found["peers"][name]["median"], default=None)
    return found


def time_text(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def heading(peers: Sequence[str]) -> str:
    columns = "".join(f" {name:>14}" for name in peers)
    return f"{'row':38} {'T':>2} {'time':>8} {'GFLOP/s':>8} {'GB/s':>6} {'limit':>6}{columns}"


def line(found: dict[str, Any], peers: Sequence[str]) -> str:
    cells = []
    for name in peers:
        each = found["peers"].get(name)
        if each is None:
            cells.append(found["left_out"].get(name, "-"))
        else:
            cells.append(f"{each['median']:.2f}x" + ("" if each["measured"] else " ?"))
    share = "" if found["share"] is None else f"{100 * found['share']:.0f} %"
    moved = "" if found["gbytes"] is None else f"{found['gbytes']:.1f}"
    return (
        f"{found['row']:38} {found['threads']:2} {time_text(found['seconds']):>8} "
        f"{found['gflops']:8.2f} {moved:>6} {share:>6}" + "".join(f" {cell:>14}" for cell in cells)
    )
