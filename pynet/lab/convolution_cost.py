"""What convolutions cost: in time and memory, by the way they are computed and put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import pynet
from pynet import ops, reference
from pynet.lab.experiment import Lab, Result
from pynet.layers import Convolution, Layer, Relu, Sequential
from pynet.viz import style


def seconds(call: Callable[[], Any], times: int) -> float:
    """The shortest time of a call, after a first one that is not counted: the least disturbed."""
    call()
    taken = []
    for _ in range(times):
        begin = perf_counter()
        call()
        taken.append(perf_counter() - begin)
    return min(taken)


def _images(*shape: int) -> Any:
    return np.random.randn(*shape).astype(np.float32)


# ---- naive loops against im2col against the kernels --------------------------------------------


def naive_conv(lab: Lab) -> Result:
    """Time one convolution of 8 filters of 3x3 over 3 channels, computed in three ways."""
    W = _images(8, 3, 3, 3)
    sides = lab.pick([8, 16, 32, 64, 128, 256, 512], [8, 16])
    ways: Mapping[str, tuple[Callable[..., Any], int]] = {
        "seven nested loops": (reference.conv2d_naive, lab.pick(64, 8)),
        "im2col and np.dot": (reference.conv2d, 512),
        "pynet's kernel": (ops.conv2d, 512),
    }
    taken: dict[str, list[float]] = {}
    for name, (convolve, largest) in ways.items():
        taken[name] = []
        for side in lab.over([side for side in sides if side <= largest], name):
            x = _images(1, 3, side, side)
            times = 1 if name.startswith("seven") and side > 16 else lab.pick(9, 2)
            taken[name].append(seconds(partial(convolve, x, W, pad=1), times))
    figure = style.new_figure(8.5, 4.4, "One convolution of 8 filters, 3x3, over 3 channels")
    with style.styled():
        axes = figure.subplots()
        for (name, times_), colour, line, mark in zip(
            taken.items(), style.COLOURS[1::-1] + style.COLOURS[2:], style.LINES, style.MARKS
        ):
            milliseconds = [1000 * s for s in times_]
            axes.plot(sides[: len(times_)], milliseconds, line + mark, color=colour, label=name)
        axes.set_xscale("log", base=2)
        axes.set(xlabel="side of the image (pixels)", ylabel="milliseconds", yscale="log")
        axes.set_xticks(sides, [str(side) for side in sides])
        axes.legend(loc="upper left")
    naive, columns, kernel = taken.values()
    last, end = len(naive) - 1, sides[len(naive) - 1]
    return Result(
        figure,
        {
            "sides": sides,
            "seconds": taken,
            "largest_side_of_the_loops": end,
            "loops_over_im2col": naive[last] / columns[last],
            "loops_over_kernel": naive[last] / kernel[last],
            "im2col_over_kernel": [a / b for a, b in zip(columns, kernel)],
        },
        f"At {end} x {end} pixels the loops of the definition take {naive[last]:.2g} s in "
        f"Python, im2col with one matrix product {1000 * columns[last]:.3g} ms, and the kernel "
        f"{1000 * kernel[last]:.3g} ms: {naive[last] / columns[last]:,.0f} and "
        f"{naive[last] / kernel[last]:,.0f} times less. All three add up the same products; from "
        "one line to the next only the order and the machine code differ.",
    )


# ---- the memory of im2col ----------------------------------------------------------------------


class _Shape(NamedTuple):
    name: str
    C: int
    H: int
    FN: int
    F: int
    stride: int = 1
    pad: int = 0


_LAYERS = (
    _Shape("the book's 5x5, 28x28", 1, 28, 30, 5),
    _Shape("LeNet 5x5, 14x14", 6, 14, 16, 5),
    _Shape("AlexNet 11x11, 224x224", 3, 224, 96, 11, 4, 2),
    _Shape("AlexNet 5x5, 27x27", 96, 27, 256, 5, 1, 2),
    _Shape("VGG 3x3, 224x224", 64, 224, 64, 3, 1, 1),
    _Shape("VGG 3x3, 56x56", 256, 56, 256, 3, 1, 1),
    _Shape("VGG 3x3, 14x14", 512, 14, 512, 3, 1, 1),
    _Shape("ResNet 1x1, 56x56", 256, 56, 64, 1),
)


def im2col_memory(lab: Lab) -> Result:
    """Measure the memory of the column matrix and of the kernels' scratch for known layers."""
    N = 4
    rows: list[dict[str, Any]] = []
    for shape in lab.over(_LAYERS[: lab.pick(len(_LAYERS), 2)], "layers"):
        x, W = _images(N, shape.C, shape.H, shape.H), _images(shape.FN, shape.C, shape.F, shape.F)
        window: Any = {"stride": shape.stride, "pad": shape.pad}
        pynet.release_memory()
        col = ops.im2col(x, shape.F, shape.F, **window)
        col_bytes = col.nbytes
        del col
        pynet.release_memory()
        before = pynet.memory()["cached"]
        y = ops.conv2d(x, W, **window)
        scratch = pynet.memory()["cached"] - before  # what the kernel has given back
        rows.append(
            {
                "layer": shape.name,
                "x": x.nbytes,
                "W": W.nbytes,
                "y": y.nbytes,
                "im2col": col_bytes,
                "kernel": scratch,
                "im2col_over_x": col_bytes / x.nbytes,
            }
        )
    figure = style.new_figure(9.5, 0.55 * len(rows) + 1.6, f"Memory of {N} images in one layer")
    with style.styled():
        axes = figure.subplots()
        places = np.arange(len(rows))
        bars = (
            ("im2col", "columns of im2col", style.ORANGE, ""),
            ("x", "the images themselves", style.SKY, "//"),
            ("kernel", "scratch of pynet's kernel", style.BLUE, ".."),
        )
        for i, (key, label, colour, hatch) in enumerate(bars):
            values = [max(row[key], 1) / 2**20 for row in rows]
            axes.barh(
                *(places + 0.27 * (i - 1), values, 0.25),
                color=colour,
                hatch=hatch,
                edgecolor="white",
                label=label,
            )
        axes.set_yticks(places, [row["layer"] for row in rows])
        axes.invert_yaxis()
        axes.set(xlabel="MiB", xscale="log")
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside lower center", ncols=3)
    most = max(rows, key=lambda row: row["im2col_over_x"])
    total, kernels = (sum(row[key] for row in rows) for key in ("im2col", "kernel"))
    return Result(
        figure,
        {"images": N, "layers": rows},
        f"im2col copies each pixel once for every window that sees it: up to "
        f"{most['im2col_over_x']:.0f} times the images ({most['layer']}), and {total / 2**20:.3g} "
        f"MiB for all of these layers with {N} images. The kernels read the windows where they "
        f"are and used {kernels / 2**20:.3g} MiB of scratch, in which filters are packed as well: "
        f"less than the columns in {sum(row['kernel'] < row['im2col'] for row in rows)} of "
        f"{len(rows)} layers.",
    )


# ---- 1x1 bottlenecks ---------------------------------------------------------------------------


def _bottleneck(C: int, reduction: int) -> list[Layer]:
    inner = C // reduction
    return [
        Convolution.sized(inner, 1),
        Relu(),
        Convolution.sized(inner, 3, pad=1),
        Relu(),
        Convolution.sized(C, 1),
    ]


def bottleneck(lab: Lab) -> Result:
    """Compare two 3x3 convolutions with a bottleneck: 1x1 to a quarter, 3x3, 1x1 back."""
    side, N = lab.pick(14, 6), lab.pick(8, 1)
    channels = lab.pick([32, 64, 128, 256, 512], [8, 16])
    names = ("two 3x3", "1x1, 3x3, 1x1")
    keys = ("parameters", "multiply-adds", "milliseconds")
    found: dict[str, dict[str, list[float]]] = {name: {key: [] for key in keys} for name in names}
    for C in lab.over(channels, "channels"):
        x = _images(N, C, side, side)
        blocks = (
            Sequential(Convolution.sized(C, 3, pad=1), Relu(), Convolution.sized(C, 3, pad=1)),
            Sequential(*_bottleneck(C, 4)),
        )
        for name, block in zip(names, blocks):
            y = block.forward(x)
            rows = [row.description for row in block.trace((1, C, side, side))]

            def step(block: Layer = block, x: Any = x, dout: Any = y) -> None:
                block.forward(x)
                block.backward(dout)

            times = lab.pick(9, 1)
            for key, value in zip(
                keys,
                (
                    sum(row.params for row in rows),
                    sum(row.macs for row in rows),
                    1000 * seconds(step, times),
                ),
            ):
                found[name][key].append(value)
    figure = style.new_figure(11.5, 3.9, f"A bottleneck of 1x1 convolutions, {side}x{side} pixels")
    with style.styled():
        titles = ("Parameters", "Multiply-adds of one image", f"Training step, {N} images (ms)")
        for axes, key, title in zip(figure.subplots(1, 3), keys, titles):
            for i, name in enumerate(names):
                colour, line = (style.ORANGE, style.BLUE)[i], style.LINES[i] + style.MARKS[i]
                axes.plot(channels, found[name][key], line, color=colour, label=name)
            axes.set_xscale("log", base=2)
            axes.set_xticks(channels, [str(C) for C in channels])
            axes.set(xlabel="channels in and out", yscale="log", title=title)
        axes.legend(loc="upper left")
    ratios = {
        key: [a / b for a, b in zip(found[names[0]][key], found[names[1]][key])] for key in keys
    }
    last = {key: ratios[key][-1] for key in keys}
    return Result(
        figure,
        {"channels": channels, "side": side, "images": N, **found, "ratios": ratios},
        f"With {channels[-1]} channels, squeezing them to a quarter in front of the 3x3 "
        f"convolution and widening them behind it takes {last['parameters']:.1f} times fewer "
        f"parameters and {last['multiply-adds']:.1f} times fewer multiplications than two 3x3 "
        f"convolutions. By the clock a training step takes {last['milliseconds']:.1f} times less, "
        f"and with {channels[0]} channels {ratios['milliseconds'][0]:.1f} times less.",
    )
