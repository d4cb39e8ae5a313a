"""Checks of single arguments; `where` is as in "[Affine.sized] out"."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pynet._types import Array


def whole_number(where: str, value: Any, low: int = 1, high: int = 2**63 - 1) -> int:
    """Return an integer from low to high.

    Raises TypeError for anything else than an integer, ValueError for one out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{where}: expected an integer, got {value!r}")
    if not low <= value <= high:
        limit = f"at least {low}" if value < low else f"at most {high}"
        raise ValueError(f"{where}: expected {limit}, got {value}")
    return int(value)


def real_number(
    where: str,
    value: Any,
    low: float = -sys.float_info.max,
    high: float = sys.float_info.max,
    expected: str = "a finite number",
) -> float:
    """Return a number from low to high, both finite; `expected` names them in the message.

    Raises TypeError for anything else than a number, ValueError for one out of range or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{where}: expected {expected}, got {type(value).__name__}")
    # As a Python float: beside a float32, NumPy would round the limits to float32.
    if not low <= (value if isinstance(value, int) else float(value)) <= high:
        raise ValueError(f"{where}: expected {expected}, got {value}")
    return float(value)


def one_of(where: str, value: Any, names: Any) -> str:
    """Return one of several names; ValueError for anything else."""
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{where}: expected one of {', '.join(names)}, got {value!r}")
    return value


def no_array(where: str, value: Any, error: Exception) -> TypeError:
    """Return the error to raise where `np.asarray(value)` has raised `error`."""
    got = type(value).__name__
    if isinstance(error, ValueError) and isinstance(value, list | tuple):
        got = f"a {got} whose rows differ in length"
    return TypeError(f"{where}: expected an array, got {got}")


def array_of(where: str, value: Any) -> Array:
    """Return `np.asarray(value)`, with at least one axis.

    Raises TypeError for rows of different lengths, ValueError for a single number.
    """
    try:
        array: Array = np.asarray(value)
    except ValueError as error:
        raise no_array(where, value, error) from None
    if array.ndim == 0:
        raise ValueError(f"{where}: expected an array, got {value!r}")
    return array


def one_each(where: str, x: Array, t: Array, what: str = "label") -> None:
    """Raise ValueError unless t has one label for each sample of x, and there is a sample."""
    count, got = (len(a) if np.shape(a) else "a single number" for a in (x, t))
    if count == got == 0:
        raise ValueError(f"{where}: expected at least one {what}, got none")
    if count != got or got == "a single number":
        raise ValueError(f"{where}: expected one {what} for each of {count} samples, got {got}")


def network_and_optimizer(op: str, network: Any, optimizer: Any) -> None:
    """Raise TypeError for what is no network or no optimizer."""
    for name, thing, methods in (
        ("network", network, ("params", "gradient", "loss")),
        ("optimizer", optimizer, ("update",)),
    ):
        missing = [method for method in methods if method not in dir(thing)]
        if missing or isinstance(thing, dict | set):
            raise TypeError(
                f"[{op}] {name}: expected an object with {' and '.join(methods)}, "
                f"got {type(thing).__name__}"
            )


def generator(where: str, seed: Any) -> np.random.Generator:
    """Return a generator of its own for a seed; raises as `whole_number`."""
    return np.random.default_rng(whole_number(where, seed, 0, sys.maxsize))
