"""The kernels under the roof of the machine: GFLOP/s over FLOPs per byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pynet.viz.style import COLOURS, GRAY, LINES, MARKS, new_figure, plain_ticks, styled


def roofline(results: Sequence[dict[str, Any]], limit: dict[str, Any], threads: int) -> Any:
    """A figure of the kernel rows of one thread count, a mark for each op."""
    rows = [found for found in results if found["threads"] == threads and found["bytes"]]
    families: dict[str, list[dict[str, Any]]] = {}
    for found in rows:
        families.setdefault(family(found["row"]), []).append(found)
    with styled():
        noun = "thread" if threads == 1 else "threads"
        figure = new_figure(8, 4.6, f"pynet's float32 kernels and the machine, {threads} {noun}")
        axes = figure.subplots()
        intensity = [found["flops"] / found["bytes"] for found in rows]
        low, high = min(intensity, default=0.1) / 2, max(intensity, default=100) * 2
        peak = limit["float32"]
        levels = sorted((int(size), speed) for size, speed in limit["triad"].items())
        for (_, speed), name, line in zip(
            (levels[0], levels[-1]), ("first cache", "memory"), LINES
        ):
            knee = peak / speed
            axes.plot(
                [low, min(knee, high), high],
                [low * speed, min(peak, high * speed), min(peak, high * speed)],
                line,
                color=GRAY,
                label=f"{name}: {speed:.0f} GB/s",
            )
        for i, (name, group) in enumerate(sorted(families.items())):
            axes.plot(
                [found["flops"] / found["bytes"] for found in group],
                [found["gflops"] for found in group],
                MARKS[i % len(MARKS)],
                linestyle="",
                color=COLOURS[i % len(COLOURS)],
                label=name,
            )
        axes.set(xscale="log", yscale="log", xlabel="FLOPs per byte", ylabel="GFLOP/s")
        axes.set_title(f"FMA peak {peak:.0f} GFLOP/s")
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
        figure.legend(loc="outside right upper")
    return figure


def family(row: str) -> str:
    op = row.split("/")[0]
    for start, name in (
        *(("gemm", "gemm"), ("conv2d", "convolution"), ("max_pool", "pooling")),
        *(("avg_pool", "pooling"), ("global_avg", "pooling")),
        *(("batch_norm", "batch norm"), ("softmax", "softmax-cross-entropy")),
    ):
        if op.startswith(start):
            return name
    return "optimizers" if op.endswith("update") else "activations"
