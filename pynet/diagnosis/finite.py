"""Where numbers stopped being finite."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pynet import devices
from pynet._types import Array
from pynet.diagnosis.watch import named_layers
from pynet.layers import Layer


def first_non_finite(network: Any, x: Array, t: Array, grads: Mapping[str, Any]) -> str:
    """Say where the first number that is not finite appears in the gradient pass of a batch.

    In this order: the batch, the layers' parameters and outputs from first to last, their
    gradients from last to first. The pass is repeated on a copy, so the network stays as it is; of
    a network that is no `pynet.networks.Network` only parameters and gradients are looked at.
    """
    if not finite(x):
        return "the batch itself is not finite"
    layers = getattr(network, "_root", None)
    found = _in_layers(network, x, t) if isinstance(layers, Layer) else None
    if found is not None:
        return found
    for key, param in network.params.items():
        if not finite(param):
            return f"{key} is not finite"
    for key in reversed(list(grads)):
        if not finite(grads[key]):
            return f"the gradient of {key} is not finite"
    return "the layers' outputs and gradients are finite, the loss alone is not"


def finite(values: Any) -> bool:
    """Whether all numbers are finite."""
    array = devices.to_numpy(values)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _in_layers(network: Any, x: Array, t: Array) -> str | None:
    twin = copy.deepcopy(network)
    for slot in twin.named_state():
        if slot.name == "dropout_step":  # the masks of the pass that failed
            setattr(slot.layer, slot.name, max(slot.value - 1, 0))
    found: list[str] = []
    for name, layer in named_layers(twin):
        _watch(layer, name, found)
    with np.errstate(all="ignore"):
        twin.gradient(x, t)
    return found[0] if found else None


def _watch(layer: Any, name: str, found: list[str]) -> None:
    """Note what is not finite in the layer's next passes."""
    forward, backward = layer.forward, layer.backward

    def watched_forward(*args: Any) -> Any:
        for param in layer.param_names:
            if getattr(layer, param) is not None and not finite(getattr(layer, param)):
                found.append(f"{param} of layer {name} is not finite")
        return check(forward, "output", *args)

    def watched_backward(*args: Any) -> Any:
        dx = check(backward, "gradient", *args)
        for param in layer.param_names:
            if getattr(layer, f"d{param}", None) is not None:
                check(lambda param=param: getattr(layer, f"d{param}"), f"gradient d{param}")
        return dx

    def check(compute: Callable[..., Any], what: str, *args: Any) -> Any:
        value = compute(*args)
        if value is not None and not finite(value):
            found.append(f"the {what} of layer {name} is not finite")
        return value

    layer.forward, layer.backward = watched_forward, watched_backward
