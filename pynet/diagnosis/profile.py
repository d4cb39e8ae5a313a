"""Where the time of a gradient pass goes: a row for each layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pynet import devices
from pynet._types import ArrayLike, Shape
from pynet.checks import whole_number
from pynet.diagnosis.watch import named_layers, twin_of
from pynet.layers import Description, Layer
from pynet.networks.summary import text_table

_HEADINGS = (
    *("layer", "output", "forward ms", "backward ms", "share", "MB", "Mmac"),
    *("forward GFLOP/s", "backward GFLOP/s"),
)


@dataclass
class LayerTime:
    """The times of one layer in a pass of N samples, in seconds.

    `bytes` are those a forward pass has to read and write at least: x, parameters, y. `macs` are
    the multiply-adds of a forward pass; backward does as many for dW, and for dx where it is
    wanted (`macs_backward`).
    """

    name: str
    kind: str
    out_shape: Shape = ()
    forward: float = 0.0
    backward: float = 0.0
    bytes: int = 0
    macs: int = 0
    macs_backward: int = 0
    _times: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []), repr=False)

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward

    def gflops(self) -> tuple[float, float]:
        """Return the arithmetic done in a second, forward and backward: two operations a mac."""
        pairs = ((self.macs, self.forward), (self.macs_backward, self.backward))
        forward, backward = (2e-9 * macs / s if s > 0 else 0.0 for macs, s in pairs)
        return forward, backward

    def _cells(self, whole: float) -> tuple[str, ...]:
        rates = self.gflops() if self.macs else ("", "")
        return (
            self.name,
            "x".join(map(str, self.out_shape[1:])),
            f"{1e3 * self.forward:.3f}",
            f"{1e3 * self.backward:.3f}",
            f"{100 * self.seconds / whole:.1f} %",
            f"{self.bytes / 1e6:.2f}",
            f"{self.macs / 1e6:.1f}" if self.macs else "",
            *(rate if isinstance(rate, str) else f"{rate:.1f}" for rate in rates),
        )


class Profile:
    """A row for each layer and one for the rest; `print(profile)` shows them as a table.

    `seconds` is the time of a whole gradient pass, `rest` what no layer accounts for:
    Python, containers, the gradient store.
    """

    def __init__(self, title: str, rows: list[LayerTime], seconds: float) -> None:
        self.title = title
        self.rows = rows
        self.seconds = max(seconds, sum(row.seconds for row in rows))
        self.rest = self.seconds - sum(row.seconds for row in rows)

    def share(self, kind: str) -> float:
        """Return the share of the time, 0 to 1, in layers with this in the name of their class."""
        return sum(row.seconds for row in self.rows if kind in row.kind) / self.seconds

    def __str__(self) -> str:
        cells = [row._cells(self.seconds) for row in self.rows]
        empty = ("",) * 4
        cells.append(("rest", "", "", "", f"{100 * self.rest / self.seconds:.1f} %", *empty))
        forward, backward = (sum(getattr(r, f) for r in self.rows) for f in ("forward", "backward"))
        total = (
            *("total", "", f"{1e3 * forward:.3f}", f"{1e3 * backward:.3f}", "100.0 %"),
            f"{sum(row.bytes for row in self.rows) / 1e6:.2f}",
            f"{sum(row.macs for row in self.rows) / 1e6:.1f}",
            *("", ""),
        )
        return "\n".join(
            [
                self.title,
                text_table(_HEADINGS, cells, total),
                f"gradient pass {1e3 * self.seconds:.3f} ms, "
                f"convolution {100 * self.share('Convolution'):.1f} % of it",
            ]
        )

    __repr__ = __str__


def profile(network: Any, x: ArrayLike, t: ArrayLike, repeats: int = 20) -> Profile:
    """Time every layer's forward and backward in `repeats` gradient passes of one batch.

    Means of the faster half of the passes: the rows add up, and what another program takes now and
    then does not count. Two passes before are not counted either. Runs on a copy; the network
    stays as it is. Layers inside containers are timed one by one; joining and adding count as the
    rest.

    Raises TypeError for what is no `pynet.networks.Network`, ValueError for repeats below 1.
    """
    twin = twin_of("profile", network, as_it_is=True)
    whole_number("[profile] repeats", repeats)
    batch = twin._input(x)
    wait = devices.synchronize if twin.device == "cuda" else _no_wait
    rows = [_time(layer, name, wait) for name, layer in named_layers(twin)]
    rows.append(_time(twin.last_layer, type(twin.last_layer).__name__, wait))
    whole: list[float] = []
    for _ in range(repeats + 2):
        begin = time.perf_counter()
        twin.gradient(batch, t)
        wait()
        whole.append(time.perf_counter() - begin)
    fast = np.argsort(whole[2:], kind="stable")[: (repeats + 1) // 2] + 2
    for row in rows:
        forward, backward = (float(np.mean(np.take(times, fast))) if times else 0.0
                             for times in row._times)  # fmt: skip
        row.forward, row.backward = forward, backward
    title = f"{type(network).__name__}, {twin.dtype}, {len(batch)} samples, {repeats} passes"
    return Profile(title, rows, float(np.mean(np.take(whole, fast))))


def _no_wait() -> None:
    """The CPU is done when a call returns."""


def _time(layer: Any, name: str, wait: Callable[[], None]) -> LayerTime:
    """Let a layer's passes note how long they take."""
    row = LayerTime(name, type(layer).__name__)
    forward, backward = layer.forward, layer.backward

    def timed(function: Callable[..., Any], times: list[float], *args: Any) -> Any:
        begin = time.perf_counter()
        value = function(*args)
        wait()
        times.append(time.perf_counter() - begin)
        return value

    def timed_forward(*args: Any) -> Any:
        y = timed(forward, row._times[0], *args)
        if not row.out_shape:
            _count(row, layer, args[0], y)
        return y

    def timed_backward(*args: Any) -> Any:
        dx = timed(backward, row._times[1], *args)
        row.macs_backward = row.macs * (1 if dx is None else 2)
        return dx

    layer.forward, layer.backward = timed_forward, timed_backward
    return row


def _count(row: LayerTime, layer: Any, x: Any, y: Any) -> None:
    """Bytes and multiply-adds, at the first pass."""
    if not isinstance(layer, Layer):  # the loss
        row.bytes = int(x.nbytes)
        return
    description: Description = layer.describe(np.shape(x))
    row.out_shape, row.macs = np.shape(y), description.macs
    row.bytes = int(x.nbytes + y.nbytes + description.params * y.dtype.itemsize)
