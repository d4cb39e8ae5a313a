"""Numbers that know how they were computed: chapter 5's graphs, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

from pynet.checks import real_number
from pynet.layers import AddLayer, MulLayer

if TYPE_CHECKING:
    from pynet.graph.drawing import Drawing


class _Function:
    """y = f(x); dx = dout * df(x, y)."""

    def __init__(self, f: Callable[[float], float], df: Callable[[float, float], float]) -> None:
        self._f, self._df = f, df

    def forward(self, x: float) -> float:
        self.x, self.y = x, self._f(x)
        return self.y

    def backward(self, dout: float) -> tuple[float]:
        return (dout * self._df(self.x, self.y),)


class _Difference:
    """z = x - y; dx = dout, dy = -dout."""

    def forward(self, x: float, y: float) -> float:
        return x - y

    def backward(self, dout: float) -> tuple[float, float]:
        return dout, -dout


# A function and its derivative by x and y = f(x).
_FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float, float], float]]] = {
    "exp": (math.exp, lambda x, y: y),
    "log": (math.log, lambda x, y: 1 / x),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x, y: y * (1 - y)),
    "tanh": (math.tanh, lambda x, y: 1 - y * y),
    "relu": (lambda x: max(0.0, x), lambda x, y: float(x > 0)),
}


class Number:
    """A value in a computational graph; arithmetic with it builds the graph.

    `value` is computed at once, as a layer's forward: `*` by the book's `MulLayer`, `+` by its
    `AddLayer`. `backward()` fills `grad` of everything the number was computed from: the chain
    rule along each path, added up where paths join.

        x, y = Number(1, "x"), Number(2, "y")
        z = (x + y) ** 2
        z.backward()        # x.grad and y.grad are 2 * (x + y) = 6

    Raises TypeError for what is no number, and Python's own errors (log(0), 1 / 0).
    """

    __array_ufunc__ = None  # NumPy's numbers leave `2.0 * x` to this class

    def __init__(self, value: float, name: str = "") -> None:
        given: Any = value
        if not isinstance(given, Real):
            raise TypeError(f"[Number] value: expected a number, got {type(given).__name__}")
        self.value = float(value)
        self.name = name
        self.grad = 0.0
        self.sign = ""  # of the operation it came from
        self.inputs: tuple[Number, ...] = ()
        self.parts: tuple[float, ...] = ()  # what backward sent to each of the inputs
        self._layer: Any = None

    @classmethod
    def _made(cls, sign: str, layer: Any, *inputs: Number) -> Number:
        number = cls(layer.forward(*(one.value for one in inputs)))
        number.sign, number._layer, number.inputs = sign, layer, inputs
        return number

    def named(self, name: str) -> Number:
        """Give it a name and return it."""
        self.name = name
        return self

    def apply(self, function: str) -> Number:
        """Return f(self) for exp, log, sigmoid, tanh or relu.

        Raises ValueError for another name.
        """
        if function not in _FUNCTIONS:
            raise ValueError(
                f"[Number.apply] function: expected one of {', '.join(_FUNCTIONS)}, "
                f"got {function!r}"
            )
        return Number._made(function, _Function(*_FUNCTIONS[function]), self)

    def __add__(self, other: Number | float) -> Number:
        return Number._made("+", AddLayer(), self, _number(other))

    def __mul__(self, other: Number | float) -> Number:
        return Number._made("×", MulLayer(), self, _number(other))

    def __radd__(self, other: float) -> Number:
        return Number(other) + self

    def __rmul__(self, other: float) -> Number:
        return Number(other) * self

    def __neg__(self) -> Number:
        return self * -1

    def __sub__(self, other: Number | float) -> Number:
        return Number._made("−", _Difference(), self, _number(other))

    def __rsub__(self, other: float) -> Number:
        return Number(other) - self

    def __pow__(self, n: float) -> Number:
        real_number("[Number] exponent", n)
        power = _Function(lambda x: x**n, lambda x, y: n * x ** (n - 1))
        return Number._made(f"^{n:g}", power, self)

    def __truediv__(self, other: Number | float) -> Number:
        return self * _number(other) ** -1

    def __rtruediv__(self, other: float) -> Number:
        return Number(other) / self

    def graph(self) -> list[Number]:
        """Return everything the number was computed from, inputs before results, itself last."""
        order: list[Number] = []
        seen: set[int] = set()
        waiting = [(self, False)]
        while waiting:
            number, ready = waiting.pop()
            if ready:
                order.append(number)
            elif id(number) not in seen:
                seen.add(id(number))
                waiting.append((number, True))
                waiting += [(one, False) for one in reversed(number.inputs)]
        return order

    def backward(self, dout: float = 1.0) -> None:
        """Fill `grad` of every number in the graph with d(self)/d(number) * dout."""
        order = self.graph()
        for number in order:
            number.grad = 0.0
        self.grad = dout
        for number in reversed(order):
            if number._layer is not None:
                number.parts = tuple(number._layer.backward(number.grad))
                for one, part in zip(number.inputs, number.parts):
                    one.grad += part

    def _repr_svg_(self) -> str:
        return self.drawing().to_svg()

    def drawing(self) -> Drawing:
        """Return the graph, with values above its arrows and, after backward, gradients below."""
        from pynet.graph.build import of

        return of(self)

    def __repr__(self) -> str:
        name = f", {self.name!r}" if self.name else ""
        return f"Number({self.value:g}{name}, grad={self.grad:g})"


def _number(value: Number | float) -> Number:
    return value if isinstance(value, Number) else Number(value)
