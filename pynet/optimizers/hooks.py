"""What may happen at each update beside the optimizer's own rule.

A hook changes the gradients before an update, sees the parameters after it, or keeps parameters
out of it:

    optimizer = Momentum(lr=0.1).add_hook(WeightDecay(1e-4, "W*")).add_hook(ClipNorm(5.0))

Parameters are named by patterns as for files: "W1", "b*", or several in a tuple.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pynet import devices, ops
from pynet._types import Array
from pynet.optimizers.settings import Hyperparameter, Stateful, computable, dtype_of, one_layout
from pynet.params import FlatStore, GradStore


class Hook(Stateful):
    """Takes part in every update of an optimizer. Each method may be left as it is here.

    `frozen` and `before` raise where an update must not happen, and change nothing but what they
    return; the hook's own state changes in `after`.
    """

    def frozen(self, params: Mapping[str, Any]) -> Collection[str]:
        """Return the names of the parameters that stay as they are, to the bit."""
        return ()

    def before(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the gradients to use, new arrays where they differ from those given."""
        return grads

    def after(self, params: Mapping[str, Any]) -> None:
        """Look at the parameters when the update is done."""


class WeightDecay(Hook):
    """g <- g + rate * p for the parameters that `names` means: an L2 penalty of rate/2 * sum p^2.

    AdamW decays the parameters themselves, past the running means of the gradient.

    Source: Hanson and Pratt, "Comparing Biases for Minimal Network Construction", 1988.
    """

    rate = Hyperparameter()

    def __init__(self, rate: float = 1e-4, names: str | Iterable[str] = "*") -> None:
        super().__init__()
        self.rate = rate
        self.names = patterns("[WeightDecay] names", names)

    def before(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> Mapping[str, Any]:
        keys = chosen("[WeightDecay] names", self.names, params)
        if len(keys) == len(params):
            return changed(params, grads, lambda p, g: ops.add(g, ops.scale(p, self.rate)))
        decayed = changed(params, grads, lambda p, g: g.copy())
        for key in keys:
            g = decayed[key]
            ops.add(g, ops.scale(computable(params[key], g.dtype), self.rate), out=g)
        return decayed


class ClipValue(Hook):
    """g <- min(max(g, -limit), limit), element by element; NaN passes."""

    limit = Hyperparameter()

    def __init__(self, limit: float = 1.0) -> None:
        super().__init__()
        self.limit = limit

    def before(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> Mapping[str, Any]:
        return changed(params, grads, lambda p, g: ops.clip(g, -self.limit, self.limit))


class ClipNorm(Hook):
    """g <- g * limit / norm where the norm of all gradients together is above `limit`.

    Raises ValueError when the norm is not finite.

    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
    2013.
    """

    limit = Hyperparameter()

    def __init__(self, limit: float = 1.0) -> None:
        super().__init__()
        self.limit = limit

    def before(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> Mapping[str, Any]:
        if isinstance(grads, FlatStore) and one_layout(params, grads):
            norm = ops.norm(grads.flat)
        else:
            norm = math.hypot(*(ops.norm(devices.array(grads[key])) for key in params))
        if not math.isfinite(norm):
            raise ValueError(f"[ClipNorm] grads: expected a finite norm, got {norm}")
        if norm <= self.limit:
            return grads
        return changed(params, grads, lambda p, g: ops.scale(g, self.limit / norm))


class Freeze(Hook):
    """Keeps the parameters that `names` means, and the optimizer's state of them, to the bit.

    Raises ValueError, in `update`, when a pattern fits no parameter.
    """

    def __init__(self, names: str | Iterable[str]) -> None:
        super().__init__()
        self.names = patterns("[Freeze] names", names)

    def frozen(self, params: Mapping[str, Any]) -> Collection[str]:
        return chosen("[Freeze] names", self.names, params)

    @property
    def kind(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return f"Freeze({', '.join(self.names)})"


def patterns(where: str, names: str | Iterable[str]) -> tuple[str, ...]:
    """Return one or more patterns as a tuple; TypeError for something else."""
    one = isinstance(names, str) or not isinstance(names, Iterable)
    found: tuple[Any, ...] = (names,) if one else tuple(names)
    if not found or not all(isinstance(name, str) for name in found):
        raise TypeError(f"{where}: expected names of parameters or patterns, got {names!r}")
    return found


def chosen(where: str, names: Iterable[str], params: Mapping[str, Any]) -> list[str]:
    """Return the parameters that fit a pattern, in order; ValueError where one fits none."""
    for name in names:
        if not any(fnmatchcase(key, name) for key in params):
            raise ValueError(f"{where}: expected one of {', '.join(params)}, got {name!r}")
    return [key for key in params if any(fnmatchcase(key, name) for name in names)]


def changed(
    params: Mapping[str, Any],
    grads: Mapping[str, Any],
    function: Callable[..., Array],
) -> Mapping[str, Any]:
    """Return function(p, g) for all parameters: in one call where both are flat stores."""
    if isinstance(grads, FlatStore) and isinstance(params, FlatStore) and one_layout(params, grads):
        return GradStore(grads.layout, function(params.flat, grads.flat))
    return {
        key: function(computable(p, dtype_of(p)), computable(grads[key], dtype_of(p)))
        for key, p in params.items()
    }
