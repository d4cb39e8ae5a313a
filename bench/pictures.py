"""The pictures of docs/performance.md: how the kernels and a recorded step work.

    python bench/pictures.py            draws docs/performance-*.png

They show principles; the sizes in them are those of the kernels for AVX2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pynet.viz.style import (
    BLUE,
    GREEN,
    LIGHT,
    ORANGE,
    PINK,
    SKY,
    YELLOW,
    new_figure,
    save_figure,
    styled,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"


def canvas(figure: Any, x: tuple[float, float], y: tuple[float, float]) -> Any:
    """Axes without axes: y grows downwards, as rows do."""
    axes = figure.subplots()
    axes.set(xlim=x, ylim=y[::-1], aspect="equal")
    axes.axis("off")
    return axes


def box(axes: Any, x: float, y: float, width: float, height: float, color: str, **kw: Any) -> None:
    from matplotlib.patches import Rectangle

    style = {"edgecolor": "black", "linewidth": 0.6, **kw}
    axes.add_patch(Rectangle((x, y), width, height, facecolor=color, **style))


def grid(
    axes: Any, x: float, y: float, rows: int, cols: int, color: str, side: float = 1.0, **kw: Any
) -> None:
    for i in range(rows):
        for j in range(cols):
            box(axes, x + j * side, y + i * side, side, side, color, linewidth=0.4, **kw)


def text(axes: Any, x: float, y: float, words: str, **kw: Any) -> None:
    axes.text(x, y, words, **{"ha": "center", "va": "center", "fontsize": 8.5, **kw})


def arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], **kw: Any) -> None:
    style = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops={**style, **kw})


# ---- packing ------------------------------------------------------------------------------------


def packing() -> Any:
    """A product's operands in slivers, and the micro-kernel's tile."""
    figure = new_figure(8.6, 4.2)
    axes = canvas(figure, (-1, 60), (-3.5, 27))
    # B above C, A left of it.
    box(axes, 17, 0, 24, 8, LIGHT)
    for sliver in range(4):
        chosen = sliver == 2
        box(axes, 17 + 6 * sliver, 0, 6, 8, SKY if chosen else LIGHT)
    for row in range(4):
        for sliver in range(4):
            chosen = row == 1 and sliver == 2
            color = ORANGE if chosen else LIGHT
            box(axes, 17 + 6 * sliver, 11 + 3 * row, 6, 3, color)
    for row in range(4):
        box(axes, 6, 11 + 3 * row, 8, 3, YELLOW if row == 1 else LIGHT)
    text(axes, 29, -1.3, "B: slivers of 16 columns")
    text(axes, 10, 9.7, "A: slivers of 6 rows")
    text(axes, 29, 24.5, "C: register tiles of 6 x 16")
    text(axes, 10, 15.5, "sliver of A", fontsize=7.5)
    text(axes, 32, 4, "sliver\nof B", fontsize=7.5)
    text(axes, 32, 15.5, "tile", fontsize=7.5, color="white")
    text(axes, 4.6, 17, "M", fontsize=9)
    text(axes, 10, 24.5, "K", fontsize=9)
    text(axes, 15.8, 4, "K", fontsize=9)
    # One step of K.
    text(axes, 52, -1.3, "one step of k")
    grid(axes, 47, 1, 1, 16, SKY, 0.75)
    text(axes, 53, 3, "16 of B: two vectors of 8", fontsize=7.5)
    grid(axes, 44.8, 4.6, 6, 1, YELLOW, 1.2)
    for i in range(6):
        for v in range(2):
            box(axes, 47 + 6 * v, 4.6 + 1.2 * i, 6, 1.2, ORANGE, alpha=0.75)
    text(axes, 43.4, 8.2, "6 of A", fontsize=7.5, rotation=90)
    text(axes, 52, 13.6, "12 registers of C,\na fused multiply-add for each", fontsize=7.5)
    # In memory.
    text(axes, 51.3, 17.2, "packed: in the order of use", fontsize=8.5)
    for step in range(3):
        x = 43.8 + 5.2 * step
        box(axes, x, 18.4, 4.8, 1.8, SKY)
        text(axes, x + 2.4, 19.3, f"k = {step}", fontsize=7)
        box(axes, x, 21.6, 4.8, 1.8, YELLOW)
        text(axes, x + 2.4, 22.5, f"k = {step}", fontsize=7)
    text(axes, 59.7, 19.3, "...", fontsize=8)
    text(axes, 59.7, 22.5, "...", fontsize=8)
    text(axes, 51.3, 24.8, "a sliver of B stays in L1, the rows of A in L2", fontsize=7.5)
    return figure


# ---- tiles --------------------------------------------------------------------------------------


def tiles() -> Any:
    """A convolution's output in tiles, and one sliver of its windows in the band."""
    figure = new_figure(8.6, 3.7)
    axes = canvas(figure, (-1, 61), (-3.6, 23))
    colors = (BLUE, ORANGE, GREEN, PINK)
    # Images x tiles.
    for image in range(3):
        x, y = 1.4 * (2 - image), 1.4 * (2 - image)
        for tile, color in enumerate(colors):
            box(axes, x, y + 4 * tile, 14, 4, color)
            if image == 2:
                text(axes, x + 7, y + 4 * tile + 2, f"tile {8 + tile}", color="white", fontsize=8)
    text(axes, 9, -2, "output of 3 images: 12 tiles,\nby the shape alone", fontsize=8.5)
    text(axes, 9, 21, "taken by whichever thread is free", fontsize=8)
    # The band of one tile.
    x0, y0, side = 22, 1, 1.05
    for i in range(6):
        for j in range(18):
            pad = j in (0, 17)
            box(
                axes,
                x0 + j * side,
                y0 + i * side,
                side,
                side,
                "white" if pad else LIGHT,
                linewidth=0.4,
            )
    for j in range(8):
        box(axes, x0 + (5 + j) * side, y0 + 2 * side, side, side, ORANGE, linewidth=0.4, alpha=0.85)
    frame = {"edgecolor": BLUE, "linewidth": 1.3}
    for i in range(3):
        box(axes, x0 + 5 * side, y0 + (1 + i) * side, 8 * side, side, "none", **frame)
    text(
        axes,
        x0 + 9 * side,
        -2,
        "the band of a tile: its rows of one channel,\npadding written out, in L1",
    )
    text(axes, x0 + 9 * side, 9.4, "orange: a vector of 8 pixels of the output", fontsize=8)
    text(axes, x0 + 9 * side, 10.8, "blue: three of the nine vectors that it reads,", fontsize=8)
    text(axes, x0 + 9 * side, 12.2, "one for each tap, at a fixed offset", fontsize=8)
    for tap in range(9):
        i, j = divmod(tap, 3)
        sign = f"{i - 1:+d}, {j - 1:+d}".replace("+0", "0")
        box(axes, x0 + 6.6 * j, 13.9 + 2.3 * i, 6.2, 1.9, SKY, linewidth=0.5)
        text(axes, x0 + 6.6 * j + 3.1, 14.85 + 2.3 * i, sign, fontsize=7.5)
    text(axes, x0 + 9 * side, 21.8, "the nine taps: row, column", fontsize=8)
    # The product.
    x1 = 47
    text(axes, x1 + 6.5, -2, "the product")
    box(axes, x1 + 5, 1, 8, 7, SKY)
    text(axes, x1 + 9, 4.5, "channels x taps\nby pixels,\nnever written", fontsize=7)
    box(axes, x1 - 2, 9.5, 6.2, 6, YELLOW)
    text(axes, x1 + 1.1, 12.5, "filters", fontsize=7.5)
    box(axes, x1 + 5, 9.5, 8, 6, ORANGE, alpha=0.85)
    text(axes, x1 + 9, 12.5, "a tile of\nthe output", fontsize=7.5)
    arrow(axes, (x1 + 9, 15.5), (x1 + 9, 18))
    text(axes, x1 + 6.5, 20, "bias, ReLU, max pooling\nwhile it is in the cache", fontsize=8)
    return figure


# ---- Winograd -----------------------------------------------------------------------------------


def winograd() -> Any:
    """F(4x4, 3x3): transforms around 36 products."""
    figure = new_figure(8.6, 3.5)
    axes = canvas(figure, (-1, 62), (-4.5, 20))
    grid(axes, 0, 0, 6, 6, SKY)
    text(axes, 3, -1.4, "image d, 6 x 6")
    grid(axes, 1.5, 12, 3, 3, YELLOW)
    text(axes, 3, 10.6, "filter g, 3 x 3")
    grid(axes, 16, 0, 6, 6, SKY)
    text(axes, 19, -1.4, "V, 36 points")
    grid(axes, 16, 10.5, 6, 6, YELLOW)
    text(axes, 19, 18, "U, 36 points (once)")
    arrow(axes, (6.8, 3), (15.2, 3))
    text(axes, 11, 1.7, r"$B^T d\,B$", fontsize=9)
    arrow(axes, (5.5, 13.5), (15.2, 13.5))
    text(axes, 10.4, 12.2, r"$G\,g\,G^T$", fontsize=9)
    grid(axes, 33, 5, 6, 6, ORANGE, alpha=0.85)
    text(axes, 36, 2.2, "M: 36 products for each\nchannel and filter")
    arrow(axes, (22.8, 3.5), (32.2, 7))
    arrow(axes, (22.8, 13), (32.2, 9))
    text(axes, 27, 8, "times, point by point", fontsize=8)
    text(
        axes,
        36,
        14.3,
        "at each point a matrix product:\ntiles x channels by\nchannels x filters",
        fontsize=8,
    )
    grid(axes, 51, 6, 4, 4, GREEN, alpha=0.85)
    text(axes, 53, 4.5, "output, 4 x 4")
    arrow(axes, (39.8, 8), (50.2, 8))
    text(axes, 45, 6.7, r"$A^T M A$", fontsize=9)
    text(axes, 54, 13.2, "the direct way:\n16 outputs x 9 taps\n= 144 products", fontsize=8)
    text(axes, 30.5, -3.6, "F(4x4, 3x3): 36 multiplications instead of 144", fontsize=10)
    return figure


# ---- the team -----------------------------------------------------------------------------------


def team() -> Any:
    """Two kernels of a step on four threads, and what follows them."""
    figure = new_figure(8.6, 3.4)
    with styled():
        axes = figure.subplots()
    first = {0: [(1.0, 2.2, 0), (3.2, 2.0, 4)], 1: [(1.3, 2.1, 1), (3.4, 2.1, 5)]}
    first |= {2: [(1.3, 2.4, 2), (3.7, 1.9, 6)], 3: [(2.3, 2.3, 3)]}
    second = {0: [(6.0, 1.7, 0), (7.7, 1.8, 4)], 1: [(6.2, 1.8, 1)], 2: [(6.2, 1.6, 2)]}
    second |= {3: [(6.3, 1.7, 3)]}
    names = ("caller", "worker 1", "worker 2", "worker 3")

    def bar(thread: int, begin: float, length: float, color: str, words: str, **kw: Any) -> None:
        style = {"edgecolor": "black", "linewidth": 0.6, "zorder": 3, **kw}
        axes.barh(thread, length, left=begin, height=0.5, color=color, **style)
        ink = "black" if color == "white" else "white"
        text(axes, begin + length / 2, thread, words, color=ink, zorder=4)

    for thread in range(4):
        if thread:
            bar(thread, 0.1, 11.1, LIGHT, "", hatch="///", edgecolor="white", zorder=2)
            bar(thread, 11.2, 2.1, "white", "asleep")
        for jobs, color in ((first, BLUE), (second, ORANGE)):
            for begin, length, tile in jobs[thread]:
                bar(thread, begin, length, color, str(tile))
    for at, words in ((1.0, "job 1: 7 tiles"), (6.0, "job 2: 5 tiles")):
        axes.axvline(at, color="black", linewidth=0.9, linestyle="--", zorder=1)
        text(axes, at + 0.08, -0.72, words, ha="left")
    text(axes, 11.2, -0.72, "no job for a millisecond")
    axes.set_yticks(range(4), names)
    axes.set(ylim=(3.6, -1.05), xlim=(0, 13.5), xlabel="time (not to scale)")
    axes.set_xticks([])
    axes.grid(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    from matplotlib.patches import Patch

    figure.legend(
        handles=[
            Patch(facecolor=BLUE, edgecolor="black", label="tiles of job 1, by number"),
            Patch(facecolor=ORANGE, edgecolor="black", label="tiles of job 2"),
            Patch(facecolor=LIGHT, hatch="///", edgecolor="white", label="looking for work"),
        ],
        loc="outside lower center",
        ncols=3,
        fontsize=8.5,
        frameon=False,
    )
    return figure


# ---- values of a recorded step ------------------------------------------------------------------

# DeepConvNet: name, channels and side of each convolution's output, and whether it is pooled.
CONVOLUTIONS = ((16, 28, False), (16, 28, True), (32, 14, False), (32, 16, True))
CONVOLUTIONS += ((64, 8, False), (64, 8, True))
BATCH = 100


class Value(NamedTuple):
    """What a call of a recorded step writes, and the calls that are between its first and last."""

    name: str
    size: float  # MB
    first: int
    last: int
    color: str


def values_of_a_step() -> list[Value]:
    """The large values of a step of DeepConvNet, in the order of its calls.

    Forward a call for each convolution, then one for all that has no images; backward dW and dx,
    and in front of them what relu and the pooling hand back.
    """
    found: list[Value] = []
    count = len(CONVOLUTIONS)
    size = [BATCH * c * side * side * 4e-6 for c, side, _ in CONVOLUTIONS]
    kept = [of / 4 if pooled else of for of, (_, _, pooled) in zip(size, CONVOLUTIONS)]
    time, handed = count + 1, count  # the call, and the one that wrote the gradient it gets
    for i in reversed(range(count)):
        pooled, number = CONVOLUTIONS[i][2], i + 1
        gradient, dW, dx = time, time + 1, time + 2
        found.append(Value(f"y{number}", kept[i], i, gradient, BLUE))
        if pooled:
            found.append(Value(f"places {number}", kept[i], i, gradient, SKY))
        found.append(Value(f"dy{number}", kept[i], handed, gradient, PINK))
        found.append(Value(f"d{number}", size[i], gradient, dx if i else dW, ORANGE))
        handed, time = dx, time + 3
    return sorted(found, key=lambda value: value.first)


def placed(values: list[Value]) -> list[float]:
    """Where each value lies, by the rule of csrc/runtime/value_memory.cpp.

    The largest first, each at the lowest place that is free while it lives.
    """
    offsets = [0.0] * len(values)
    done: list[int] = []
    for v in sorted(range(len(values)), key=lambda v: -values[v].size):
        for other in sorted(done, key=lambda o: offsets[o]):
            if values[other].last < values[v].first or values[v].last < values[other].first:
                continue
            if offsets[v] + values[v].size <= offsets[other]:
                break
            offsets[v] = max(offsets[v], offsets[other] + values[other].size)
        done.append(v)
    return offsets


def memory() -> Any:
    """Where the values of a step lie, and how long."""
    values = values_of_a_step()
    offsets = placed(values)
    figure = new_figure(8.6, 4.2)
    with styled():
        axes = figure.subplots()
    for value, offset in zip(values, offsets):
        width = value.last - value.first + 1
        box(axes, value.first, offset, width, value.size, value.color, alpha=0.85)
        if value.size > 0.7:
            color = "white" if value.color in (BLUE, ORANGE) else "black"
            x, y = value.first + width / 2, offset + value.size / 2
            text(axes, x, y, value.name, fontsize=7, color=color)
    whole = sum(value.size for value in values)
    top = max(offset + value.size for offset, value in zip(offsets, values))
    last = max(value.last for value in values) + 1
    axes.set(xlim=(0, last), ylim=(0, 1.08 * top), ylabel="MB")
    axes.set_title(f"{whole:.1f} MB of values in {top:.1f} MB of memory")
    axes.set_xlabel("calls: forward (1 to 6), what has no images (7), backward (from 8)")
    axes.set_xticks([i + 0.5 for i in range(last)], [str(i + 1) for i in range(last)])
    axes.grid(False)
    from matplotlib.patches import Patch

    kinds = ((BLUE, "y: outputs (pooled, where they are)"), (SKY, "places of the maxima"))
    kinds += ((PINK, "dy: handed back by the layer behind"), (ORANGE, "d: before ReLU and pooling"))
    figure.legend(
        handles=[Patch(facecolor=color, edgecolor="black", label=words) for color, words in kinds],
        loc="outside lower center",
        ncols=2,
        fontsize=8.5,
        frameon=False,
    )
    return figure


if __name__ == "__main__":
    for draw in (packing, tiles, winograd, team, memory):
        save_figure(DOCS / f"performance-{draw.__name__}.png", draw())
