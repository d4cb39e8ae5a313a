"""All that a run needs to go on bit for bit: from a Trainer into a checkpoint, and back.

Parameters have their own names in the file, so `network.load_params` reads it too. The rest lies
behind a prefix that no parameter has: `optimizer/m/W1`, `state/running_mean1`, `random/key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import pynet
from pynet import devices, rng
from pynet._types import Array
from pynet.networks.state import assign, named_state
from pynet.schedules import describe

if TYPE_CHECKING:
    from pynet.callbacks import Callback
    from pynet.trainer import Trainer

_OP = "[Trainer.resume]"
_HISTORY = ("train_loss_list", "evaluated_iters")


def collect(trainer: Trainer) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the metadata of a checkpoint."""
    arrays = {key: devices.to_numpy(param) for key, param in trainer.network.params.items()}
    numbers: dict[str, int] = {}
    for slot in named_state(trainer.network):
        if devices.is_array(slot.value):
            arrays[f"state/{slot.key}"] = devices.to_numpy(slot.value)
        elif slot.value is not None:
            numbers[slot.key] = slot.value
    for name in _HISTORY:
        arrays[f"history/{name}"] = np.array(getattr(trainer, name), np.float64)
    for name, values in trainer.history.items():
        arrays[f"epochs/{name}"] = np.array(values, np.float64)
    if trainer.sampler.order is not None:
        arrays["epoch/order"] = trainer.sampler.order
    callbacks: list[dict[str, Any]] = []
    for callback in _with_state(trainer):
        state = callback.state()
        kept = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        for key, array in kept.items():
            arrays[f"callbacks/{len(callbacks)}/{key}"] = array
        numbers_of_it = {key: value for key, value in state.items() if key not in kept}
        callbacks.append({"type": type(callback).__name__, "state": numbers_of_it})
    optimizer = trainer.optimizer
    for path, part in optimizer.parts():
        for name, state in zip(part.state_names, part.states):
            for key, array in (state or {}).items():
                arrays[f"optimizer/{path}{name}/{key}"] = devices.to_numpy(array)
    draws: dict[str, Any] = np.random.get_state(legacy=False)
    arrays["random/key"] = draws["state"]["key"]
    meta = {
        "step": trainer.current_iter,
        "epoch": trainer.current_epoch,
        "run": _run(trainer),
        "optimizer": optimizer.kind,
        "optimizer_numbers": {
            path + name: number
            for path, part in optimizer.parts()
            for name, number in part.numbers.items()
        },
        "base_lr": trainer.base_lr,
        "rate_factor": trainer.rate_factor,
        "state": numbers,
        "callbacks": callbacks,
        "seed": rng.current()[0],
        "random": {
            "bit_generator": draws["bit_generator"],
            "pos": draws["state"]["pos"],
            "has_gauss": draws["has_gauss"],
            "gauss": draws["gauss"],
        },
    }
    return arrays, meta


def restore(trainer: Trainer, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Put a checkpoint into a Trainer made with the same arguments.

    Raises ValueError, before anything has changed, when it belongs to another run.
    """
    params, optimizer = trainer.network.params, trainer.optimizer
    _check_run(trainer, meta)
    _check_network(trainer.network, arrays, meta)
    if rng.current()[0] != meta["seed"]:
        pynet.seed(meta["seed"])
    _fill_network(trainer.network, arrays, meta)

    for path, part in optimizer.parts():
        _fill_state(part, f"optimizer/{path}", params, arrays)
        for name, number in meta["optimizer_numbers"].items():
            before, _, last = name.rpartition("/")
            if before == path.rstrip("/"):
                setattr(part, last, number)

    for name in _HISTORY:
        setattr(trainer, name, arrays[f"history/{name}"].tolist())
    trainer.evaluated_iters = [int(i) for i in trainer.evaluated_iters]
    trainer.history = {name: arrays[f"epochs/{name}"].tolist() for name in trainer.history}
    trainer.sampler.order = arrays.get("epoch/order")
    for i, (callback, saved) in enumerate(zip(_with_state(trainer), meta["callbacks"])):
        begin = f"callbacks/{i}/"
        kept = {
            name.removeprefix(begin): array.copy()
            for name, array in arrays.items()
            if name.startswith(begin)
        }
        callback.set_state({**saved["state"], **kept})
    trainer.current_iter, trainer.current_epoch = meta["step"], meta["epoch"]
    trainer.base_lr, trainer.rate_factor = meta["base_lr"], meta["rate_factor"]
    draws = meta["random"]
    np.random.set_state(
        {
            "bit_generator": draws["bit_generator"],
            "state": {"key": arrays["random/key"], "pos": draws["pos"]},
            "has_gauss": draws["has_gauss"],
            "gauss": draws["gauss"],
        }
    )


def restore_network(network: Any, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Put parameters and running statistics of a checkpoint into a network.

    Raises ValueError, before anything has changed, when they are those of another one.
    """
    _check_keys(meta)
    _check_network(network, arrays, meta)
    _fill_network(network, arrays, meta)


def _fill_network(network: Any, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    for key in network.params:
        assign(network.params, key, arrays[key])
    for slot in named_state(network):
        saved = arrays.get(f"state/{slot.key}")
        value = meta["state"].get(slot.key) if saved is None else saved.copy()
        setattr(slot.layer, slot.name, value)


def _fill_state(part: Any, prefix: str, params: Any, arrays: Mapping[str, Array]) -> None:
    """Give an optimizer or a hook the arrays it had, of all parameters or of those of a group."""
    saved = {
        name: {
            key: arrays[f"{prefix}{name}/{key}"]
            for key in params
            if f"{prefix}{name}/{key}" in arrays
        }
        for name in part.state_names
    }
    if not any(saved.values()):
        for name in part.state_names:
            setattr(part, name, None)
        return
    keys = set().union(*saved.values())
    part.prepare(params if len(keys) == len(params) else {key: params[key] for key in keys})
    for name, state in zip(part.state_names, part.states):
        for key, array in saved[name].items():
            state[key][...] = array


def _run(trainer: Trainer) -> dict[str, Any]:
    """What must be equal for a run to go on."""
    return {
        "train_size": trainer.train_size,
        "sample_shape": list(np.shape(trainer.x_train)[1:]),
        "batch_size": trainer.batch_size,
        "sampling": trainer.sampling,
        "schedule": describe(trainer.schedule),
        "measured": list(trainer.history),
        "callbacks": [type(callback).__name__ for callback in _with_state(trainer)],
    }


def _with_state(trainer: Trainer) -> list[Callback]:
    """The callbacks of which a run that goes on needs to know what they have seen."""
    return [callback for callback in trainer.callbacks if callback.state()]


def _check_keys(meta: Mapping[str, Any]) -> None:
    if {"step", "epoch", "run", "state", "optimizer", "optimizer_numbers", "random"} - set(meta):
        raise ValueError(f"{_OP} path: expected a checkpoint of a Trainer, got one of other data")


def _check_run(trainer: Trainer, meta: Mapping[str, Any]) -> None:
    _check_keys(meta)
    for name, here in _run(trainer).items():
        if meta["run"].get(name) != here:
            raise ValueError(
                f"{_OP} {name}: expected {meta['run'].get(name)} like the checkpoint, got {here}"
            )
    optimizer = trainer.optimizer
    if meta["optimizer"] != optimizer.kind:
        raise ValueError(
            f"{_OP} optimizer: expected {meta['optimizer']} like the checkpoint, "
            f"got {optimizer.kind}"
        )


def _check_network(network: Any, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    saved = [name for name in arrays if "/" not in name]
    if sorted(saved) != sorted(network.params):
        raise ValueError(
            f"{_OP} network: expected the parameters {', '.join(sorted(saved))}, "
            f"got {', '.join(sorted(network.params))}"
        )
    for key, param in network.params.items():
        here = devices.array(param)
        if here.shape != arrays[key].shape or here.dtype != arrays[key].dtype:
            raise ValueError(
                f"{_OP} network: expected {key} of shape {arrays[key].shape} and type "
                f"{arrays[key].dtype}, got {here.shape} and {here.dtype}"
            )
    states = {name.removeprefix("state/") for name in arrays if name.startswith("state/")}
    unknown = (states | set(meta["state"])) - {slot.key for slot in named_state(network)}
    if unknown:
        raise ValueError(f"{_OP} network: expected a layer for {min(unknown)}, got none")
