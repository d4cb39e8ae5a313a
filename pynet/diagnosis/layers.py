"""What goes on in each layer: outputs, dead and saturated units, gradients; and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pynet import devices
from pynet._types import Array, ArrayLike
from pynet.diagnosis.watch import Seen, observe, slope
from pynet.networks.summary import text_table

FLAT = 0.01  # an activation whose slope is below this lets hardly any gradient through
_RATIO = 100.0  # gradients of two layers further apart than this: vanishing, exploding
_HEADINGS = ("layer", "mean", "std", "flat", "dead units", "|dW|", "|dL/dy|", "to last")


class LayerReport(NamedTuple):
    """One layer in a gradient pass.

    `mean` and `std` are those of all outputs. `flat` is the share of outputs at which the
    activation's slope is below 0.01; `dead` the share of units (columns, or elements of an image)
    at which it is so for every sample; both None where the layer is no activation. `grad_norm` is
    the norm of the loss's gradient for W (gamma, ...), None for a layer without parameters;
    `dout_norm` that of the gradient for the layer's output, `ratio` that over the last layer's,
    None in front of the first parameters, where backpropagation ends.
    """

    name: str
    mean: float
    std: float
    flat: float | None
    dead: float | None
    grad_norm: float | None
    dout_norm: float | None
    ratio: float | None

    def _cells(self) -> tuple[str, ...]:
        def number(value: float | None) -> str:
            return "" if value is None else f"{value:.3g}"

        def share(value: float | None) -> str:
            return "" if value is None else f"{100 * value:.1f} %"

        return (
            *(self.name, number(self.mean), number(self.std), share(self.flat), share(self.dead)),
            *(number(self.grad_norm), number(self.dout_norm), number(self.ratio)),
        )


class Diagnosis:
    """A row for each layer and the findings in words; `print(diagnosis)` shows both.

    `outputs` holds what each layer gave, by its name: `histogram(name)` counts it.
    """

    def __init__(self, name: str, N: int, rows: list[LayerReport], seen: list[Seen]) -> None:
        self.name = name
        self.N = N
        self.rows = rows
        self.outputs: dict[str, Array] = {one.name: one.y for one in seen}
        self.findings = list(_findings(rows, seen))

    def histogram(
        self, layer: str, bins: int = 30, range: tuple[float, float] | None = None
    ) -> tuple[Array, Array]:
        """Return how often the layer's outputs fall into each bin, and the bins' edges.

        Raises KeyError for an unknown layer.
        """
        if layer not in self.outputs:
            raise KeyError(
                f"[Diagnosis.histogram] layer: expected one of {', '.join(self.outputs)}, "
                f"got {layer!r}"
            )
        return np.histogram(self.outputs[layer], bins=bins, range=range)

    def __str__(self) -> str:
        lines = [f"{self.name}, one gradient pass of {self.N} samples"]
        lines.append(text_table(_HEADINGS, [row._cells() for row in self.rows]))
        lines += [f"- {finding}" for finding in self.findings or ["nothing to remark"]]
        return "\n".join(lines)

    __repr__ = __str__


def diagnose(network: Any, x: ArrayLike, t: ArrayLike) -> Diagnosis:
    """Look at every layer in one gradient pass, in training mode, and name what is wrong.

    Found are: numbers that are not finite, vanishing and exploding gradients (for some layer's
    output 100 times smaller or larger than for the last one's), dead units (the activation's slope
    is below 0.01 for every sample), saturated activations, outputs that shrink or grow 100 times
    from the first activation to the last, and units that are all alike. The network stays as it
    is. Take a batch of a hundred or so: a unit that is silent for three samples need not be dead.

    Raises TypeError for what is no `pynet.networks.Network`, and what its `gradient` raises.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """
    seen = observe("diagnose", network, x, t)
    last = seen[-1].dout_norm if seen else None
    rows = []
    for one in seen:
        norm = one.dout_norm
        dy = slope(one)
        flat = None if dy is None else np.abs(dy) < FLAT
        y = np.asarray(one.y, np.float64)
        with np.errstate(all="ignore"):
            rows.append(
                LayerReport(
                    one.name,
                    float(y.mean()),
                    float(y.std()),
                    None if flat is None else float(flat.mean()),
                    None if flat is None else float(flat.all(axis=0).mean()),
                    one.grad_norm,
                    norm,
                    norm / last if norm is not None and last else None,
                )
            )
    return Diagnosis(type(network).__name__, len(devices.array(x)), rows, seen)


# ---- findings ----------------------------------------------------------------------------------


def _findings(rows: list[LayerReport], seen: list[Seen]) -> Iterator[str]:
    outputs = [row.name for row in rows if not np.isfinite(row.mean)]
    gradients = [row.name for row in reversed(rows) if not np.isfinite(row.dout_norm or 0)]
    for what, names in (("outputs", outputs), ("gradients", gradients)):
        if names:
            yield f"{what} are not finite, first at {names[0]}"
            return
    yield from _of_gradients([row for row in rows if row.dout_norm is not None])
    for row, one in zip(rows, seen):
        yield from _of_activation(row, one)
    yield from _of_spread([(row, one) for row, one in zip(rows, seen) if row.flat is not None])


def _of_gradients(rows: list[LayerReport]) -> Iterator[str]:
    norms: list[float] = [row.dout_norm or 0 for row in rows]
    if len(rows) < 2:
        return
    if norms[-1] == 0:
        yield f"no gradient at all comes from the loss into {rows[-1].name}"
        return
    least, most = int(np.argmin(norms)), int(np.argmax(norms))
    end = f"{norms[-1]:.2g} at {rows[-1].name}"
    if norms[least] * _RATIO <= norms[-1]:
        yield (
            f"the gradient shrinks from {end} to {norms[least]:.2g} at {rows[least].name}: "
            "vanishing; try He or Xavier initial values, ReLU, batch normalisation, shortcuts"
        )
    if norms[most] >= _RATIO * norms[-1]:
        yield (
            f"the gradient grows from {end} to {norms[most]:.2g} at {rows[most].name}: "
            "exploding; try smaller initial values, gradient clipping, batch normalisation"
        )


def _of_activation(row: LayerReport, one: Seen) -> Iterator[str]:
    if row.flat is None or row.dead is None:
        return
    units = int(np.prod(one.y.shape[1:]))
    silent = float(np.mean(one.y == 0))
    if row.dead >= 0.2:
        yield (
            f"{row.name}: {round(row.dead * units):,} of {units:,} units are dead: their slope is "
            f"below {FLAT:g} for all {len(one.y)} samples"
        )
    if row.flat - silent >= 0.5:
        yield (
            f"{row.name} is saturated: {100 * row.flat:.0f} % of its outputs are where it is flat; "
            "try smaller initial weights or batch normalisation"
        )
    y = one.y.reshape(len(one.y), -1)
    if y.shape[1] > 1 and np.ptp(y) > 0 and np.all(np.ptp(y, axis=1) <= 1e-6 * np.abs(y).max()):
        yield (
            f"{row.name}: all {units:,} units give the same, as equal initial weights make them: "
            "they count as one"
        )


def _of_spread(activations: list[tuple[LayerReport, Seen]]) -> Iterator[str]:
    """Outputs that differ ever less, or ever more, between samples."""
    if len(activations) < 2 or len(activations[0][1].y) < 2:
        return
    spread = [float(np.mean(np.std(one.y, axis=0, dtype=np.float64))) for _, one in activations]
    from_to = (
        f"their standard deviation over the samples goes from {spread[0]:.2g} at "
        f"{activations[0][0].name} to {spread[-1]:.2g} at {activations[-1][0].name}"
    )
    if spread[-1] * _RATIO <= spread[0]:
        yield f"the outputs hardly depend on the input: {from_to}; try larger initial weights"
    elif spread[-1] >= _RATIO * spread[0]:
        yield f"the outputs grow from layer to layer: {from_to}; try smaller initial weights"
