"""How all pictures look: one style, and colours that every kind of colour vision tells apart."""

from __future__ import annotations

import io
from types import MappingProxyType
from typing import Any

from pynet.serialization import write_atomic
from pynet.serialization.files import PathLike

# The colours of Okabe and Ito (2008), the dark ones first.
BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, BLACK = COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"),
)
GRAY, LIGHT = "#9A9A9A", "#E2E2E2"
# Lines are told apart without colour too: COLOURS[i] goes with LINES[i] and MARKS[i].
LINES = ("-", "--", "-.", ":", "-", "--", "-.")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
HEAT = "viridis"  # the colour map for numbers, and the one for numbers of both signs
SIGNED = "PuOr"

_SETTINGS = MappingProxyType(
    {
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "font.size": 9,
        "grid.color": LIGHT,
        "grid.linewidth": 0.6,
        "image.cmap": HEAT,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
        "lines.markersize": 4,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
    }
)


def new_figure(width: float = 9.0, height: float = 3.6, title: str = "") -> Any:
    """Return an empty matplotlib Figure of this size in inches, without pyplot's global state.

    Draw on `figure.subplots(...)` inside `with styled():`.

    Raises ImportError when matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def styled() -> Any:
    """Return a context in which axes are made in the style of all pictures."""
    from cycler import cycler
    from matplotlib import rc_context

    settings: Any = dict(_SETTINGS)
    settings["axes.prop_cycle"] = cycler(color=COLOURS) + cycler(linestyle=LINES)
    return rc_context(settings)


def plain_ticks(axis: Any) -> None:
    """Let a logarithmic axis of few decades say 20 and 0.5, not 2 x 10^1 and 5 x 10^-1."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else "")


def save_figure(path: PathLike, figure: Any, *, op: str = "save_figure") -> None:
    """Write a figure as a PNG, atomically.

    Raises OSError when the file cannot be written.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_atomic(path, picture.getvalue(), op=op)
