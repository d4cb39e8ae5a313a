"""What can be recorded, and what must stay as it was for the recording to hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pynet import backend
from pynet.layers.base import argument_names
from pynet.layers.loss_layer import LossLayer
from pynet.networks import Network
from pynet.optimizers import OPTIMIZERS, Optimizer

_OWN_LAYERS = ("pynet.layers", "pynet.losses")
_METHODS = ("gradient", "loss", "predict", "_input", "_penalties")


def refusal(network: Any, optimizer: Any) -> str | None:
    """Say why a step of these cannot be recorded; None where it can be tried.

    A recording holds kernel calls. What else computes, a reader's own layer in NumPy or a method
    of a network put in the place of pynet's, would not be in it.
    """
    return _of_network(network) or _of_optimizer(optimizer) or _of_backend()


def _of_network(network: Any) -> str | None:
    if not isinstance(network, Network):
        return f"{type(network).__name__} is no pynet.networks.Network"
    for name in _METHODS:
        if getattr(type(network), name) is not getattr(Network, name) or name in vars(network):
            return f"{type(network).__name__} has a {name} of its own"
    if network._penalties():
        return f"{network._penalties()[0]!r} is added in NumPy"
    for layer in (*(layer for _, _, layer in network._root.walk()), network.last_layer):
        if not type(layer).__module__.startswith(_OWN_LAYERS):
            return f"{type(layer).__name__} is not one of pynet's layers"
        if "forward" in vars(layer) or "backward" in vars(layer):
            return f"{type(layer).__name__} has a forward or backward put in its place"
    if type(network.last_layer)._kernel is LossLayer._kernel:
        return f"{type(network.last_layer).__name__} computes in NumPy"
    return None


def _of_optimizer(optimizer: Any) -> str | None:
    if not isinstance(optimizer, Optimizer) or type(optimizer) not in OPTIMIZERS.values():
        return f"{type(optimizer).__name__} is not one of pynet.optimizers.OPTIMIZERS"
    if optimizer.hooks:
        return f"{type(optimizer.hooks[0]).__name__} is a hook"
    if "update" in vars(optimizer) or "_step" in vars(optimizer):
        return f"{type(optimizer).__name__} has an update put in its place"
    return None


def _of_backend() -> str | None:
    return None if backend.name() == "core" else f"the backend is {backend.name()}"


class Settings:
    """All that a step depends on beside its batch and what is read anew at every step.

    The constructor's arguments of every layer, and which objects and arrays the network and the
    optimizer are made of. `unchanged()` compares with the moment of making.
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        layers = [layer for _, _, layer in network._root.walk()]
        owners = [network, network.last_layer, *layers]
        settings = [
            (vars(owner), name)
            for owner in owners
            for name in _settings_of(owner)
            if name in vars(owner) and not hasattr(vars(owner)[name], "dtype")
        ]
        objects = [
            (vars(owner), name)
            for owner, names in (
                (network, ("_root", "_params", "last_layer")),
                (optimizer, ("hooks", *optimizer.state_names)),
                *((layer, ("layers", *layer.param_names, *layer.state_names)) for layer in layers),
            )
            for name in names
            if not isinstance(vars(owner).get(name), int | float)
        ]
        self._settings, self._values = settings, [have[name] for have, name in settings]
        self._objects, self._kept = objects, [have.get(name) for have, name in objects]
        self._ids = [id(kept) for kept in self._kept]

    def unchanged(self) -> bool:
        """Whether all is as it was."""
        ids = [id(have.get(name)) for have, name in self._objects]
        return ids == self._ids and [have[name] for have, name in self._settings] == self._values


def _settings_of(owner: Any) -> Iterator[str]:
    for cls in type(owner).__mro__:
        if "__init__" in vars(cls):
            yield from argument_names(vars(cls)["__init__"])[1:]
    yield from getattr(owner, "hyperparameters", ())
