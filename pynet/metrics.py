"""Metrics: figures of merit that need no gradient, each a function (t, y) -> number.

    accuracy top_k_accuracy precision recall f1 confusion_matrix roc_auc log_loss
    mean_squared_error mean_absolute_error r2

t comes first, then what the network says. For the metrics of classes t holds class numbers (N,) or
one-hot rows (N, D), and y class numbers (N,) or scores (N, D), of which the highest is the class.
The values are those of scikit-learn's functions of these names with `zero_division=0`.

All raise ValueError where shapes do not fit, there are no samples, or a number is not finite, and
TypeError for anything but real numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pynet._types import Array, ArrayLike

__all__ = [
    "accuracy",
    "confusion_matrix",
    "f1",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "precision",
    "r2",
    "recall",
    "roc_auc",
    "top_k_accuracy",
]

_MOST_CLASSES = 20_000  # whose matrix takes 3 GB
_AVERAGES = (None, "macro", "weighted", "micro", "binary")

# ---- classes -------------------------------------------------------------------------------------


def accuracy(t: ArrayLike, y: ArrayLike) -> float:
    """Return the share of samples whose class is right."""
    labels, classes = _classes("accuracy", t, y)
    return float(np.mean(labels == classes))


def top_k_accuracy(t: ArrayLike, y: ArrayLike, k: int = 5) -> float:
    """Return the share of samples whose label is among their k highest scores.

    Shapes: t (N,) or one-hot (N, D); y scores (N, D). Of equal scores the later class counts as
    the higher one, as in scikit-learn.

    Raises ValueError when k is not from 1 to D.
    """
    scores = _scores("top_k_accuracy", y)
    D = scores.shape[1]
    labels = _labels("top_k_accuracy", t, len(scores), D)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= D:
        raise ValueError(f"[top_k_accuracy] k: expected an integer from 1 to {D}, got {k!r}")
    best = np.argsort(scores, axis=1, kind="stable")[:, D - k :]
    return float(np.mean((best == labels[:, np.newaxis]).any(axis=1)))


def confusion_matrix(t: ArrayLike, y: ArrayLike, classes: int | None = None) -> Array:
    """Return the counts (D, D): row the label, column the class said.

    Args:
        t: the labels.
        y: class numbers or scores.
        classes: D; where None, as many as rows of t or y have, or the highest number needs.
    """
    return _matrix("confusion_matrix", t, y, classes)


def precision(t: ArrayLike, y: ArrayLike, average: str | None = "macro") -> Any:
    """Return the share of right ones among the samples said to be of a class: TP / (TP + FP).

    A class that was never said has 0.

    Args:
        t: the labels.
        y: class numbers or scores.
        average: None for an array of all classes; 'macro', their mean; 'weighted', their mean by
            number of samples; 'micro', of all classes counted together; 'binary', of class 1.
            Classes that neither t nor y has do not count in the means.

    Raises ValueError for another average, or 'binary' with more than two classes.
    """
    return _by_class("precision", t, y, average, lambda right, said, real: _share(right, said))


def recall(t: ArrayLike, y: ArrayLike, average: str | None = "macro") -> Any:
    """Return the share of a class's samples that were found: TP / (TP + FN).

    A class without samples has 0. Arguments and errors as in `precision`.
    """
    return _by_class("recall", t, y, average, lambda right, said, real: _share(right, real))


def f1(t: ArrayLike, y: ArrayLike, average: str | None = "macro") -> Any:
    """Return the harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN), 0 for 0 / 0.

    Arguments and errors as in `precision`.
    """
    return _by_class("f1", t, y, average, lambda right, said, real: _share(2 * right, said + real))


def _by_class(
    op: str,
    t: ArrayLike,
    y: ArrayLike,
    average: str | None,
    formula: Callable[[Array, Array, Array], Array],
) -> Any:
    """A figure of (right, said, real) counts by class, averaged."""
    if not isinstance(average, str | None) or average not in _AVERAGES:
        raise ValueError(
            f"[{op}] average: expected None, 'macro', 'weighted', 'micro' or 'binary', "
            f"got {average!r}"
        )
    matrix = _matrix(op, t, y)
    right, said, real = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    if average == "micro":
        return float(formula(right.sum(), said.sum(), real.sum()))
    each = formula(right, said, real)
    if average is None:
        return each
    if average == "binary":
        if len(each) > 2:
            raise ValueError(f"[{op}] average: expected 'macro' or another for {len(each)} classes")
        return float(each[1]) if len(each) == 2 else 0.0
    present = said + real > 0
    weights = real[present] if average == "weighted" else None
    return float(np.average(each[present], weights=weights))


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


# ---- scores and probabilities --------------------------------------------------------------------


def roc_auc(t: ArrayLike, y: ArrayLike, average: str | None = "macro") -> Any:
    """Return the area under the ROC curve: how often a positive sample has the higher score.

    Equal scores count one half. Scores need not be probabilities.

    Shapes: two classes: t (N,) of 0 and 1, y scores of class 1, (N,) or (N, 1). More: t (N,) class
    numbers or one-hot (N, D), y (N, D); each class against the rest.

    Args:
        t: the labels.
        y: scores.
        average: of several classes: None for an array, 'macro' their mean, 'weighted' their mean
            by number of samples.

    Raises ValueError where a class has no samples, or all.

    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    if not isinstance(average, str | None) or average not in _AVERAGES[:3]:
        raise ValueError(
            f"[roc_auc] average: expected None, 'macro' or 'weighted', got {average!r}"
        )
    scores = _finite("roc_auc", "y", y)
    if scores.ndim == 1 or scores.shape[1:] == (1,):
        labels = _labels("roc_auc", t, len(scores), 2)
        return _one_auc(labels == 1, scores.reshape(-1))
    scores = _scores("roc_auc", y)
    labels = _labels("roc_auc", t, len(scores), scores.shape[1])
    each = np.array([_one_auc(labels == c, scores[:, c], c) for c in range(scores.shape[1])])
    if average is None:
        return each
    counts = np.bincount(labels, minlength=len(each))
    return float(np.average(each, weights=counts if average == "weighted" else None))


def _one_auc(positive: Array, scores: Array, label: int = 1) -> float:
    count = int(positive.sum())
    if not 0 < count < len(scores):
        raise ValueError(
            f"[roc_auc] t: expected samples of class {label} and others, got {count} of "
            f"{len(scores)}"
        )
    # Mann and Whitney: from the ranks of the positive samples, equal scores sharing their mean.
    _, place, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[place]
    wins = ranks[positive].sum() - count * (count + 1) / 2
    return float(wins / (count * (len(scores) - count)))


def log_loss(t: ArrayLike, y: ArrayLike) -> float:
    """Return the mean of -log of the probability that y gives to the label.

    Probabilities are held between eps and 1 - eps, eps that of their dtype, so that a certain
    error costs much, but not infinity.

    Shapes: t (N,) class numbers or one-hot (N, D); y (N, D) probabilities, rows of sum 1, or of
    class 1 alone, (N,) or (N, 1).

    Raises ValueError for y outside 0 to 1, or rows whose sum is further than 0.001 from 1.
    """
    p = _finite("log_loss", "y", y)
    eps = float(np.finfo(p.dtype).eps)
    if p.min() < 0 or p.max() > 1:
        raise ValueError(
            f"[log_loss] y: expected probabilities from 0 to 1, got {p.min()} to {p.max()}"
        )
    p = p.astype(np.float64)
    if p.ndim == 1 or p.shape[1:] == (1,):
        p = np.stack([1 - p.reshape(-1), p.reshape(-1)], axis=1)
    p = _scores("log_loss", p)
    sums = p.sum(axis=1)
    if np.abs(sums - 1).max() > 1e-3:
        raise ValueError(
            f"[log_loss] y: expected rows of sum 1, got {sums.min():g} to {sums.max():g}"
        )
    labels = _labels("log_loss", t, len(p), p.shape[1])
    at_label = p[np.arange(len(p)), labels]
    return float(-np.mean(np.log(np.clip(at_label, eps, 1 - eps))))


# ---- regression ----------------------------------------------------------------------------------


def mean_squared_error(t: ArrayLike, y: ArrayLike) -> float:
    """Return the mean of (y - t)^2 over samples and outputs; t and y (N,) or (N, D)."""
    values, said = _pair("mean_squared_error", t, y)
    return float(np.mean(np.square(said - values)))


def mean_absolute_error(t: ArrayLike, y: ArrayLike) -> float:
    """Return the mean of |y - t| over samples and outputs; t and y (N,) or (N, D)."""
    values, said = _pair("mean_absolute_error", t, y)
    return float(np.mean(np.abs(said - values)))


def r2(t: ArrayLike, y: ArrayLike) -> float:
    """Return 1 - sum((y - t)^2) / sum((t - mean(t))^2), the mean of it over the outputs.

    1 is perfect, 0 as good as the mean of t. An output whose t are all equal has 1 where y is
    that too, else 0.

    Raises ValueError for fewer than two samples.
    """
    values, said = _pair("r2", t, y)
    if len(values) < 2:
        raise ValueError(f"[r2] t: expected at least 2 samples, got {len(values)}")
    values, said = values.reshape(len(values), -1), said.reshape(len(values), -1)
    left = np.sum(np.square(said - values), axis=0)
    all_ = np.sum(np.square(values - values.mean(axis=0)), axis=0)
    ratio = np.divide(left, all_, out=(left > 0).astype(np.float64), where=all_ > 0)
    return float(np.mean(1 - ratio))


# ---- what comes in -------------------------------------------------------------------------------


def _finite(op: str, name: str, value: ArrayLike) -> Array:
    """Finite real numbers, (N,) or (N, D), as float32 or float64."""
    try:
        array: Array = np.asarray(value)
    except ValueError:
        raise TypeError(f"[{op}] {name}: expected an array, got {type(value).__name__}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"[{op}] {name}: expected real numbers, got dtype {array.dtype}")
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"[{op}] {name}: expected shape (N,) or (N, D), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"[{op}] {name}: expected finite numbers, got inf or nan")
    return array if array.dtype == np.float32 else array.astype(np.float64)


def _scores(op: str, y: ArrayLike) -> Array:
    scores = _finite(op, "y", y)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"[{op}] y: expected scores (N, D), D from 2, got {scores.shape}")
    return scores


def _labels(op: str, t: ArrayLike, N: int, D: int | None = None, name: str = "t") -> Array:
    """Class numbers (N,), below D, from those or from one-hot rows."""
    labels = _finite(op, name, t)
    rows = labels.shape if labels.ndim == 2 and labels.shape[1] > 1 else None
    if rows:
        if D not in (None, rows[1]) or not (
            np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        ):
            raise ValueError(
                f"[{op}] {name}: expected one-hot rows{f' of {D} classes' if D else ''}, "
                f"got shape {rows}"
            )
        labels = labels.argmax(axis=1)
    labels = labels.reshape(-1)
    if len(labels) != N:
        raise ValueError(f"[{op}] {name}: expected a label for each of {N} samples")
    if np.any(labels != np.floor(labels)) or labels.min() < 0:
        raise ValueError(f"[{op}] {name}: expected class numbers from 0, got {labels.min():g} ...")
    if D is not None and labels.max() >= D:
        raise ValueError(f"[{op}] {name}: expected labels 0 to {D - 1}, got {labels.max():g}")
    return labels.astype(np.intp)


def _classes(op: str, t: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """The labels and the classes said."""
    said = _finite(op, "y", y)
    N = len(said)
    if said.ndim == 2 and said.shape[1] > 1:
        return _labels(op, t, N, said.shape[1]), said.argmax(axis=1)
    return _labels(op, t, N), _labels(op, y, N, name="y")


def _matrix(op: str, t: ArrayLike, y: ArrayLike, classes: int | None = None) -> Array:
    """The counts by label and class said."""
    labels, said = _classes(op, t, y)
    widths = [np.shape(each)[1] for each in (t, y) if np.ndim(each) == 2]
    needed = max(int(labels.max()), int(said.max())) + 1
    D = max(needed, *widths, 1) if classes is None else classes
    if isinstance(D, bool) or not isinstance(D, (int, np.integer)) or D < needed:
        raise ValueError(f"[{op}] classes: expected an integer from {needed} on, got {classes!r}")
    if D > _MOST_CLASSES:
        raise ValueError(f"[{op}] classes: expected at most {_MOST_CLASSES}, got {D}")
    return np.bincount(labels * D + said, minlength=D * D).reshape(D, D)


def _pair(op: str, t: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Targets and predictions of one shape, in float64."""
    values, said = _finite(op, "t", t), _finite(op, "y", y)
    if said.shape == (len(said), 1) and values.ndim == 1:
        said = said.reshape(-1)
    if values.shape != said.shape:
        raise ValueError(f"[{op}] y: expected shape {values.shape} like t, got {said.shape}")
    return values.astype(np.float64), said.astype(np.float64)
