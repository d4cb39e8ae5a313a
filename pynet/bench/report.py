"""Measured rows as JSON, and as lines of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pynet.bench import peers
from pynet.bench.load import Watch
from pynet.bench.machine import least_seconds
from pynet.bench.ratios import Quartiles, Ratio, of_medians, ratio
from pynet.bench.rounds import Measured
from pynet.bench.rows import Memory, Row


def result(
    row: Row, threads: int, measured: Measured, limit: dict[str, Any] | None
) -> dict[str, Any]:
    """All that is known about a row of samples taken in turn."""
    ours = measured.samples["pynet"]
    found = _common(row, threads, {name: w.seconds for name, w in measured.samples.items()})
    seconds = found["seconds"]
    found["flops"], found["bytes"] = row.flops, row.bytes
    found["gflops"] = row.flops / seconds * 1e-9
    found["gbytes"] = None if row.bytes is None else row.bytes / seconds * 1e-9
    if limit:
        found["share"] = least_seconds(limit, row.flops, row.bytes) / seconds
    found["left_out"], found["reasons"] = measured.left_out, measured.reasons
    found["dropped"] = {name: w.dropped for name, w in measured.samples.items() if w.dropped}
    found["disturbed"] = {
        name: w.kept_disturbed for name, w in measured.samples.items() if w.kept_disturbed
    }
    return _compared(found, lambda name: _ratio(ours, measured.samples[name]))


def whole_run(
    row: Row, threads: int, values: Mapping[str, list[float]], out: dict[str, str]
) -> dict[str, Any]:
    """The same for a row of whole processes: seconds, or bytes where memory is measured."""
    found = _common(row, threads, dict(values))
    found["unit"] = "bytes" if isinstance(row.work, Memory) else "seconds"
    found["left_out"], found["reasons"] = dict.fromkeys(out, "failed"), out
    return _compared(found, lambda name: of_medians(values["pynet"], values[name]))


def _common(row: Row, threads: int, samples: dict[str, list[float]]) -> dict[str, Any]:
    quartiles = Quartiles.of(samples["pynet"])
    return {
        "row": row.name,
        "threads": threads,
        "unit": "seconds",
        "seconds": quartiles.median,
        "quartiles": [quartiles.q1, quartiles.q3],
        "flops": 0.0,
        "bytes": None,
        "gflops": None,
        "gbytes": None,
        "share": None,
        "samples": samples,
        "dropped": {},
        "disturbed": {},
    }


def _ratio(ours: Watch, theirs: Watch) -> Ratio:
    return ratio(ours.seconds, theirs.seconds, ours.clean and theirs.clean)


def _compared(found: dict[str, Any], ratio_to: Any) -> dict[str, Any]:
    """With the ratio to each peer, and who of those that count is the best."""
    names = [name for name in found["samples"] if name != "pynet"]
    found["peers"] = {name: ratio_to(name)._asdict() for name in names}
    best = [name for name in peers.contenders(found["row"]) if name in found["peers"]]
    found["best"] = min(best, key=lambda name: found["peers"][name]["median"], default=None)
    return found


# ---- as text ------------------------------------------------------------------------------------


def time_text(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def amount_text(found: dict[str, Any]) -> str:
    """A result's median in its unit."""
    if found["unit"] == "bytes":
        return f"{found['seconds'] / 2**20:.0f} MiB"
    return time_text(found["seconds"])


def heading(shown: Sequence[str], short: bool = False) -> str:
    """The first line of the table; the short one is without the machine's limits."""
    columns = "".join(f" {name:>13}" for name in shown)
    machine = "" if short else f" {'GB/s':>6} {'limit':>6}"
    return (
        f"{'row':36} {'T':>2} {'time':>8} {'GFLOP/s':>8}{machine} {'best':>21}"
        f"{columns} {'disturbed':>9}"
    )


def ratio_text(each: dict[str, Any]) -> str:
    """A ratio, with a question mark where it is not measured."""
    return f"{each['median']:.2f}x" + ("" if each["measured"] else " ?")


def line(found: dict[str, Any], shown: Sequence[str], short: bool = False) -> str:
    """One row: in the last column samples taken again, and after a + those kept all the same."""
    cells = []
    for name in shown:
        each = found["peers"].get(name)
        cells.append(found["left_out"].get(name, "-") if each is None else ratio_text(each))
    share = "" if found["share"] is None else f"{100 * found['share']:.0f} %"
    gflops = "" if not found["gflops"] else f"{found['gflops']:.2f}"
    moved = "" if found["gbytes"] is None else f"{found['gbytes']:.1f}"
    best = found["best"]
    first = "-" if best is None else f"{ratio_text(found['peers'][best])} {best}"
    again, kept = sum(found["dropped"].values()), sum(found["disturbed"].values())
    disturbed = f"{again}+{kept}" if kept else str(again or "")
    machine = "" if short else f" {moved:>6} {share:>6}"
    return (
        f"{found['row']:36} {found['threads']:2} {amount_text(found):>8} {gflops:>8}{machine} "
        f"{first:>21}" + "".join(f" {cell:>13}" for cell in cells) + f" {disturbed:>9}"
    ).rstrip()


def disturbances(results: Sequence[dict[str, Any]]) -> str:
    """What the machine's other work did to the run, in a sentence."""
    taken = sum(len(s) for found in results for s in found["samples"].values())
    again = sum(sum(found["dropped"].values()) for found in results)
    kept = sum(sum(found["disturbed"].values()) for found in results)
    return f"{again} disturbed samples taken again; of the {taken} kept {kept} were disturbed too"
