"""What a hyperparameter may be.

Every space is a map from the unit interval: `at(u)` gives the value there, `position` the way back.
Drawing, grids and narrowing are written once, on positions, so all of them follow the scale.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

MARGIN = 0.1  # of the range, left on both sides of the best values when it is narrowed


class Space(ABC):
    """A range or a list of values."""

    @abstractmethod
    def at(self, u: float) -> Any:
        """Return the value at 0 <= u < 1."""

    def grid(self, count: int) -> list[Any]:
        """Return `count` values at equal distances in the space's own scale, ends left out."""
        return list(dict.fromkeys(self.at((i + 0.5) / count) for i in range(count)))

    @abstractmethod
    def narrow(self, best: Sequence[Any]) -> Space:
        """Return the part of the space around the best values."""


class Uniform(Space):
    """A number from `low` to `high`, each as likely.

    Raises ValueError unless low < high, both finite.
    """

    def __init__(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(
                f"[{type(self).__name__}] low, high: expected finite numbers low < high, "
                f"got {low} and {high}"
            )
        self.low, self.high = low, high

    def at(self, u: float) -> Any:
        a, b = self._scale(self.low), self._scale(self.high)
        return min(max(self._value(a + u * (b - a)), self.low), self.high)

    def position(self, value: float) -> float:
        """Return the u of a value."""
        a, b = self._scale(self.low), self._scale(self.high)
        return (self._scale(value) - a) / (b - a)

    def narrow(self, best: Sequence[float]) -> Space:
        places = [self.position(value) for value in best]
        return self._between(max(min(places) - MARGIN, 0), min(max(places) + MARGIN, 1))

    def _between(self, begin: float, end: float) -> Space:
        return type(self)(self.at(begin), self.at(end))

    def _scale(self, value: float) -> float:
        return value

    def _value(self, scaled: float) -> float:
        return scaled

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.low:.6g}, {self.high:.6g})"


class LogUniform(Uniform):
    """A number from `low` to `high` whose logarithm is uniform: each power of 10 as likely.

    The scale for learning rates and weight decay, of which only the order of magnitude is unknown.

    Raises ValueError unless 0 < low < high.
    """

    def __init__(self, low: float, high: float) -> None:
        if not low > 0:
            raise ValueError(f"[{type(self).__name__}] low: expected a number > 0, got {low}")
        super().__init__(low, high)

    def _scale(self, value: float) -> float:
        return math.log(value)

    def _value(self, scaled: float) -> float:
        return math.exp(scaled)


class IntRange(Space):
    """A whole number from `low` to `high`, both included; with `log`, on a logarithmic scale.

    Raises ValueError unless low < high (and 1 <= low with `log`), TypeError for other numbers.
    """

    def __init__(self, low: int, high: int, log: bool = False) -> None:
        for name, value in (("low", low), ("high", high)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"[IntRange] {name}: expected an integer, got {value!r}")
        if not (low < high and (low >= 1 or not log)):
            limit = "1 <= low < high" if log else "low < high"
            raise ValueError(f"[IntRange] low, high: expected {limit}, got {low} and {high}")
        self.low, self.high, self.log = low, high, log
        # Each integer has the half on either side of it.
        self._range: Uniform = (LogUniform if log else Uniform)(low - 0.5, high + 0.5)

    def at(self, u: float) -> int:
        return min(max(math.floor(self._range.at(u) + 0.5), self.low), self.high)

    def narrow(self, best: Sequence[int]) -> Space:
        part: Any = self._range.narrow(best)
        low, high = math.floor(part.low + 0.5), math.ceil(part.high - 0.5)
        return IntRange(low, high, self.log) if low < high else Choice([low])

    def __repr__(self) -> str:
        return f"IntRange({self.low}, {self.high}{', log=True' if self.log else ''})"


class Choice(Space):
    """One of some values, each as likely.

    Raises ValueError when there is none.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)
        if not self.values:
            raise ValueError("[Choice] values: expected at least one, got none")

    def at(self, u: float) -> Any:
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def grid(self, count: int) -> list[Any]:
        return self.values[:]

    def narrow(self, best: Sequence[Any]) -> Space:
        return Choice([value for value in self.values if value in best])

    def __repr__(self) -> str:
        return f"Choice({self.values})"
