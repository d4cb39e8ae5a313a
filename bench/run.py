"""pynet against its peers and against the machine, side by side.

    python bench/run.py                          everything, on 1 thread and on all
    python bench/run.py --quick                  a few rows, in two minutes
    python bench/run.py --only step infer/deep   rows whose names begin so
    python bench/run.py --json a.json --picture roofline.png

A ratio is the peer's time over pynet's: 2x means that pynet is twice as fast. Each peer runs in a
process of its own with the same number of threads and processors; all are asked in turn
(A B C A B C ...) after a warm-up. Shown are medians over the rounds; a ratio with a question mark
is not measured: its quartiles lie further apart than it lies from 1. A peer takes part in a row
only if it computes the same: 20 steps from equal weights (without dropout) must give the same
losses, a kernel the same result, within the row's tolerance. A step takes a new batch and reads the
loss. "limit" is the share of what FMA peak and memory bandwidth, measured in this run, allow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

from pynet.viz.style import save_figure
from suite import machine, peers
from suite.process import Process
from suite.ratios import agree
from suite.report import heading, line, result
from suite.rows import ROWS, Row

SPIN = 0.15  # seconds for which OpenBLAS's threads still spin after their last call
QUICK_SECONDS = 110.0


def measure(
    row: Row, processes: list[Process], rounds: int, pause: float
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """The samples of each peer that computes the same as pynet, and why others are left out."""
    out: dict[str, str] = {}
    taking_part, ours = [], None
    for process in processes:
        state, what = process.prepare(row.name)
        if state == "ready" and process.name == "pynet":
            ours = what
        elif state == "ready":
            error = agree(ours or [], what, row.tolerance)
            if error is not None:
                state, what = "differs", f"by {error:.2g}, more than {row.tolerance:g}"
        if state == "ready":
            taking_part.append(process)
            continue
        if state != "unsupported":
            out[process.name] = state
            print(f"{row.name}: {process.name} {state}: {what}", file=sys.stderr)
        if process.name == "pynet":
            return {}, out
    times: dict[str, list[float]] = {process.name: [] for process in taking_part}
    for _ in range(rounds):
        for process in taking_part:
            time.sleep(pause)
            times[process.name].append(process.time())
    return times, out


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
    parser.add_argument("--quick", action="store_true", help="a few rows, in two minutes")
    parser.add_argument("--json", metavar="FILE", help="write everything measured here")
    parser.add_argument("--picture", metavar="FILE", help="draw the roofline here, as PNG")
    parser.add_argument("--list", action="store_true", help="name the rows and the peers found")
    return parser.parse_args()


def main() -> None:
    args = parse()
    rows, begin = chosen(args), time.monotonic()
    names = [name for name in peers.available() if not args.quick or peers.PEERS[name].quick]
    if args.peers:
        names = [name for name in peers.available() if name in ("pynet", *args.peers)]
    if args.list:
        print("\n".join([*(row.name for row in rows), f"peers: {', '.join(names)}"]))
        return
    threads = list(dict.fromkeys(args.threads))
    rounds = args.rounds or (5 if args.quick else 9)
    seconds = 0.05 if args.quick else 0.25

    about = machine.about()
    print(f"{about['cpu']}, {about['isa']}; commit {about['commit']}")
    print(", ".join(f"{name} {version}" for name, version in about["versions"].items()))
    limits = machine.limits(threads)
    for count, limit in limits.items():
        speeds = ", ".join(f"{int(size) >> 10} KiB {s:.0f}" for size, s in limit["triad"].items())
        fma = f"FMA {limit['float32']:.0f} GFLOP/s (float64 {limit['float64']:.0f})"
        print(f"{count} threads: {fma}; triad in GB/s: {speeds}")
    wake_ups = {count: machine.wake_up(count) for count in threads if count > 1}
    for count, each in wake_ups.items():
        spinning, sleeping = each["spinning_us"], each["sleeping_us"]
        print(f"{count} threads: wake-up {spinning:.1f} us, of a sleeping team {sleeping:.1f} us")

    shown = [name for name in names if name != "pynet"]
    print("\n" + heading(shown))
    results: list[dict[str, Any]] = []
    for count in threads:
        processes = [Process(name, count, seconds) for name in names]
        for process in processes:
            process.wait_until_started()
        for row in rows:
            if args.quick and time.monotonic() - begin > QUICK_SECONDS:
                print(f"{row.name}: left out, the two minutes are over", file=sys.stderr)
                continue
            times, out = measure(row, processes, rounds, SPIN if count > 1 else 0.0)
            if times:
                limit = limits.get(str(count))
                results.append(result(row, count, times, out, limit))
                print(line(results[-1], shown), flush=True)
        for process in processes:
            process.close()
    if args.json:
        everything = {"about": about, "limits": limits, "wake_up": wake_ups, "results": results}
        with open(args.json, "w") as file:
            json.dump(everything, file, indent=1)
    if args.picture:
        from suite.roofline import roofline

        if not limits:
            raise SystemExit("--picture needs the limits of the machine, and so a C++ compiler")
        save_figure(args.picture, roofline(results, limits[str(threads[0])], threads[0]))


if __name__ == "__main__":
    main()
