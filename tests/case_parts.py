"""What the table of cases is made of: a case, and the sources of its arguments."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Draw:
    """Where numbers come from: `exact` asks for -1, 0 and 1 instead of normal ones."""

    rng: np.random.Generator
    dtype: np.dtype
    exact: bool = False


Source = Callable[[Draw], Any]


@dataclass(frozen=True, eq=False)
class Case:
    """One call of one op; functions among its arguments draw the arrays.

    `terms`: how many products or summands an element of the output, or of each output, adds up.
    """

    op: str
    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    terms: int | tuple[int, ...] = 1

    def inputs(
        self, rng: np.random.Generator, dtype: Any, exact: bool = False
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Fresh arguments for one call: positional and keyword."""
        draw = Draw(rng, np.dtype(dtype), exact)
        args = tuple(a(draw) if callable(a) else a for a in self.args)
        return args, {k: v(draw) if callable(v) else v for k, v in self.kwargs.items()}

    def exact_inputs(
        self, rng: np.random.Generator, dtype: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Inputs of -1, 0 and 1: with the ops in EXACT_OPS nothing is ever rounded."""
        return self.inputs(rng, dtype, exact=True)

    def rng(self) -> np.random.Generator:
        """A generator of the case's own, the same in every run."""
        return np.random.default_rng(zlib.crc32(str(self).encode()))

    def __str__(self) -> str:
        return f"{self.op}({self.label})"


def text(*values: Any, **options: Any) -> str:
    """A label from shapes and options."""
    words = [v if isinstance(v, str) else "x".join(map(str, v)) for v in values]
    words += [k if callable(v) else f"{k}={v}" for k, v in options.items()]
    return " ".join(words).replace(", ", ",")


# ---- what arguments are made of ----------------------------------------------------------------


def normal(*shape: int, scale: float = 1.0, offset: float = 0.0) -> Source:
    def source(d: Draw) -> np.ndarray:
        if d.exact:
            return d.rng.integers(-1, 2, shape).astype(d.dtype)
        return (offset + scale * d.rng.standard_normal(shape)).astype(d.dtype)

    return source


def positive(*shape: int) -> Source:
    return lambda d: d.rng.uniform(0.1, 2.0, shape).astype(d.dtype)


def values(array: Any) -> Source:
    return lambda d: np.array(array, d.dtype)


def through(function: Callable[..., Any], source: Source, *args: Any) -> Source:
    """What `function` makes of a drawn array: the y that a backward op asks for."""
    return lambda d: function(source(d), *args)


def labels(N: int, D: int, dtype: Any = np.int64) -> Source:
    return lambda d: d.rng.integers(0, D, N).astype(dtype)


def one_hot(N: int, D: int, dtype: Any) -> Source:
    return lambda d: np.eye(D)[d.rng.integers(0, D, N)].astype(dtype)


def soft(N: int, D: int) -> Source:
    return lambda d: d.rng.dirichlet(np.ones(D), N).astype(d.dtype)
