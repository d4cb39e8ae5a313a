"""The goals: what each row must reach and should reach, against whom. And the table of all that.

A goal of several rows is one of their geometric mean, or of the least of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pynet.bench.peers import contenders
from pynet.bench.report import amount_text, disturbances, ratio_text

Pair = tuple[float | None, float | None]  # on one thread, on all
Found = dict[str, Any]

BEGIN, END = "<!-- bench/run.py --table writes from here -->", "<!-- to here -->"

EAGER, TUNED, BLAS = ("torch",), ("torch-tuned",), ("numpy", "torch")
BEST = ("best",)
WORDS = {
    EAGER: "torch eager",
    TUNED: "torch, channels_last",
    (*EAGER, *TUNED): "torch's better layout",
    BLAS: "the better of OpenBLAS and MKL",
    BEST: "best",
    ("book",): "the book's NumPy",
}
OUT_OF_CACHE = 32 << 20  # bytes


class Goal(NamedTuple):
    what: str
    rows: Callable[[str], bool]
    against: tuple[str, ...]  # the fastest of them; () for the share of the machine's limit
    must: Pair
    goal: Pair
    least: bool = False  # of the rows, not the mean
    out_of_cache: bool = False  # only rows that move so much


def both(value: float) -> Pair:
    return (value, value)


NONE: Pair = (None, None)


def named(*names: str) -> Callable[[str], bool]:
    return lambda row: row in names


def kinds(ops: Sequence[str], names: Sequence[str] = ()) -> Callable[[str], bool]:
    """Rows of these ops, of these shapes where some are named."""
    return lambda row: row.split("/")[0] in ops and (not names or row.split("/")[1] in names)


def _against_two(what: str, row: str, must: Pair, goal: Pair, best: Pair) -> list[Goal]:
    return [
        Goal(what, named(row), EAGER, must, goal),
        Goal(what, named(row), BEST, NONE, best),
    ]


SQUARES = tuple(f"gemm/{n}x{n}x{n}" for n in (256, 512, 1024, 2048))
SMALL_SQUARES = ("gemm/64x64x64", "gemm/128x128x128")
WIDE = ("3x3-c32", "3x3-c64", "3x3-c256")
FIRST = ("simple-conv-5x5-c1", "7x7-s2-c3", "11x11-s4-c3")
ODD = ("1x1-c256", "3x3-groups4", "3x3-depthwise", "3x3-dilation2")
POOLING = tuple(
    kind + backward
    for kind in ("max_pool2d", "avg_pool2d", "global_avg_pool2d")
    for backward in ("", "_backward")
)
PASSES = {
    "softmax-cross-entropy": ("softmax_cross_entropy",),
    "batch norm, + ReLU, backward": ("batch_norm", "batch_norm_relu", "batch_norm_backward"),
    "activations": ("relu", "relu_backward", "sigmoid", "tanh", "gelu"),
    "optimizer updates": ("sgd_update", "momentum_update", "adam_update"),
}


def book_shapes(row: str) -> bool:
    return row.startswith("gemm/") and row not in (*SQUARES, *SMALL_SQUARES)


GOALS = [
    *_against_two("784-50-10, SGD, batch 1", "step/two-layer-1", both(10), both(20), both(5)),
    *_against_two("the same, batch 10", "step/two-layer-10", both(7), both(12), both(4)),
    *_against_two("the same, batch 100", "step/two-layer-100", (2.5, 3), (3.5, 6), (2, 4)),
    *_against_two("the same, batch 1000", "step/two-layer-1000", (1.4, 2), (2, 4), (1.7, 3.5)),
    *_against_two(
        "784-[100]x6-10, batch norm, dropout, Adam", "step/mlp6-100", both(3), both(6), both(2.5)
    ),
    *_against_two("SimpleConvNet, Adam", "step/simple-conv-100", (4, 5), (7, 8), (5, 6)),
    *_against_two("LeNet-5, Adam", "step/lenet5-100", both(3), both(5), both(4)),
    *_against_two("DeepConvNet, Adam", "step/deep-conv-100", both(1.8), both(3), (1.9, 2.5)),
    *_against_two("ResNet-20, momentum", "step/resnet20-128", both(1.3), both(2.5), both(2)),
    *_against_two(
        "SimpleConvNet, inference of one image",
        "infer/simple-conv-1",
        (3, None),
        (6, None),
        (2.5, None),
    ),
    *_against_two(
        "DeepConvNet, inference of one image",
        "infer/deep-conv-1",
        (1.5, None),
        (3.5, None),
        (1.8, None),
    ),
    Goal("GEMM, squares", named(*SQUARES), BLAS, both(0.9), both(1.0), least=True),
    Goal(
        "GEMM, squares, share of the FMA peak", named(*SQUARES), (), NONE, (0.9, None), least=True
    ),
    Goal("GEMM, the book's shapes, mean", book_shapes, BLAS, NONE, both(1.25)),
    Goal("GEMM, the book's shapes, least", book_shapes, BLAS, both(0.8), both(0.95), least=True),
    Goal(
        "convolution 3x3, forward and dX",
        kinds(("conv2d", "conv2d_dx"), WIDE),
        EAGER,
        both(1.8),
        both(3),
    ),
    Goal(
        "convolution 3x3, forward and dX",
        kinds(("conv2d", "conv2d_dx"), WIDE),
        TUNED,
        both(1.1),
        both(1.8),
    ),
    Goal(
        "the same, 16 channels, forward",
        kinds(("conv2d",), ("3x3-c16",)),
        TUNED,
        both(0.9),
        both(1.2),
    ),
    Goal("convolution dW", kinds(("conv2d_dW",)), (*EAGER, *TUNED), both(1.0), both(1.6)),
    Goal("first layers, forward", kinds(("conv2d",), FIRST), EAGER, both(1.2), both(2)),
    Goal("first layers, forward", kinds(("conv2d",), FIRST), BEST, NONE, both(1.5)),
    Goal(
        "first layers, gradients", kinds(("conv2d_dx", "conv2d_dW"), FIRST), EAGER, both(2), both(3)
    ),
    Goal(
        "first layers, gradients", kinds(("conv2d_dx", "conv2d_dW"), FIRST), BEST, NONE, both(2.5)
    ),
    Goal(
        "1x1, grouped, dilated, mean",
        kinds(("conv2d", "conv2d_dx", "conv2d_dW"), ODD),
        EAGER,
        both(1.0),
        both(1.4),
    ),
    Goal(
        "1x1, grouped, dilated, least",
        kinds(("conv2d", "conv2d_dx", "conv2d_dW"), ODD),
        BEST,
        NONE,
        both(1.0),
        least=True,
    ),
    Goal("pooling", kinds(POOLING), EAGER, both(4), both(8)),
    Goal(
        "pooling, share of the bandwidth",
        kinds(POOLING),
        (),
        NONE,
        both(0.8),
        least=True,
        out_of_cache=True,
    ),
    *(Goal(what, kinds(ops), EAGER, both(1.3), both(2)) for what, ops in PASSES.items()),
    *(
        Goal(
            f"{what}, share of the bandwidth",
            kinds(ops),
            (),
            NONE,
            both(0.8),
            least=True,
            out_of_cache=True,
        )
        for what, ops in PASSES.items()
        if what != "softmax-cross-entropy"
    ),
    *_against_two(
        "MNIST to 99.0 %, median of the seeds",
        "mnist/simple-conv-99.0",
        (None, 2),
        (None, 4),
        (None, 3),
    ),
    Goal(
        "peak memory, DeepConvNet, 1,000 images",
        named("memory/deep-conv-100"),
        EAGER,
        both(2),
        both(3),
    ),
    Goal(
        "conv nets, batch 100",
        named("step/simple-conv-100", "step/lenet5-100", "step/deep-conv-100"),
        ("book",),
        (10, 25),
        (20, 50),
    ),
    Goal("two-layer net, batch 100", named("step/two-layer-100"), ("book",), both(2.5), both(4)),
]


class Figure(NamedTuple):
    """What a goal's rows came to: the figure and its quartiles, the least and most of the rows."""

    q1: float
    median: float
    q3: float
    low: float
    high: float
    rows: int
    peer: str = ""


def of_row(found: Found, against: tuple[str, ...]) -> tuple[dict[str, float], str] | None:
    """Quartiles of the ratio to the fastest of these peers, and who that is."""
    names = contenders(found["row"]) if against == BEST else against
    there = [name for name in names if name in found["peers"]]
    if not there:
        return None
    fastest = min(there, key=lambda name: found["peers"][name]["median"])
    return found["peers"][fastest], fastest


def figure(goal: Goal, results: Sequence[Found], threads: int) -> Figure | None:
    """The figure of a goal on so many threads, or None where nothing was measured."""
    each: list[tuple[float, float, float]] = []
    names: set[str] = set()
    for found in results:
        if found["threads"] != threads or not goal.rows(found["row"]):
            continue
        if goal.out_of_cache and (found["bytes"] or 0) < OUT_OF_CACHE:
            continue
        if not goal.against:
            if found["share"] is not None:
                q1, q3 = found["quartiles"]
                share, middle = found["share"], found["seconds"]
                each.append((share * middle / q3, share, share * middle / q1))
            continue
        ratio = of_row(found, goal.against)
        if ratio is not None:
            each.append((ratio[0]["q1"], ratio[0]["median"], ratio[0]["q3"]))
            names.add(ratio[1])
    if not each:
        return None
    middles = [middle for _, middle, _ in each]
    if goal.least:
        q1, median, q3 = min(each, key=lambda one: one[1])
    else:
        q1, median, q3 = (math.exp(math.fsum(map(math.log, v)) / len(v)) for v in zip(*each))
    peer = names.pop() if goal.against == BEST and len(names) == 1 else ""
    return Figure(q1, median, q3, min(middles), max(middles), len(each), peer)


# ---- as Markdown --------------------------------------------------------------------------------


def verdict(found: Figure, wanted: float) -> str:
    """Whether it is reached; with a question mark where the quartiles lie on both sides."""
    uncertain = " ?" if found.q1 < wanted <= found.q3 else ""
    return ("yes" if found.median >= wanted else "no") + uncertain


def _number(goal: Goal, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}x" if goal.against else f"{100 * value:.0f} %"


def _measured(goal: Goal, found: Figure | None) -> str:
    if found is None:
        return "-"
    text = f"{found.median:.2f}x" if goal.against else f"{100 * found.median:.0f} %"
    if found.rows > 1 and not goal.least:
        text += f" ({found.low:.2f} to {found.high:.2f})"
    return text + (f" {found.peer}" if found.peer else "")


def _pairs(goal: Goal, wanted: Pair, found: Sequence[Figure | None]) -> tuple[str, str]:
    """What is wanted on one thread and on all, and whether it is reached."""
    if wanted == NONE:
        return "", ""
    levels = wanted[: len(found)] if len(found) > 1 else (wanted[0],)
    words = [_number(goal, level) for level in levels]
    text = words[0] if len(set(words)) == 1 else " / ".join(words)
    met = [
        "-" if level is None or one is None else verdict(one, level)
        for level, one in zip(levels, found)
    ]
    return text, met[0] if len(set(met)) == 1 else " / ".join(met)


def goal_lines(results: Sequence[Found], threads: Sequence[int]) -> list[str]:
    """The table of the goals that have measured rows."""
    counts = " / ".join(f"{count}T" for count in threads)
    lines = [
        f"| row | against | must | goal | measured, {counts} | must met | goal met |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for goal in GOALS:
        found = [figure(goal, results, count) for count in threads]
        if not any(found):
            continue
        must, must_met = _pairs(goal, goal.must, found)
        wanted, met = _pairs(goal, goal.goal, found)
        measured = " / ".join(_measured(goal, one) for one in found)
        against = WORDS.get(goal.against, "the machine")
        lines.append(
            f"| {goal.what} | {against} | {must} | {wanted} | {measured} | {must_met} | {met} |"
        )
    return lines


def row_lines(results: Sequence[Found]) -> list[str]:
    """Every row as it was measured."""
    lines = [
        "| row | T | pynet | GFLOP/s | GB/s | of its limit | torch | torch-tuned | best |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for found in results:
        best = found["best"]
        cells = [
            *(found["row"], str(found["threads"]), amount_text(found)),
            f"{found['gflops']:.1f}" if found["gflops"] else "",
            "" if found["gbytes"] is None else f"{found['gbytes']:.1f}",
            "" if found["share"] is None else f"{100 * found['share']:.0f} %",
            *(
                ratio_text(found["peers"][name]) if name in found["peers"] else "-"
                for name in ("torch", "torch-tuned")
            ),
            "-" if best is None else f"{ratio_text(found['peers'][best])} {best}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def section(run: dict[str, Any]) -> str:
    """What stands between the markers."""
    about, results = run["about"], run["results"]
    counts = sorted({found["threads"] for found in results})
    threads = counts if len(counts) < 3 else [counts[0], counts[-1]]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return "\n".join(
        [
            *(BEGIN, f"{about['cpu']}, {about['isa']}, commit {about['commit']}; {versions}."),
            *(f"{disturbances(results)}.", "", *goal_lines(results, threads)),
            *("", "Every row:", "", *row_lines(results), END),
        ]
    )


def write_table(path: str, run: dict[str, Any]) -> None:
    """Put the tables between the markers of a Markdown file, which is made if there is none."""
    file = Path(path)
    text = file.read_text() if file.exists() else f"{BEGIN}\n{END}\n"
    if BEGIN not in text or END not in text.split(BEGIN, 1)[1]:
        raise SystemExit(f"{path}: expected the lines {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    file.write_text(before + section(run) + rest.split(END, 1)[1])
