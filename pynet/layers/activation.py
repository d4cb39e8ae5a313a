"""Activations that work element by element."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pynet import activations, devices, ops
from pynet._types import Array, ArrayLike
from pynet.layers.base import Layer


class Relu(Layer):
    """y = max(0, x); backward passes dout where x > 0.

    `mask` is True where x <= 0. Unlike the book's, backward leaves dout as it was: where a value
    goes two ways, the same dout is used twice.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
    """

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.relu(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.relu_backward(dout, self._saved(self.out))

    @property
    def mask(self) -> Array | None:
        """Where x <= 0."""
        return None if self.out is None else np.less_equal(devices.to_numpy(self.out), 0)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)); dx = dout * (1 - y) * y. `out` is y."""

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.sigmoid(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.sigmoid_backward(dout, self._saved(self.out))


class Tanh(Layer):
    """y = tanh(x); dx = dout * (1 - y^2). `out` is y."""

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        self.out = ops.tanh(x)
        return self.out

    def backward(self, dout: ArrayLike) -> Array:
        return ops.tanh_backward(dout, self._saved(self.out))


class ActivationLayer(Layer):
    """A function of `pynet.activations` as a layer: y = f(x), dx = dout * f'(x).

    The hyperparameters are those of the function, by position or name, and attributes of the layer.
    A new one is a class that names its function:

        class Elu(ActivationLayer):
            function = activations.elu

    Raises ValueError or TypeError for a hyperparameter that does not fit.
    """

    function: ClassVar[activations.Activation]

    def __init__(self, *args: float, **kwargs: float) -> None:
        self.__dict__.update(self.function.bind(type(self).__name__, args, kwargs))
        self._x: ArrayLike | None = None

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The hyperparameters by name."""
        return {name: getattr(self, name) for name in self.function.hyperparameters}

    def forward(self, x: ArrayLike) -> Array:
        y = self.function.forward(x, self.hyperparameters)
        self._x = x
        return y

    def backward(self, dout: ArrayLike) -> Array:
        return self.function.backward(dout, self._saved(self._x), self.hyperparameters)

    def __repr__(self) -> str:
        numbers = (f"{name}={value:.6g}" for name, value in self.hyperparameters.items())
        return f"{type(self).__name__}({', '.join(numbers)})"


class Identity(ActivationLayer):
    """y = x."""

    function = activations.identity


class Step(ActivationLayer):
    """y = 1 where x > 0, else 0. McCulloch and Pitts, 1943."""

    function = activations.step


class HardSigmoid(ActivationLayer):
    """y = slope x + offset, held between 0 and 1; slope=1/6, offset=0.5."""

    function = activations.hard_sigmoid


class LogSigmoid(ActivationLayer):
    """y = -log(1 + exp(-x))."""

    function = activations.log_sigmoid


class HardTanh(ActivationLayer):
    """y = x, held between low and high; low=-1, high=1."""

    function = activations.hard_tanh


class TanhShrink(ActivationLayer):
    """y = x - tanh(x)."""

    function = activations.tanh_shrink


class Softsign(ActivationLayer):
    """y = x / (1 + |x|). Turian et al., 2009."""

    function = activations.softsign


class Relu6(ActivationLayer):
    """y = x, held between 0 and 6. Krizhevsky, 2010."""

    function = activations.relu6


class LeakyRelu(ActivationLayer):
    """y = x where x > 0, else slope x; slope=0.01. Maas et al., 2013."""

    function = activations.leaky_relu


class Elu(ActivationLayer):
    """y = x where x > 0, else alpha (exp(x) - 1); alpha=1. Clevert et al., 2015."""

    function = activations.elu


class Selu(ActivationLayer):
    """y = scale elu(x, alpha), scale = 1.0507, alpha = 1.6733. Klambauer et al., 2017."""

    function = activations.selu


class Celu(ActivationLayer):
    """y = x where x > 0, else alpha (exp(x / alpha) - 1); alpha=1. Barron, 2017."""

    function = activations.celu


class Gelu(ActivationLayer):
    """y = x P(X <= x), X normal with mean 0 and variance 1. Hendrycks and Gimpel, 2016."""

    function = activations.gelu


class GeluTanh(ActivationLayer):
    """y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2. Hendrycks and Gimpel, 2016."""

    function = activations.gelu_tanh


class Silu(ActivationLayer):
    """y = x sigmoid(x). Elfwing et al., 2017."""

    function = activations.silu


class Swish(ActivationLayer):
    """y = x sigmoid(beta x); beta=1. Ramachandran et al., 2017."""

    function = activations.swish


class HardSwish(ActivationLayer):
    """y = x times (x + 3) / 6, that held between 0 and 1. Howard et al., 2019."""

    function = activations.hard_swish


class Mish(ActivationLayer):
    """y = x tanh(log(1 + exp(x))). Misra, 2019."""

    function = activations.mish


class Softplus(ActivationLayer):
    """y = log(1 + exp(beta x)) / beta; beta=1. Dugas et al., 2001."""

    function = activations.softplus


class HardShrink(ActivationLayer):
    """y = x where |x| > threshold, else 0; threshold=0.5."""

    function = activations.hard_shrink


class SoftShrink(ActivationLayer):
    """y = sign(x) max(|x| - threshold, 0); threshold=0.5. Donoho, 1995."""

    function = activations.soft_shrink


class Gaussian(ActivationLayer):
    """y = exp(-x^2)."""

    function = activations.gaussian


class Sinusoid(ActivationLayer):
    """y = sin(x)."""

    function = activations.sinusoid
