"""The picture of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pynet._types import ArrayLike
from pynet.serialization.files import PathLike
from pynet.viz.style import new_figure, save_figure, styled


def save_confusion(
    path: PathLike, matrix: ArrayLike, names: Sequence[str] | None = None, title: str = ""
) -> None:
    """Draw a confusion matrix (`metrics.confusion_matrix`) and write it as a PNG, atomically.

    Args:
        path: the file.
        matrix: counts (D, D), row the label, column the class said.
        names: of the D classes; their numbers where None.
        title: above the picture.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file could not be written.
        ValueError: no square matrix of counts, or another number of names.
    """
    counts = np.asarray(matrix)
    side = min(max(3.6, 0.55 * len(counts) + 1.2), 12) if counts.ndim == 2 else 4.0
    figure = new_figure(side + 0.4, side, title)
    with styled():
        draw_confusion(figure.subplots(), counts, names)
    save_figure(path, figure, op="save_confusion")


def draw_confusion(axes: Any, matrix: ArrayLike, names: Sequence[str] | None = None) -> None:
    """Draw a confusion matrix into axes: the shade of a cell is its share of its row.

    Errors are told from what is right by their colour as well: the diagonal is blue.

    Raises ValueError for no square matrix of counts, or another number of names.
    """
    from matplotlib.patches import Rectangle

    counts = np.asarray(matrix)
    D = len(counts) if counts.ndim else 0
    if counts.shape != (D, D) or D == 0 or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise ValueError(
            f"[confusion] matrix: expected counts (D, D), got {counts.dtype} {counts.shape}"
        )
    names = [str(i) for i in range(D)] if names is None else list(names)
    if len(names) != D:
        raise ValueError(f"[confusion] names: expected {D}, got {len(names)}")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.grid(False)
    right = np.ma.masked_array(shares, ~np.eye(D, dtype=bool))
    wrong = np.ma.masked_array(shares, np.eye(D, dtype=bool))
    axes.imshow(right, cmap="Blues", vmin=0, vmax=1.2)
    # The root makes rare errors visible.
    axes.imshow(np.ma.sqrt(wrong), cmap="Oranges", vmin=0, vmax=1.2)
    size = 9 if D <= 12 else max(4.5, 110 / D)
    for (i, j), count in np.ndenumerate(counts):
        dark = shares[i, j] > 0.6 if i == j else shares[i, j] ** 0.5 > 0.7
        text = {"ha": "center", "va": "center", "fontsize": size}
        axes.text(j, i, f"{count}" if count else "·", color="w" if dark else "k", **text)
    for i in range(D):
        axes.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, linewidth=0.8))
    axes.set_xticks(range(D), names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(range(D), names)
    axes.tick_params(length=0)
    axes.set(xlabel="class the net says", ylabel="label")
    for spine in axes.spines.values():
        spine.set_visible(False)
