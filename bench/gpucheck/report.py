"""Rows, targets and steps in lines."""

from __future__ import annotations

from statistics import mean
from typing import Any

from gpucheck.parse import others

Found = dict[str, Any]


def text(found: Found) -> str:
    """A row in a line."""
    if "failed" in found:
        return f"{found['row']:<40} not measured: {found['failed']}"
    words = [f"{found['row']:<40}", f"{1e6 * found['seconds']:>12.1f} us"]
    if "tflops" in found:
        words.append(f"{found['tflops']:8.2f} TFLOP/s")
    if "share" in found:
        words.append(f"{found['bandwidth'] / 1e9:7.0f} GB/s {100 * found['share']:4.0f} %")
    if "ratio" in found:
        sure = "" if found["ratio"]["measured"] else " ?"
        words.append(f"{found['ratio']['median']:.2f}x{sure} {found['peer']}")
    else:
        words.append(f"peer: {found['peer']}")
    if "seconds" in (replayed := found.get("replayed", {})):
        factor = f" {replayed['ratio']['median']:.2f}x" if "ratio" in replayed else ""
        words.append(f"replayed: {1e6 * replayed['seconds']:.1f} us{factor}")
    elif replayed:
        words.append(f"not replayed: {replayed['failed']}")
    if "accuracies" in found:
        words.append(f"{100 * mean(found['accuracies']):.2f} % of {len(found['accuracies'])} seeds")
    return "  ".join(words)


def target(said: dict[str, Any]) -> str:
    def number(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{100 * value:.0f} %" if said["unit"] == "" else f"{value:.3g}{said['unit']}"

    figures = f"mean {number(said['mean']):>8}  worst {number(said['worst']):>8}"
    wanted = f"goal {number(said['goal']):>6}  at least {number(said['least']):>6}"
    rows = f"{said['measured']} of {said['rows']} rows"
    return f"{said['what']:<58} {wanted}  {figures}  {rows:>14}  reached: {said['reached']}"


def rows(found: list[Found]) -> list[str]:
    """A line for each, and one for all that were not measured for the same reason."""
    lines = [text(row) for row in found if "failed" not in row]
    of: dict[str, list[str]] = {}
    for row in found:
        if "failed" in row:
            of.setdefault(row["failed"], []).append(row["row"])
    for why, names in of.items():
        shown = ", ".join(names[:3]) + others(len(names) - 3 if len(names) > 3 else 0)
        lines.append(f"not measured: {shown}: {why}")
    return lines


def tests(found: Found) -> list[str]:
    """How many tests ran, and what became of those that did not pass."""
    counts = ", ".join(f"{found[kind]} {kind}" for kind in ("tests", "failures", "skipped"))
    lines = [f"{counts} of {found['collected']}"]
    lines += [f"  {name}" for name in found["names"]]
    return lines + [f"  slow: {name}" for name in found.get("slowest", [])]


def step(name: str, found: Found) -> list[str]:
    """What a step found, in lines."""
    lines = [f"{name}: {'passed' if found['passed'] else 'FAILED'}, {found['seconds']} s"]
    for why in (found.get("why"), found.get("stopped"), found.get("compiled")):
        lines[0] += f": {why}" if why else ""
    if "names" in found:
        lines += [f"  {line}" for line in tests(found)]
    for tool, said in found.get("tools", {}).items():
        lines.append(f"  {tool}: {said['errors']} errors, exit codes {said['exits']}")
        lines[-1] += f", {said['stopped']}" if "stopped" in said else ""
        lines += [f"    {line}" for line in (*said["first"], *tests(said["tests"]))]
    if "targets" in found:
        lines += [f"  {line}" for line in rows(found["rows"])]
        lines += [f"  {target(each)}" for each in found["targets"]]
        lines += [f"  no peer: {found['no_peer']}"] if "no_peer" in found else []
    if name == "ladder":
        best = {row["size"]: row["gflops"] for row in found.get("rows", [])}
        lines += [f"  {size}: {speed:.0f} GFLOP/s" for size, speed in best.items()]
    if "instructions" in found:
        counts = (f"{count} {kind}" for kind, count in found["instructions"].items())
        lines.append(f"  {found['kernels']} kernels: {', '.join(counts)}")
    return lines
