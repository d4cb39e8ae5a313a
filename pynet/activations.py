"""Every activation as a function: `elu(x)`, `elu(x, alpha=0.5)`, and `elu.grad(x)`, its derivative.

    >>> from pynet.activations import ACTIVATIONS, elu
    >>> elu(np.array([-1.0, 2.0]))
    array([-0.63212056,  2.        ])
    >>> elu
    elu(x, alpha=1.0): x where x > 0, else alpha (exp(x) - 1)

x is a number or an array of any shape; float32 stays float32, NaN stays NaN. `ACTIVATIONS` has all
that work element by element, by name. The layers of the same names are in `pynet.layers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pynet import ops
from pynet._types import Array, ArrayLike, Shape
from pynet.checks import array_of, whole_number

Numbers = Mapping[str, float]


class Activation:
    """A function of one number, applied to every element: formula, hyperparameters, derivative.

    Args:
        name: its name.
        formula: what it computes, in words and signs.
        source: paper and year.
        rule: the name that `ops.activation` knows it by, where that is another.
        numbers: makes the op's alpha and beta of the hyperparameters; else they are those in order.
        positive: the hyperparameters that must be above 0.
        hyperparameters: their names and defaults.
    """

    def __init__(
        self,
        name: str,
        formula: str,
        source: str = "",
        *,
        rule: str = "",
        numbers: Callable[..., tuple[float, ...]] | None = None,
        positive: tuple[str, ...] = (),
        **hyperparameters: float,
    ) -> None:
        self.name, self.formula, self.source = name, formula, source
        self.hyperparameters = hyperparameters
        self._rule = rule or name
        self._numbers = numbers or (lambda *values: values)
        self._positive = positive
        self.__doc__ = f"{self!r}. {source}"

    def __call__(self, x: ArrayLike, *args: float, **kwargs: float) -> Any:
        """Return f(x). The hyperparameters follow by position or name.

        Raises ValueError or TypeError for one that does not fit.
        """
        return self.forward(x, self.bind(self.name, args, kwargs))[()]

    def grad(self, x: ArrayLike, *args: float, **kwargs: float) -> Any:
        """Return the derivative f'(x): x is the value before the function."""
        dout = np.broadcast_to(np.float32(1), np.shape(x))
        return self.backward(dout, x, self.bind(self.name, args, kwargs))[()]

    def forward(self, x: ArrayLike, values: Numbers) -> Array:
        """Return f(x) with the hyperparameters that `bind` returned."""
        return ops.activation(x, self._rule, *self._numbers(*values.values()))

    def backward(self, dout: ArrayLike, x: ArrayLike, values: Numbers) -> Array:
        """Return dout * f'(x). Raises ValueError when their shapes differ."""
        return ops.activation_backward(dout, x, self._rule, *self._numbers(*values.values()))

    def bind(self, op: str, args: tuple[float, ...], kwargs: Numbers) -> dict[str, float]:
        """Return the hyperparameters by name, defaults filled in; `op` is for the messages.

        Raises TypeError for one too many, an unknown name or no number; ValueError for one that is
        not finite, not above 0 where it must be, or a `low` above its `high`.
        """
        names = tuple(self.hyperparameters)
        given = dict(zip(names, args))
        if len(args) > len(names) or set(kwargs) - set(names) or set(kwargs) & set(given):
            raise TypeError(
                f"[{op}] hyperparameters: expected {', '.join(names) or 'none'}, each once, got "
                f"{', '.join([*map(repr, args), *(f'{k}={v!r}' for k, v in kwargs.items())])}"
            )
        values = {**self.hyperparameters, **given, **kwargs}
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                raise TypeError(f"[{op}] {name}: expected a number, got {value!r}")
            if not math.isfinite(value) or (name in self._positive and value <= 0):
                kind = "a number above 0" if name in self._positive else "a finite number"
                raise ValueError(f"[{op}] {name}: expected {kind}, got {value!r}")
        for low, high in (("low", "high"), ("lower", "upper")):
            if low in values and values[low] > values[high]:
                raise ValueError(
                    f"[{op}] {low}: expected at most {high}, {values[high]!r}, got {values[low]!r}"
                )
        return values

    def __repr__(self) -> str:
        numbers = "".join(f", {name}={value:.6g}" for name, value in self.hyperparameters.items())
        return f"{self.name}(x{numbers}): {self.formula}"


class _OfOutput(Activation):
    """One with ops of its own, whose derivative follows from the output."""

    def forward(self, x: ArrayLike, values: Numbers) -> Array:
        y: Array = getattr(ops, self.name)(x)
        return y

    def backward(self, dout: ArrayLike, x: ArrayLike, values: Numbers) -> Array:
        dx: Array = getattr(ops, f"{self.name}_backward")(dout, self.forward(x, values))
        return dx


identity = Activation("identity", "x")
step = Activation("step", "1 where x > 0, else 0", "McCulloch and Pitts, 1943")
sigmoid = _OfOutput("sigmoid", "1 / (1 + exp(-x))")
hard_sigmoid = Activation(
    "hard_sigmoid", "slope x + offset, held between 0 and 1", slope=1 / 6, offset=0.5
)
log_sigmoid = Activation("log_sigmoid", "-log(1 + exp(-x))")
tanh = _OfOutput("tanh", "(exp(x) - exp(-x)) / (exp(x) + exp(-x))")
hard_tanh = Activation("hard_tanh", "x, held between low and high", low=-1.0, high=1.0)
tanh_shrink = Activation("tanh_shrink", "x - tanh(x)")
softsign = Activation("softsign", "x / (1 + |x|)", "Turian et al., 2009")
relu = _OfOutput("relu", "max(0, x)", "Nair and Hinton, 2010")
relu6 = Activation(
    *("relu6", "x, held between 0 and 6", "Krizhevsky, 2010"),
    rule="hard_tanh",
    numbers=lambda: (0.0, 6.0),
)
leaky_relu = Activation(
    "leaky_relu", "x where x > 0, else slope x", "Maas et al., 2013", slope=0.01
)
rrelu = Activation(
    *("rrelu", "x where x > 0, else (lower + upper) / 2 x; in training the slope is random"),
    "Xu et al., 2015",
    rule="leaky_relu",
    numbers=lambda lower, upper: ((lower + upper) / 2,),
    lower=1 / 8,
    upper=1 / 3,
)
elu = Activation("elu", "x where x > 0, else alpha (exp(x) - 1)", "Clevert et al., 2015", alpha=1.0)
selu = Activation(
    *("selu", "scale elu(x, alpha), scale = 1.0507, alpha = 1.6733", "Klambauer et al., 2017"),
    rule="elu",
    numbers=lambda: (1.6732632423543772, 1.0507009873554805),
)
celu = Activation(
    *("celu", "x where x > 0, else alpha (exp(x / alpha) - 1)", "Barron, 2017"),
    positive=("alpha",),
    alpha=1.0,
)
gelu = Activation(
    "gelu", "x P(X <= x), X normal with mean 0 and variance 1", "Hendrycks and Gimpel, 2016"
)
gelu_tanh = Activation(
    *("gelu_tanh", "x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2", gelu.source),
)
silu = Activation("silu", "x sigmoid(x)", "Elfwing et al., 2017", rule="swish")
swish = Activation("swish", "x sigmoid(beta x)", "Ramachandran et al., 2017", beta=1.0)
hard_swish = Activation(
    "hard_swish", "x times (x + 3) / 6, that held between 0 and 1", "Howard et al., 2019"
)
mish = Activation("mish", "x tanh(log(1 + exp(x)))", "Misra, 2019")
softplus = Activation(
    *("softplus", "log(1 + exp(beta x)) / beta", "Dugas et al., 2001"),
    positive=("beta",),
    beta=1.0,
)
hard_shrink = Activation("hard_shrink", "x where |x| > threshold, else 0", threshold=0.5)
soft_shrink = Activation(
    "soft_shrink", "sign(x) max(|x| - threshold, 0)", "Donoho, 1995", threshold=0.5
)
gaussian = Activation("gaussian", "exp(-x^2)")
sinusoid = Activation("sinusoid", "sin(x)")

ACTIVATIONS = {f.name: f for f in tuple(globals().values()) if isinstance(f, Activation)}


def prelu(x: ArrayLike, slope: ArrayLike) -> Array:
    """Return x where x > 0, else slope x; slope is one number or one for each channel x[:, c].

    float64 stays float64, other numbers count as float32.

    Raises ValueError for another number of slopes, TypeError for anything but real numbers.

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """
    x = ops.activation(x, "identity")
    a: Array = ops.activation(slope, "identity").astype(x.dtype, copy=False)
    if a.size > 1:
        if x.ndim < 2 or a.shape != x.shape[1:2]:
            raise ValueError(
                f"[prelu] slope: expected one number or one for each channel of x {x.shape}, "
                f"got shape {a.shape}"
            )
        a = a.reshape(-1, *(1,) * (x.ndim - 2))
    return np.where(x > 0, x, a * x)


def softmax(x: ArrayLike) -> Array:
    """Return exp(x) / sum(exp(x)) over the last axis."""
    return ops.softmax(x)


def log_softmax(x: ArrayLike) -> Array:
    """Return the logarithm of softmax(x), exact where that is 0: x - log(sum(exp(x)))."""
    return ops.log_softmax(x)


def softmin(x: ArrayLike) -> Array:
    """Return softmax(-x): the smallest element gets the largest share."""
    return ops.softmax(ops.scale(x, -1.0))


def maxout(x: ArrayLike, pieces: int = 2) -> Array:
    """Return the largest of each group of `pieces` neighbouring columns or channels.

    Shapes: x (N, C*pieces, ...), the result (N, C, ...). Raises ValueError where the groups do not
    come out even.

    Source: Goodfellow et al., "Maxout Networks", 2013.
    """
    values: Array = array_of("[maxout] x", x)
    pictures, y_shape = maxout_shapes("maxout", values.shape, pieces)
    return ops.max_pool2d(values.reshape(pictures), (pieces, 1))[0].reshape(y_shape)


def maxout_shapes(op: str, x_shape: Shape, pieces: int) -> tuple[Shape, Shape]:
    """Return the shapes of x as pictures, whose columns are the groups, and of the result.

    Raises ValueError as `maxout`.
    """
    whole_number(f"[{op}] pieces", pieces)
    if len(x_shape) < 2 or x_shape[1] == 0 or x_shape[1] % pieces:
        raise ValueError(
            f"[{op}] x: expected shape (N, C, ...) with C a multiple of {pieces}, got {x_shape}"
        )
    N, C, *rest = x_shape
    return (N, C // pieces, pieces, math.prod(rest)), (N, C // pieces, *rest)
