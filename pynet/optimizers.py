"""The book's six optimizers. A star import also brings `np`, as in the book.

`update(params, grads)` changes the arrays of `params` in place; plain numbers are put back into the
dict. When both are flat stores of one layout (see `pynet.params`), the whole update is one call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from pynet import ops
from pynet._types import Array
from pynet.params import FlatStore

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "Optimizer", "RMSprop", "np"]


class Hyperparameter:
    """A number that may be changed between updates, refused where it makes no sense.

    Raises TypeError when it is no number, ValueError when it is not finite, below 0, or not below
    `high`.
    """

    def __init__(self, high: float = math.inf) -> None:
        self.high = high

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer.__dict__[self.name]

    def __set__(self, optimizer: Any, value: float) -> None:
        where = f"[{type(optimizer).__name__}] {self.name}"
        try:
            fits = math.isfinite(value) and 0 <= value < self.high
        except TypeError:
            raise TypeError(f"{where}: expected a number, got {type(value).__name__}") from None
        except OverflowError:
            fits = False
        if not fits:
            limit = "" if self.high == math.inf else f" and < {self.high:g}"
            raise ValueError(f"{where}: expected a finite number >= 0{limit}, got {value}")
        optimizer.__dict__[self.name] = value


class Optimizer:
    """`update(params, grads)` moves each parameter against its gradient.

    Both are dicts with the same keys; extra gradients are ignored. The state (`v`, `h`, `m`) is a
    dict keyed like params, made at the first update, so one optimizer serves one network.

    Raises KeyError when a gradient is missing, ValueError when shapes differ, TypeError for integer
    arrays; then nothing has been changed.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        for name in self.state_names:
            setattr(self, name, None)

    def update(self, params: MutableMapping[str, Any], grads: Mapping[str, Any]) -> None:
        first = any(getattr(self, name) is None for name in self.state_names)
        if first:  # checked before there is a state, which would keep the shapes of a mistake
            self._check(params, grads, [])
            self.prepare(params)
        states: list[Mapping[str, Any]] = [getattr(self, name) for name in self.state_names]
        if _one_layout(params, grads, *states):
            self._begin()
            self._step(*(store.flat for store in (params, grads, *states)))  # type: ignore[attr-defined]
            return
        if not first:
            self._check(params, grads, states)
        self._begin()
        for key in params:
            value = self._updated(params[key], grads[key], [state[key] for state in states])
            if value is not params[key]:
                params[key] = value

    def prepare(self, params: Mapping[str, Any]) -> None:
        """Make the state for these parameters, all 0."""
        for name in self.state_names:
            if isinstance(params, FlatStore):
                state: Mapping[str, Any] = FlatStore.zeros(params.layout)
            else:
                state = {key: np.zeros(np.shape(p), _dtype(p)) for key, p in params.items()}
            setattr(self, name, state)

    def _begin(self) -> None:
        """What happens once per update, before the arrays."""

    def _step(self, *args: Any, **kwargs: Any) -> None:
        """Update p and the state in place; called with p, g and the arrays of `state_names`."""
        raise NotImplementedError(f"{type(self).__name__} has no update rule")

    def _check(
        self,
        params: Mapping[str, Any],
        grads: Mapping[str, Any],
        states: list[Mapping[str, Any]],
    ) -> None:
        where = f"[{type(self).__name__}.update]"
        for key, p in params.items():
            if key not in grads:
                raise KeyError(f"{where} grads: expected a gradient for {key!r}, got none")
            if any(key not in state for state in states):
                raise KeyError(f"{where} params: expected those of the first update, got {key!r}")
            _check_param(f"{where} params[{key!r}]", p)
            _check_grad(f"{where} grads[{key!r}]", grads[key], p)
            for name, other in [("grads", grads), *zip(self.state_names, states)]:
                if np.shape(other[key]) != np.shape(p):
                    raise ValueError(
                        f"{where} {name}[{key!r}]: expected shape {np.shape(p)} like the "
                        f"parameter, got {np.shape(other[key])}"
                    )

    def _updated(self, p: Any, g: Any, state: list[Array]) -> Any:
        """Return the updated p: p itself where it is an array, a new number where it is one."""
        dtype = _dtype(p)
        if not isinstance(p, np.ndarray):
            number = np.array([p], dtype)
            self._step(number, np.array([g], dtype), *(s.reshape(1) for s in state))
            return float(number[0])
        g = np.asarray(g, dtype, order="C")
        if p.dtype == dtype and p.flags.c_contiguous:
            self._step(p, g, *state)
        else:
            work = np.array(p, dtype, order="C")
            self._step(work, g, *state)
            p[...] = work
        return p

    def __repr__(self) -> str:
        numbers = (
            f"{name}={getattr(self, name):g}"
            for cls in reversed(type(self).__mro__)
            for name, value in vars(cls).items()
            if isinstance(value, Hyperparameter)
        )
        return f"{type(self).__name__}({', '.join(numbers)})"


class SGD(Optimizer):
    """Stochastic gradient descent: p <- p - lr * g.

    Source: Robbins and Monro, "A Stochastic Approximation Method", 1951.
    """

    lr = Hyperparameter()

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def _step(self, p: Array, g: Array) -> None:
        ops.sgd_update(p, g, self.lr)


class Momentum(Optimizer):
    """v <- momentum * v - lr * g; p <- p + v.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    state_names = ("v",)
    lr = Hyperparameter()
    momentum = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum

    def _step(self, p: Array, g: Array, v: Array) -> None:
        ops.momentum_update(p, g, v, self.lr, self.momentum)


class Nesterov(Optimizer):
    """p <- p + momentum^2 * v - (1 + momentum) * lr * g; then v <- momentum * v - lr * g.

    Source: Bengio, Boulanger-Lewandowski and Pascanu, "Advances in Optimizing Recurrent
    Networks", 2013 (Nesterov's accelerated gradient, 1983, in terms of the current gradient).
    """

    state_names = ("v",)
    lr = Hyperparameter()
    momentum = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum

    def _step(self, p: Array, g: Array, v: Array) -> None:
        ops.nesterov_update(p, g, v, self.lr, self.momentum)


class AdaGrad(Optimizer):
    """h <- h + g^2; p <- p - lr * g / (sqrt(h) + 1e-7).

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods", 2011.
    """

    state_names = ("h",)
    lr = Hyperparameter()

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def _step(self, p: Array, g: Array, h: Array) -> None:
        ops.adagrad_update(p, g, h, self.lr)


class RMSprop(Optimizer):
    """h <- decay_rate * h + (1 - decay_rate) * g^2; p <- p - lr * g / (sqrt(h) + 1e-7).

    Source: Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.
    """

    state_names = ("h",)
    lr = Hyperparameter()
    decay_rate = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__()
        self.lr = lr
        self.decay_rate = decay_rate

    def _step(self, p: Array, g: Array, h: Array) -> None:
        ops.rmsprop_update(p, g, h, self.lr, self.decay_rate)


class Adam(Optimizer):
    """p <- p - a * m / (sqrt(v) + 1e-7), with running means m of g and v of g^2.

    m <- m + (1 - beta1) * (g - m); v <- v + (1 - beta2) * (g^2 - v);
    a = lr * sqrt(1 - beta2^iter) / (1 - beta1^iter), iter counting the updates from 1.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015.
    """

    state_names = ("m", "v")
    lr = Hyperparameter()
    beta1 = Hyperparameter(high=1)
    beta2 = Hyperparameter(high=1)

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__()
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.iter = 0

    def _begin(self) -> None:
        self.iter += 1

    def _step(self, p: Array, g: Array, m: Array, v: Array) -> None:
        ops.adam_update(p, g, m, v, self.lr, self.beta1, self.beta2, self.iter)


def _check_param(where: str, p: Any) -> None:
    if not isinstance(p, np.ndarray):
        if not isinstance(p, Real):
            raise TypeError(f"{where}: expected an array or a number, got {type(p).__name__}")
    elif p.dtype.kind != "f":
        raise TypeError(f"{where}: expected floats, got {p.dtype}")
    elif not p.flags.writeable:
        raise ValueError(f"{where}: expected a writable array, got a read-only one")


def _check_grad(where: str, g: Any, p: Any) -> None:
    try:
        array = np.asarray(g)
    except (TypeError, ValueError):
        raise TypeError(f"{where}: expected an array, got {type(g).__name__}") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{where}: expected real numbers, got dtype {array.dtype}")
    if isinstance(p, np.ndarray) and p.flags.c_contiguous and np.may_share_memory(p, array):
        raise ValueError(f"{where}: expected memory apart from the parameter, got the same")


def _dtype(p: Any) -> type[np.floating[Any]]:
    """The dtype to compute in: float32 for float16 too, float64 for plain numbers."""
    if not isinstance(p, np.ndarray):
        return np.float64
    return np.float64 if p.dtype == np.float64 else np.float32


def _one_layout(first: Any, *others: Any) -> bool:
    """Whether all are flat stores whose arrays lie alike."""
    return isinstance(first, FlatStore) and all(
        isinstance(other, FlatStore) and other.layout == first.layout for other in others
    )
