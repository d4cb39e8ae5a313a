"""What every optimizer does around its update rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from numbers import Real
from typing import Any, ClassVar, TypeVar

import numpy as np

from pynet import backend, devices
from pynet._types import Array
from pynet.optimizers.hooks import Hook
from pynet.optimizers.settings import Stateful, computable, dtype_of, one_layout

Own = TypeVar("Own", bound="Optimizer")


class Optimizer(Stateful):
    """`update(params, grads)` moves each parameter against its gradient.

    Both are dicts with the same keys; extra gradients are ignored. The state (`v`, `h`, `m`) is a
    dict keyed like params, made at the first update, so one optimizer serves one network. What
    else should happen at each update is a hook: `Adam().add_hook(ClipNorm(1.0))`.

    Raises KeyError when a gradient is missing, ValueError when shapes differ, TypeError for integer
    arrays; then nothing has been changed.
    """

    elementwise: ClassVar[bool] = True  # one call for all parameters gives the same as one for each
    hooks: tuple[Hook, ...] = ()

    def add_hook(self: Own, hook: Hook) -> Own:
        """Let a hook take part in every update, after those added before; return the optimizer."""
        if not isinstance(hook, Hook):
            raise TypeError(
                f"[{type(self).__name__}.add_hook] hook: expected one of pynet.optimizers.hooks, "
                f"got {type(hook).__name__}"
            )
        self.hooks = (*self.hooks, hook)
        return self

    def update(self, params: MutableMapping[str, Any], grads: Mapping[str, Any]) -> None:
        for name, given in (("params", params), ("grads", grads)):
            if not isinstance(given, dict | Mapping):
                raise TypeError(
                    f"[{type(self).__name__}.update] {name}: expected a dict of arrays, "
                    f"got {type(given).__name__}"
                )
        self._apply(params, self._plan(params, grads))

    def parts(self) -> Iterator[tuple[str, Stateful]]:
        """The optimizer and its hooks with the prefix of their names in a checkpoint."""
        yield "", self
        for i, hook in enumerate(self.hooks):
            yield f"hook{i}/", hook

    @property
    def kind(self) -> str:
        return " + ".join([super().kind, *(hook.kind for hook in self.hooks)])

    # ---- the two halves of an update: all that may be refused, and then the moves --------------

    def _plan(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> Any:
        """Return the parameters to be moved and their gradients after the hooks; change nothing."""
        frozen = {key for hook in self.hooks for key in hook.frozen(params)}
        moving = {key: p for key, p in params.items() if key not in frozen} if frozen else params
        self._check(moving, grads)
        for hook in self.hooks:
            grads = hook.before(moving, grads)
        if self.hooks:
            self._check(moving, grads)
        return moving, grads

    def _apply(self, params: MutableMapping[str, Any], plan: Any) -> None:
        moving, grads = plan
        if None in self.states:
            self.prepare(params)
        states = self.states
        if self.elementwise and one_layout(moving, grads, *states):
            self.step_flat(*(store.flat for store in (moving, grads, *states)))
        else:
            self._begin()
            for key, p in moving.items():
                value = self._updated(p, grads[key], [state[key] for state in states])
                if value is not p:
                    params[key] = value
        for hook in self.hooks:
            hook.after(params)

    def step_flat(self, p: Array, g: Array, *states: Array) -> None:
        """Move all parameters, given as one array, by one call; the state as one array each too.

        For a recorded step: nothing is checked, and hooks are not asked.
        """
        self._begin()
        self._step(p, g, *states)

    def _begin(self) -> None:
        """What happens once per update, before the arrays."""

    def _step(self, *args: Any, **kwargs: Any) -> None:
        """Update p and the state in place; called with p, g and the arrays of `state_names`."""
        raise NotImplementedError(f"{type(self).__name__} has no update rule")

    def _check(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> None:
        first = None in self.states  # there is no state yet, and a mistake must not leave one
        states = [] if first else self.states
        if not first and one_layout(params, grads, *states):
            return
        where = f"[{type(self).__name__}.update]"
        for key, p in params.items():
            if key not in grads:
                raise KeyError(f"{where} grads: expected a gradient for {key!r}, got none")
            if any(key not in state for state in states):
                raise KeyError(
                    f"{where} params: expected those of the first update, got {key!r}: each "
                    f"network needs an optimizer of its own"
                )
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
        dtype = dtype_of(p)
        if not devices.is_array(p):
            number = np.array([p], dtype)
            self._step(number, np.array([g], dtype), *(s.reshape(1) for s in state))
            return float(number[0])
        g = computable(g, dtype)
        if backend.on_device(p) or (p.dtype == dtype and p.flags.c_contiguous):
            self._step(p, g, *state)
        else:
            work = np.array(p, dtype, order="C")
            self._step(work, g, *state)
            p[...] = work
        return p


def _check_param(where: str, p: Any) -> None:
    if not devices.is_array(p):
        if not isinstance(p, Real):
            raise TypeError(f"{where}: expected an array or a number, got {type(p).__name__}")
    elif p.dtype.kind != "f":
        raise TypeError(f"{where}: expected floats, got {p.dtype}")
    elif isinstance(p, np.ndarray) and not p.flags.writeable:
        raise ValueError(f"{where}: expected a writable array, got a read-only one")


def _check_grad(where: str, g: Any, p: Any) -> None:
    try:
        array = devices.array(g)
    except (TypeError, ValueError):
        raise TypeError(f"{where}: expected an array, got {type(g).__name__}") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{where}: expected real numbers, got dtype {array.dtype}")
    both = isinstance(p, np.ndarray) and isinstance(array, np.ndarray)
    if both and p.flags.c_contiguous and np.may_share_memory(p, array):
        raise ValueError(f"{where}: expected memory apart from the parameter, got the same")
