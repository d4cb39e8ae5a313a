"""What a Trainer refuses: arguments that make no sense, numbers that are not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from typing import Any

from pynet import ops
from pynet._types import Array
from pynet.callbacks import Callback
from pynet.checks import one_of
from pynet.diagnosis import finite, first_non_finite
from pynet.params import FlatStore
from pynet.trainer.measure import Metric, Part, part


def choose(argument: str, name: str, table: Mapping[str, Any]) -> Any:
    """Return table[name]; ValueError, naming the argument, where there is none."""
    return table[one_of(f"[Trainer] {argument}", name, table)]


def made(argument: str, cls: Callable[..., Any], arguments: Any) -> Any:
    """Return cls(**arguments); TypeError where they are not by name, or it has none so called."""
    where = f"[Trainer] {argument}"
    if not isinstance(arguments, Mapping):
        raise TypeError(f"{where}: expected arguments by name, got {type(arguments).__name__}")
    unknown = [name for name in arguments if name not in signature(cls).parameters]
    if unknown:
        known = ", ".join(signature(cls).parameters)
        raise TypeError(f"{where}: expected some of {known}, got {unknown[0]!r}")
    return cls(**arguments)


def held_out_part(validation: Any) -> Part:
    """Return the validation data, given as (x, t); TypeError for anything else."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError(
            f"[Trainer] validation: expected a pair (x, t), got {type(validation).__name__}"
        )
    return part("Trainer", "validation", *validation)


def checked_callbacks(callbacks: Any) -> Iterable[Callback]:
    """Return the callbacks; TypeError for anything else."""
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str | bytes):
        raise TypeError(
            f"[Trainer] callbacks: expected a list of them, got {type(callbacks).__name__}"
        )
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"[Trainer] callbacks[{i}]: expected a pynet.callbacks.Callback, "
                f"got {type(callback).__name__}"
            )
    return callbacks


def checked_metrics(metrics: Mapping[str, Metric], validation: Part | None) -> Mapping[str, Metric]:
    """Return the metrics; ValueError or TypeError where they cannot be measured."""
    if not isinstance(metrics, Mapping):
        raise TypeError(
            f"[Trainer] metrics: expected functions by name, got {type(metrics).__name__}"
        )
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
