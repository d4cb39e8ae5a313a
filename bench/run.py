"""pynet against its peers and against the machine, side by side.

    python bench/run.py                          everything, on 1 thread and on all
    python bench/run.py --quick                  a few rows, in two minutes
    python bench/run.py --only step infer/deep   rows whose names begin so
    python bench/run.py --json a.json --picture roofline.png --table docs/performance.md
    python bench/run.py --from a.json b.json --table docs/performance.md     of runs in parts

`pip install '.[bench]'` gets the peers; a row shows those that are installed.

A ratio is the peer's time over pynet's: 2x means that pynet is twice as fast. Each peer runs in a
process of its own with the same number of threads and processors; all are asked in turn
(A B C A B C ...) after a warm-up. Shown are medians over the rounds. A sample during which others
had the processors is taken again, as often in all as there are rounds. A ratio with a question mark
is not measured: its quartiles lie further apart than it lies from 1, or most of the samples were
disturbed. A peer takes part in a row only if it computes the same: 20 steps from equal weights
(without dropout) must give the same losses, a kernel the same result, within the row's tolerance. A
step takes a new batch and reads the loss. "limit" is the share of what FMA peak and memory
bandwidth, measured in this run, allow (Winograd's convolution computes less than is counted, and
passes 100 %). "best" is the fastest of torch in all three ways, JAX, scikit-learn and onnxruntime,
and NumPy for matrix products.

The rows mnist/... and memory/... are whole processes. mnist/... needs PYNET_DATA and takes long:
ten seeds, each until the net knows 99 % of the test images, on all threads only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

from pynet.bench import machine, peers, report
from pynet.bench.process import started
from pynet.bench.rounds import measure
from pynet.bench.rows import ROWS, Memory, Row, Training
from pynet.viz.style import save_figure
from suite import goals, runs
from suite.limits import commit, limits

QUICK_SECONDS = 95.0


def is_whole_run(row: Row) -> bool:
    return isinstance(row.work, Training | Memory)


def chosen(args: argparse.Namespace) -> list[Row]:
    rows = [row for row in ROWS.values() if row.quick or not args.quick]
    if args.only:
        rows = [row for row in ROWS.values() if row.name.startswith(tuple(args.only))]
    if not rows:
        raise SystemExit(f"no row begins with {' or '.join(args.only)}; all: {', '.join(ROWS)}")
    return rows


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="ROW", help="rows whose names begin so")
    parser.add_argument("--peers", nargs="+", choices=list(peers.PEERS), metavar="PEER")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, os.cpu_count() or 1])
    parser.add_argument("--rounds", type=int, help="samples of each peer (9; quick: 5)")
    parser.add_argument("--seconds", type=float, help="a sample lasts so long (0.25; quick: 0.05)")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each peer for mnist (10)")
    parser.add_argument("--quick", action="store_true", help="a few rows, in two minutes")
    parser.add_argument("--json", metavar="FILE", help="write everything measured here")
    parser.add_argument("--picture", metavar="FILE", help="draw the roofline here, as PNG")
    parser.add_argument(
        "--table", metavar="FILE", help="write the table of the goals into this Markdown file"
    )
    parser.add_argument(
        "--from", nargs="+", metavar="FILE", dest="kept", help="show what --json wrote, together"
    )
    parser.add_argument("--list", action="store_true", help="name the rows and the peers found")
    return parser.parse_args()


def show_machine(about: dict[str, Any], found: dict[str, Any], wake_ups: dict[str, Any]) -> None:
    print(f"{about['cpu']}, {about['isa']}; commit {about['commit']}")
    print(", ".join(f"{name} {version}" for name, version in about["versions"].items()))
    for count, limit in found.items():
        speeds = ", ".join(f"{int(size) >> 10} KiB {s:.0f}" for size, s in limit["triad"].items())
        fma = f"FMA {limit['float32']:.0f} GFLOP/s (float64 {limit['float64']:.0f})"
        print(f"{count} threads: {fma}; triad in GB/s: {speeds}")
    for count, each in wake_ups.items():
        spinning, sleeping = each["spinning_us"], each["sleeping_us"]
        print(f"{count} threads: wake-up {spinning:.1f} us, of a sleeping team {sleeping:.1f} us")


def joined(files: list[str]) -> dict[str, Any]:
    """Runs in parts as one: of a row that was measured twice the later one."""
    together: dict[str, Any] = {}
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for name in files:
        with open(name) as file:
            run = json.load(file)
        for key in ("limits", "wake_up"):
            run[key] = {**together.get(key, {}), **run[key]}
        rows.update({(found["row"], found["threads"]): found for found in run["results"]})
        together = run
    order = {name: i for i, name in enumerate(ROWS)}
    keys = sorted(rows, key=lambda key: (key[1], order.get(key[0], len(order))))
    return {**together, "results": [rows[key] for key in keys]}


def write(args: argparse.Namespace, run: dict[str, Any]) -> None:
    """The files that are asked for."""
    if args.json:
        with open(args.json, "w") as file:
            json.dump(run, file, indent=1)
    if args.table:
        goals.write_table(args.table, run)
    if args.picture:
        from suite.roofline import roofline

        if not run["limits"]:
            raise SystemExit("--picture needs the limits of the machine, and so a C++ compiler")
        threads = min(map(int, run["limits"]))
        save_figure(args.picture, roofline(run["results"], run["limits"][str(threads)], threads))


def main() -> None:
    args = parse()
    if args.kept:
        run = joined(args.kept)
        shown = list(dict.fromkeys(name for found in run["results"] for name in found["peers"]))
        show_machine(run["about"], run["limits"], run["wake_up"])
        print("\n" + report.heading(shown))
        print("\n".join(report.line(found, shown) for found in run["results"]))
        write(args, run)
        return
    rows, begin = chosen(args), time.monotonic()
    names = [name for name in peers.available() if not args.quick or peers.PEERS[name].quick]
    if args.peers:
        names = [name for name in peers.available() if name in ("pynet", *args.peers)]
    if args.list:
        print("\n".join([*(row.name for row in rows), f"peers: {', '.join(names)}"]))
        return
    threads = list(dict.fromkeys(args.threads))
    rounds = args.rounds or (5 if args.quick else 9)
    seconds = args.seconds or (0.05 if args.quick else 0.25)

    about = {**machine.about(), "commit": commit()}
    can = limits(threads)
    wake_ups = {str(count): machine.wake_up(count) for count in threads if count > 1}
    show_machine(about, can, wake_ups)
    missing = [name for name in peers.PEERS if name not in peers.available()]
    if missing:
        print(f"not installed: {', '.join(missing)}")

    shown = [name for name in names if name != "pynet"]
    results: list[dict[str, Any]] = []

    def add(found: dict[str, Any]) -> None:
        results.append(found)
        print(report.line(found, shown), flush=True)

    print("\n" + report.heading(shown))
    for count in threads:
        in_turn = [row for row in rows if not is_whole_run(row)]
        processes, absent = started(names if in_turn else [], count, seconds)
        for why in absent:
            print(why, file=sys.stderr)
        for row in in_turn:
            if args.quick and time.monotonic() - begin > QUICK_SECONDS:
                print(f"{row.name}: left out, the two minutes are over", file=sys.stderr)
                continue
            measured = measure(row, processes, rounds, count, 2 if args.quick else rounds)
            for name, why in measured.reasons.items():
                print(f"{row.name}: {name} {why}", file=sys.stderr)
            if measured.samples:
                add(report.result(row, count, measured, can.get(str(count))))
        for process in processes:
            process.close()
    for row in rows:
        if is_whole_run(row):
            of_all = [max(threads)] if isinstance(row.work, Training) else threads
            for found in runs.measure(row, names, of_all, args.seeds):
                add(found)
    print("\n" + report.disturbances(results))

    write(args, {"about": about, "limits": can, "wake_up": wake_ups, "results": results})


if __name__ == "__main__":
    main()
