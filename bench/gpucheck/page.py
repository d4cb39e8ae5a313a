"""What is recorded, as Markdown: `python -m pynet.gpucheck --table`, for docs/cuda.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

from gpucheck.evidence import Evidence, hash_of

Found = dict[str, Any]
NOTHING = "No run on a GPU is recorded."


def table(head: str, rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a table, whose columns the head names."""
    names = head.split(" | ")
    lines = [f"| {head} |", "|" + " --- |" * len(names)]
    return [*lines, *("| " + " | ".join(cells) + " |" for cells in rows)]


def number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{100 * value:.0f} %" if unit == "" else f"{value:.3g}{'x' if unit == 'x' else ' s'}"


def of_target(said: Found) -> list[str]:
    """Goal and least, and what was measured of them."""
    sign = "<=" if said["unit"] == "s" else ">="
    bounds = [f"{sign} {number(said[kind], said['unit'])}" for kind in ("goal", "least")]
    worst = number(said["worst"], said["unit"])
    worst += f" ({said['worst_row']})" if worst and said["rows"] > 1 else ""
    rows = f"{said['measured']} of {said['rows']}"
    middle = number(said["mean"], said["unit"])
    return [said["what"], *bounds, middle, worst, rows, said["reached"]]


def of_row(found: Found) -> list[str]:
    if "failed" in found:
        return [f"`{found['row']}`", "", "", "", "", f"not measured: {found['failed']}"]
    speed = f"{found['tflops']:.2f} TFLOP/s" if "tflops" in found else ""
    if "share" in found:
        speed = f"{found['bandwidth'] / 1e9:.0f} GB/s, {100 * found['share']:.0f} %"
    if "accuracies" in found:
        speed = f"{100 * mean(found['accuracies']):.2f} %, {len(found['accuracies'])} seeds"
    if "seconds" in (replayed := found.get("replayed", {})):
        speed += f"; replayed {1e6 * replayed['seconds']:.1f} us"
        speed += f", {replayed['ratio']['median']:.2f}x" if "ratio" in replayed else ""
    theirs = f"{1e6 * found['peer_seconds']:.1f}" if "peer_seconds" in found else ""
    factor = f"{found['ratio']['median']:.2f}x" if found.get("ratio") else ""
    ours = f"{1e6 * found['seconds']:.1f}"
    return [f"`{found['row']}`", ours, theirs, factor, speed, found["peer"]]


def of_step(name: str, found: Found) -> list[str]:
    """A step of the check: what it counted."""
    said = []
    if "tests" in found:
        said.append(f"{found['tests']} tests, {found['failures']} failures")
    for tool, each in found.get("tools", {}).items():
        said.append(f"{tool}: {each['errors']} errors in {each['tests']['tests']} tests")
    if "instructions" in found:
        counts = (f"{count} {kind}" for kind, count in found["instructions"].items())
        said.append(f"{found['kernels']} kernels: {', '.join(counts)}")
    said += [str(found[key]) for key in ("why", "stopped") if key in found]
    return [f"`{name}`", "passed" if found["passed"] else "failed", "; ".join(said)]


def about(evidence: Evidence, root: Path) -> str:
    device, versions = evidence["device"], dict(evidence["versions"])
    versions |= evidence["steps"].get("bench", {}).get("versions", {})
    words = [f"{device['name']}, driver {device['driver']}", evidence["date"][:10]]
    words += [f"{name} {version}" for name, version in versions.items() if version]
    same = evidence["sources"] == hash_of(root)
    return ", ".join(words) + ("." if same else "; the CUDA sources have changed since.")


def text(evidence: Evidence | None, root: Path) -> str:
    """Device and date, the targets, the steps, and every row."""
    if evidence is None:
        return NOTHING
    steps = evidence["steps"]
    lines = [about(evidence, root), ""]
    bench = steps.get("bench", {})
    head = "what | goal | at least | mean | worst | rows | reached"
    lines += [*table(head, map(of_target, bench.get("targets", []))), ""]
    lines += table("step | outcome | found", (of_step(*each) for each in steps.items()))
    if bench.get("copy"):
        lines += ["", f"A copy moves {bench['copy'] / 1e9:.0f} GB/s, read and written."]
    head = "row | us | us of the peer | ratio | speed | peer"
    lines += ["", *table(head, map(of_row, bench.get("rows", [])))]
    ladder = steps.get("ladder", {}).get("rows", [])
    cells = ([r["kernel"], str(r["size"]), f"{r['ms']:.3f}", f"{r['gflops']:.0f}"] for r in ladder)
    return "\n".join([*lines, "", *table("ladder | size | ms | GFLOP/s", cells)])
