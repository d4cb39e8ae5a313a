"""Reading learning curves: too small a net, too large a net, too short a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class CurveReport(NamedTuple):
    """What a learning curve says; `str()` gives it in words.

    `bias` is what the training accuracy lacks to `target`, `variance` the gap between training
    and validation, both at the end of the run and averaged over its last tenth. `best_epoch`
    (from 1) had the best validation accuracy. `improving`: validation still rises at the end.
    """

    verdict: str  # 'under-fitting', 'over-fitting', 'both' or 'good fit'
    bias: float
    variance: float
    best_epoch: int
    improving: bool
    train: float
    validation: float

    def __str__(self) -> str:
        low = {
            "under-fitting": "under-fitting (high bias): a larger net, longer training, "
            "a higher learning rate or less regularisation",
            "over-fitting": "over-fitting (low bias, high variance): more data, weight decay, "
            "dropout, early stopping or a smaller net",
            "both": "under-fitting and over-fitting (high bias, high variance): another "
            "architecture, or more data and longer training",
            "good fit": "good fit (low bias, low variance)",
        }[self.verdict]
        more = "; validation still improves: train longer first" if self.improving else ""
        return (
            f"{low}; training {100 * self.train:.1f} %, validation {100 * self.validation:.1f} %, "
            f"best at epoch {self.best_epoch}{more}"
        )


def learning_curve(
    train_acc: Sequence[float],
    validation_acc: Sequence[float],
    *,
    target: float = 0.95,
    gap: float = 0.05,
) -> CurveReport:
    """Say whether a run under-fits or over-fits, from its accuracies after each epoch.

    High bias: the training accuracy stays below `target`. High variance: it is more than `gap`
    above the validation accuracy. What counts as high depends on the task, hence the arguments.

    Raises ValueError for empty curves, curves of different length, or figures outside 0 .. 1.
    """
    train, validation = np.asarray(train_acc, float), np.asarray(validation_acc, float)
    if train.ndim != 1 or train.shape != validation.shape or train.size == 0:
        raise ValueError(
            "[learning_curve] validation_acc: expected as many figures as train_acc, at least one, "
            f"got {validation.shape} and {train.shape}"
        )
    for name, values in (("train_acc", train), ("validation_acc", validation)):
        if not np.all((values >= 0) & (values <= 1)):
            raise ValueError(f"[learning_curve] {name}: expected accuracies from 0 to 1")
    tail = max(1, len(train) // 10)
    end, end_validation = float(train[-tail:].mean()), float(validation[-tail:].mean())
    bias, variance = max(0.0, target - end), end - end_validation
    verdict = {
        (False, False): "good fit",
        (True, False): "under-fitting",
        (False, True): "over-fitting",
        (True, True): "both",
    }[bias > 0, variance > gap]
    before = validation[-2 * tail : -tail]
    improving = before.size > 0 and end_validation - float(before.mean()) > 0.005
    best = int(validation.argmax()) + 1
    return CurveReport(verdict, bias, variance, best, improving, end, end_validation)
