"""All that a network has learnt: parameters, running statistics, dropout's counters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from pynet import devices
from pynet._types import Array
from pynet.layers import Layer, Slot


class Snapshot(NamedTuple):
    """A copy of what a network had learnt at a moment."""

    params: dict[str, Array]
    state: dict[str, Any]


def named_state(network: Any) -> Iterator[Slot]:
    """The state of a Network, or of the layers of any other class that has `layers`."""
    if hasattr(network, "named_state"):
        yield from network.named_state()
        return
    layers = getattr(network, "layers", ())
    if isinstance(layers, Mapping):
        layers = list(layers.values())
    for i, layer in enumerate(layers):
        if isinstance(layer, Layer):
            for slot in layer.named_state():
                yield slot._replace(key=f"layer{i}.{slot.key}")


def assign(params: Any, key: str, value: Array) -> None:
    """Put a value where the network's layers see it."""
    if devices.is_array(params[key]):
        params[key][...] = value
    else:
        params[key] = value.item()


def take_snapshot(network: Any) -> Snapshot:
    """Return copies of the parameters and of the state."""
    return Snapshot(
        {key: np.array(devices.to_numpy(param)) for key, param in network.params.items()},
        {slot.key: _copied(slot.value) for slot in named_state(network)},
    )


def _copied(value: Any) -> Any:
    return np.array(devices.to_numpy(value)) if devices.is_array(value) else value


def put_back(network: Any, snapshot: Snapshot) -> None:
    """Give a network what it had learnt at the moment of the snapshot."""
    for key, value in snapshot.params.items():
        assign(network.params, key, value)
    for slot in named_state(network):
        if slot.key in snapshot.state:
            setattr(slot.layer, slot.name, copy.copy(snapshot.state[slot.key]))
