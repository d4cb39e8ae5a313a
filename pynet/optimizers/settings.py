"""What optimizers and their hooks have in common: numbers that are checked, state that is saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from pynet import backend, devices
from pynet._types import Array
from pynet.params import FlatStore


class Hyperparameter:
    """A number that may be changed between updates, refused where it makes no sense.

    Raises TypeError when it is no number, ValueError when it is not finite, below `low`, or not
    below `high`.
    """

    def __init__(self, high: float = math.inf, low: float = 0) -> None:
        self.high = high
        self.low = low

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        return self if owner is None else owner.__dict__[self.name]

    def __set__(self, owner: Any, value: float) -> None:
        where = f"[{type(owner).__name__}] {self.name}"
        try:
            fits = math.isfinite(value) and self.low <= value < self.high
        except TypeError:
            raise TypeError(f"{where}: expected a number, got {type(value).__name__}") from None
        except OverflowError:
            fits = False
        if not fits:
            limit = "" if self.high == math.inf else f" and < {self.high:g}"
            raise ValueError(
                f"{where}: expected a finite number >= {self.low:g}{limit}, got {value}"
            )
        owner.__dict__[self.name] = value


class Stateful:
    """Something with numbers, and with arrays for each parameter; both go into checkpoints.

    The arrays are in dicts keyed like params, one dict for each of `state_names`, None before
    there is anything to keep.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        for name in self.state_names:
            setattr(self, name, None)

    @property
    def states(self) -> list[Any]:
        """The dicts of `state_names`."""
        return [getattr(self, name) for name in self.state_names]

    @property
    def numbers(self) -> dict[str, float]:
        """The settings and counters, by the names of their attributes."""
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, (int, float)) and name not in self.state_names
        }

    def prepare(self, params: Mapping[str, Any]) -> None:
        """Make the state for these parameters, all 0."""
        for name in self.state_names:
            if isinstance(params, FlatStore):
                state: Mapping[str, Any] = FlatStore.zeros(params.layout, params.flat)
            else:
                state = {
                    key: devices.zeros(np.shape(p), dtype_of(p), p) for key, p in params.items()
                }
            setattr(self, name, state)

    @property
    def kind(self) -> str:
        """What must be equal for a checkpoint to fit."""
        return type(self).__name__

    def __repr__(self) -> str:
        numbers = (
            f"{name}={getattr(self, name):g}"
            for cls in reversed(type(self).__mro__)
            for name, value in vars(cls).items()
            if isinstance(value, Hyperparameter)
        )
        return f"{type(self).__name__}({', '.join(numbers)})"


def dtype_of(p: Any) -> type[np.floating[Any]]:
    """The dtype to compute in: float32 for float16 too, float64 for plain numbers."""
    if not devices.is_array(p):
        return np.float64
    return np.float64 if p.dtype == np.float64 else np.float32


def computable(value: Any, dtype: Any) -> Array:
    """The value as an array that an op can take as it is: of this dtype, in C order."""
    on_device = backend.on_device(value)
    made: Array = (
        value.astype(dtype, copy=False) if on_device else np.asarray(value, dtype, order="C")
    )
    return made


def one_layout(first: Any, *others: Any) -> bool:
    """Whether all are flat stores whose arrays lie alike."""
    return isinstance(first, FlatStore) and all(
        isinstance(other, FlatStore) and other.layout == first.layout for other in others
    )
