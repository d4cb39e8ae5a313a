"""Activations over arrays of any shape.

The backward ops of relu, sigmoid and tanh take y, the forward's output; that of the family takes x.
`pynet.activations` gives every member of the family its own name and arguments.
"""

from __future__ import annotations

from pynet._types import Array, ArrayLike
from pynet.backend import of


def relu(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return max(0, x); NaN stays NaN.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
    """
    return of(x).relu(x, out=out)


def relu_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout where y > 0, else 0. `add` adds into `out`.

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).relu_backward(dout, y, out=out, add=add)


def sigmoid(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return 1 / (1 + exp(-x)), without overflow for any x."""
    return of(x).sigmoid(x, out=out)


def sigmoid_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout * y * (1 - y). `add` adds into `out`.

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).sigmoid_backward(dout, y, out=out, add=add)


def tanh(x: ArrayLike, *, out: Array | None = None) -> Array:
    """Return (exp(x) - exp(-x)) / (exp(x) + exp(-x)), without overflow for any x."""
    return of(x).tanh(x, out=out)


def tanh_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout * (1 - y^2). `add` adds into `out`.

    Raises ValueError when dout and y differ in shape.
    """
    return of(y).tanh_backward(dout, y, out=out, add=add)


def activation(
    x: ArrayLike, name: str, alpha: float = 1.0, beta: float = 1.0, *, out: Array | None = None
) -> Array:
    """Return f(x) for the activation called `name`, with its numbers alpha and beta.

        celu           x where x > 0, else alpha (exp(x / alpha) - 1)
        elu            beta x where x > 0, else beta alpha (exp(x) - 1)
        gaussian       exp(-x^2)
        gelu           x P(X <= x), X normal with mean 0 and variance 1
        gelu_tanh      x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
        hard_shrink    x where |x| > alpha, else 0
        hard_sigmoid   alpha x + beta, held between 0 and 1
        hard_swish     x times (x + 3) / 6, that held between 0 and 1
        hard_tanh      x, held between alpha and beta
        identity       x
        leaky_relu     x where x > 0, else alpha x
        log_sigmoid    -log(1 + exp(-x))
        mish           x tanh(log(1 + exp(x)))
        sinusoid       sin(x)
        soft_shrink    x - alpha where x > alpha, x + alpha where x < -alpha, else 0
        softplus       log(1 + exp(alpha x)) / alpha
        softsign       x / (1 + |x|)
        step           1 where x > 0, else 0
        swish          x / (1 + exp(-alpha x))
        tanh_shrink    x - tanh(x)

    NaN stays NaN; nothing else becomes NaN, except that infinities have no sine.

    Raises ValueError for another name, and where alpha or beta is not finite.
    """
    return of(x).activation(x, name, alpha, beta, out=out)


def activation_backward(
    dout: ArrayLike,
    x: ArrayLike,
    name: str,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Return dx = dout * f'(x) for the activation called `name`. `add` adds into `out`.

    At a kink f' is the slope on the left; of hard_sigmoid, hard_swish and hard_tanh it is the slope
    outside of the two kinks, of hard_shrink and soft_shrink 0.

    Raises ValueError when dout and x differ in shape, else as `activation`.
    """
    return of(x).activation_backward(dout, x, name, alpha, beta, out=out, add=add)
