"""What a Trainer refuses: arguments that make no sense, numbers that are not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pynet import ops
from pynet._types import Array
from pynet.diagnosis import finite, first_non_finite
from pynet.params import FlatStore
from pynet.trainer.measure import Metric, Part


def choose(argument: str, name: str, table: Mapping[str, Any]) -> Any:
    """Return table[name]; ValueError, naming the argument, where there is none."""
    if name not in table:
        raise ValueError(f"[Trainer] {argument}: expected one of {', '.join(table)}, got {name!r}")
    return table[name]


def checked_metrics(metrics: Mapping[str, Metric], validation: Part | None) -> Mapping[str, Metric]:
    """Return the metrics; ValueError or TypeError where they cannot be measured."""
    if metrics and validation is None:
        raise ValueError(
            "[Trainer] metrics: expected validation=(x, t) to measure them on, got no such data"
        )
    for name, metric in metrics.items():
        if not callable(metric):
            raise TypeError(
                f"[Trainer] metrics[{name!r}]: expected a function (t, y), "
                f"got {type(metric).__name__}"
            )
    return metrics


def all_finite(grads: Any) -> bool:
    """Whether all gradients are finite."""
    if isinstance(grads, FlatStore):
        # A sum of squares finds every inf and nan, and is inf for a few large numbers too.
        return math.isfinite(ops.norm(grads.flat)) or finite(grads.flat)
    return all(finite(grad) for grad in grads.values())


def divergence(
    trainer: Any, loss: float | None, x: Array, t: Array, grads: Any
) -> FloatingPointError:
    """Return the error for a step whose loss or gradient is not finite."""
    where = first_non_finite(trainer.network, x, t, grads)
    what = "loss" if loss is not None and not math.isfinite(loss) else "gradient"
    got = loss if what == "loss" else "inf or nan"
    rate = getattr(trainer.optimizer, "lr", None)
    return FloatingPointError(
        f"[Trainer] {what}: expected finite numbers, got {got} at step "
        f"{trainer.current_iter + 1} with learning rate {rate}: {where}"
    )
