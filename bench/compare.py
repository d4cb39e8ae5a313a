"""Two runs of bench/run.py side by side.

    python bench/compare.py before.json after.json

Shown is pynet's speed-up from the first to the second, and the ratio to the best peer in each. The
peers tell what the machine did: where their times moved as pynet's, the machine moved.
"""

from __future__ import annotations

import argparse
import json
from statistics import median
from typing import Any

from pynet.bench.ratios import Quartiles
from pynet.bench.report import amount_text


def by_row(run: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    return {(found["row"], found["threads"]): found for found in run["results"]}


def speed_up(before: dict[str, Any], after: dict[str, Any]) -> tuple[float, bool]:
    """How many times as fast, and whether the quartiles of the two runs are apart."""
    one = Quartiles.of(before["samples"]["pynet"])
    two = Quartiles.of(after["samples"]["pynet"])
    return one.median / two.median, one.q1 > two.q3 or two.q1 > one.q3


def of_peers(before: dict[str, Any], after: dict[str, Any]) -> float | None:
    """The same of the peers that both runs have: what the machine did."""
    common = [name for name in before["peers"] if name in after["peers"]]
    moved = [median(before["samples"][name]) / median(after["samples"][name]) for name in common]
    return median(moved) if moved else None


def best(found: dict[str, Any]) -> str:
    name = found["best"]
    return "-" if name is None else f"{found['peers'][name]['median']:.2f}x {name}"


def lines(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    ones, twos = by_row(before), by_row(after)
    found = [
        f"{'row':38} {'T':>2} {'before':>8} {'after':>8} {'faster':>8} {'peers':>7}"
        f" {'best before':>20} {'best after':>20}"
    ]
    for key in [key for key in ones if key in twos]:
        one, two = ones[key], twos[key]
        times, apart = speed_up(one, two)
        moved = of_peers(one, two)
        found.append(
            f"{key[0]:38} {key[1]:2} {amount_text(one):>8} {amount_text(two):>8} "
            f"{times:.2f}x{' ' if apart else '?':2} {'-' if moved is None else f'{moved:.2f}x':>7} "
            f"{best(one):>20} {best(two):>20}"
        )
    for key in [*(k for k in ones if k not in twos), *(k for k in twos if k not in ones)]:
        found.append(f"{key[0]:38} {key[1]:2} only in the {'first' if key in ones else 'second'}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=argparse.FileType())
    parser.add_argument("after", type=argparse.FileType())
    args = parser.parse_args()
    before, after = json.load(args.before), json.load(args.after)
    for name in ("cpu", "isa", "commit"):
        one, two = before["about"][name], after["about"][name]
        print(f"{name}: {one}" + ("" if one == two else f" -> {two}"))
    print("\n".join(lines(before, after)))


if __name__ == "__main__":
    main()
