"""Looking at every layer of a network while one gradient pass goes through it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.layers import Layer


@dataclass
class Seen:
    """What one layer was given and gave in a gradient pass."""

    name: str
    layer: Layer  # of the copy that the pass went through
    x: Array
    y: Array
    dout: Array | None = None  # the gradient of the loss for y
    grads: dict[str, Array] = field(default_factory=dict)  # for the parameters, by their name

    @property
    def grad_norm(self) -> float | None:
        """The norm of the gradient for W (gamma, ...); None for a layer without parameters."""
        for name in self.layer.param_names:
            if name in self.grads:
                return _norm(self.grads[name])
        return None

    @property
    def dout_norm(self) -> float | None:
        """The norm of the gradient for y; None where backpropagation did not come."""
        return None if self.dout is None else _norm(self.dout)


def _norm(gradient: Array) -> float:
    return float(np.sqrt(np.square(gradient, dtype=np.float64).sum()))


def named_layers(network: Any) -> Iterator[tuple[str, Layer]]:
    """The layers that compute, by their name in `network.layers` or by kind and number."""
    given: dict[int, str] = {}
    if isinstance(network.layers, Mapping):
        given = {id(layer): name for name, layer in network.layers.items()}
    numbers: Counter[str] = Counter()
    for path, _, layer in network._root.walk():
        if layer.children():
            continue
        kind = type(layer).__name__
        numbers[kind] += 1
        yield given.get(id(layer), f"{path}{kind}{numbers[kind]}"), layer


def twin_of(op: str, network: Any, *, as_it_is: bool = False) -> Any:
    """Return a copy of a network to experiment on, on the CPU and without its penalties.

    as_it_is: with its penalties, and where it is.

    Raises TypeError for what is no `pynet.networks.Network`.
    """
    if not isinstance(getattr(network, "_root", None), Layer):
        raise TypeError(
            f"[{op}] network: expected a pynet.networks.Network, got {type(network).__name__}"
        )
    twin = copy.deepcopy(network)
    if not as_it_is:
        twin.weight_decay_lambda, twin.penalty = 0, None
        twin.to("cpu")
    return twin


def observe(op: str, network: Any, x: ArrayLike, t: ArrayLike) -> list[Seen]:
    """Run a gradient pass in training mode on a copy and return what each layer saw, in order.

    The network stays as it is, and so do dropout's counters and the running statistics. The
    gradients are those of the loss alone, without penalties.
    """
    twin = twin_of(op, network)
    twin._input(x)  # sizes that come from the first batch
    seen: dict[int, Seen] = {}
    for name, layer in named_layers(twin):
        _record(layer, name, seen)
    with np.errstate(all="ignore"):
        twin.gradient(x, t)
    for one in seen.values():
        for param in one.layer.param_names:
            grad = getattr(one.layer, f"d{param}", None)
            if grad is not None:
                one.grads[param] = grad
        del one.layer.__dict__["forward"], one.layer.__dict__["backward"]
    return list(seen.values())


def _record(layer: Any, name: str, seen: dict[int, Seen]) -> None:
    forward, backward = layer.forward, layer.backward

    def recorded_forward(x: Any, *args: Any) -> Any:
        y = forward(x, *args)
        seen[id(layer)] = Seen(name, layer, x, y)
        return y

    def recorded_backward(dout: Any, *args: Any) -> Any:
        seen[id(layer)].dout = dout
        return backward(dout, *args)

    layer.forward, layer.backward = recorded_forward, recorded_backward


def slope(one: Seen) -> Array | None:
    """Return dy/dx of a layer that works value by value (an activation), None of any other."""
    linear = "W" in one.layer.param_names or one.layer.takes_train_flg
    if linear or one.x.shape != one.y.shape:
        return None
    dout = np.linspace(1, 2, one.y.size, dtype=one.y.dtype).reshape(one.y.shape)
    one.layer.forward(one.x)
    local = np.asarray(one.layer.backpropagate(np.ones_like(one.y)))
    scaled = np.asarray(one.layer.backpropagate(dout))
    return local if np.allclose(scaled, dout * local, rtol=1e-3, atol=1e-6) else None
