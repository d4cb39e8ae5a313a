"""`pynet.capture`: run a training step, record it, check the recording, then replay it.

step = pynet.capture(network, optimizer)
for x, t in batches(x_train, t_train):
    loss = step(x, t)
print(step.plan)
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from pynet import devices
from pynet.checks import network_and_optimizer
from pynet.recording.conditions import Settings, refusal
from pynet.recording.plan import Check, NotRecordable, Plan, arrays_of_layers

# A step whose settings change all the time is not worth recording again and again.
_FIRST_RECORDINGS = 8
_REPLAYS_EACH = 10


def capture(network: Any, optimizer: Any) -> CapturedStep:
    """Return the step `loss = step(x, t)`: the gradient of a batch and the optimizer's update.

    It does what this does, bit for bit, in less time:

        grads = network.gradient(x, t)
        optimizer.update(network.params, grads)
        loss = network.last_loss

    The first call runs just that, the second records which kernels it calls, the third replays
    them, is compared with the two lines above, and every later one is a replay: no Python between
    the kernels, no allocation, one lease of the threads. Learning rate, momentum, dropout's
    counters and the like are read at every step. A batch of another shape runs as written above;
    after a change of a layer's settings the step is recorded anew. Labels are checked at every
    step.

    Where the step is not pynet's own from end to end (a layer, a `gradient` or an optimizer of the
    reader's, hooks, penalties) it stays as written above; `step.refusal` and a warning say why.

    Args:
        network: a `pynet.networks.Network`.
        optimizer: one of `pynet.optimizers`.

    Raises TypeError for what is no network or no optimizer.
    """
    step = CapturedStep(network, optimizer)
    if step.refusal is not None:
        warnings.warn(f"[capture] the step is not recorded: {step.refusal}", stacklevel=2)
    return step


class CapturedStep:
    """What `capture` returns.

    Attributes: `plan`, the recorded calls, None before the second call; `refusal`, why the step is
    not recorded, or None; `replays`, how many steps were replayed.
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        network_and_optimizer("capture", network, optimizer)
        self.network, self.optimizer = network, optimizer
        self.refusal = refusal(network, optimizer)
        self.plan: Plan | None = None
        self.replays = 0
        self._settings: Settings | None = None
        self._checked = False  # whether the plan has been compared with the eager step
        self._recordings = 0
        self._standing: set[int] | None = None  # ids of the layers' arrays before the eager step
        self._last_shapes: Any = None  # of the last batch that ran eagerly
        self._waiting: Plan | None = None  # whose losses nobody has read

    def __call__(self, x: Any, t: Any) -> float:
        """Make one step and return the loss of the batch before it."""
        return self.run(x, t)

    def run(self, x: Any, t: Any, check: Check | None = None) -> float:
        """Make one step. `check(loss, grads)` is called before the update, and may raise."""
        plan = self._usable()
        if plan is not None and plan.feed(x, t):
            return self._replay(plan, x, t, check)
        return self._eager_or_recorded(x, t, check)

    def run_rows(self, x: Any, t: Any, index: Any, check: Check | None = None) -> float:
        """Make one step with the rows `index` of x and t."""
        plan = self._usable()
        if (
            plan is not None
            and self._checked
            and isinstance(x, plan.array_type)
            and isinstance(t, plan.array_type)
            and isinstance(index, np.ndarray)
            and plan.feed_rows(x, t, index)
        ):
            loss = self._replayed(plan, check)
            if loss is not None:
                return loss
        return self.run(x[index], t[index], check)

    def run_later(self, x: Any, t: Any, index: Any) -> bool:
        """Make one step with the rows `index` of x and t on the GPU, without waiting for its loss.

        `settle` gives the losses of such steps, and is called before another way to make a step.
        False, and nothing done, where that does not go: so always on the processor.
        """
        plan = self._usable()
        if plan is None or not self._checked or self._waiting not in (None, plan):
            return False
        if self.network.device != "cuda":
            return False
        if not (isinstance(index, np.ndarray) and plan.feed_rows(x, t, index)):
            if not plan.feed(x[index], t[index]):
                return False
        if not plan.run_later():
            return False
        self._waiting = plan
        self.replays += 1
        self._last_shapes = None
        return True

    def settle(self) -> tuple[list[float], str | None]:
        """Wait for the steps of `run_later`; return what `Plan.settle` says."""
        plan, self._waiting = self._waiting, None
        return ([], None) if plan is None else plan.settle()

    # ---- the ways to make a step ---------------------------------------------------------------

    def _usable(self) -> Plan | None:
        """The plan, if it still holds."""
        if self.plan is not None and not (self._settings and self._settings.unchanged()):
            self.plan = self._settings = None
            self.refusal = refusal(self.network, self.optimizer)
        return self.plan

    def _eager(self, x: Any, t: Any, check: Check | None) -> float:
        grads = self.network.gradient(x, t)
        loss = float(self.network.last_loss)
        if check is not None:
            check(loss, grads)
        self.optimizer.update(self.network.params, grads)
        return loss

    def _eager_or_recorded(self, x: Any, t: Any, check: Check | None) -> float:
        shapes = np.shape(x), np.shape(t)
        again, self._last_shapes = shapes == self._last_shapes, shapes
        if self.refusal is not None:
            return self._eager(x, t, check)
        if not again:
            self._standing = {id(array) for array in arrays_of_layers(self.network)}
            return self._eager(x, t, check)
        if self._recordings >= max(_FIRST_RECORDINGS, self.replays // _REPLAYS_EACH):
            self.refusal = "settings or shapes change all the time"
            return self._eager(x, t, check)
        self._recordings += 1
        self.plan, self._checked = None, False
        try:
            standing, self._standing = self._standing, None
            x, t = (devices.moved(array, self.network.device) for array in (x, t))
            plan = Plan(self.network, self.optimizer, x, t, check, standing)
        except NotRecordable as error:
            self.refusal = str(error)
            return float(self.network.last_loss)
        self.plan = plan
        self._settings = Settings(self.network, self.optimizer)
        return plan.loss

    def _replay(self, plan: Plan, x: Any, t: Any, check: Check | None) -> float:
        if self._checked:
            replayed_loss = self._replayed(plan, check)
            return self._eager(x, t, check) if replayed_loss is None else replayed_loss
        # The first replay is compared with the eager step from the same state: that comes first, so
        # that its arrays can go before the replay fills its own.
        before = self._state()
        loss = self._eager(x, t, check)
        eager = self._state()
        self._put_back(before)
        plan.forget_arrays()
        plan.release_memory()
        replayed = plan.run(check), self._state()
        difference = _difference((loss, eager), replayed)
        if difference is None:
            self._checked = True
        else:
            self._put_back(eager)
            self.plan, self.refusal = None, f"replaying it gives another {difference}"
        return loss

    def _replayed(self, plan: Plan, check: Check | None) -> float | None:
        loss = plan.run(check)
        if loss is None:  # another instruction set was chosen, or a second thread is at it
            self.plan = None
            return None
        self.replays += 1
        self._last_shapes = None
        return loss

    # ---- all that a step changes ---------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"params": self.network.params.flat.copy()}
        for slot in self.network.named_state():
            state[f"state {slot.key}"] = copy.copy(devices.array(slot.value))
        for name in self.optimizer.state_names:
            state[f"optimizer {name}"] = getattr(self.optimizer, name).flat.copy()
        return {**state, "numbers": dict(self.optimizer.numbers)}

    def _put_back(self, state: dict[str, Any]) -> None:
        self.network.params.flat[...] = state["params"]
        for slot in self.network.named_state():
            saved = state[f"state {slot.key}"]
            if devices.is_array(slot.value):
                slot.value[...] = saved
            else:
                setattr(slot.layer, slot.name, saved.item())
        for name in self.optimizer.state_names:
            getattr(self.optimizer, name).flat[...] = state[f"optimizer {name}"]
        for name, value in state["numbers"].items():
            setattr(self.optimizer, name, value)

    def __repr__(self) -> str:
        if self.refusal is not None:
            return f"CapturedStep(not recorded: {self.refusal})"
        return f"CapturedStep({'not recorded yet' if self.plan is None else self.plan.title})"


def _difference(eager: Any, replayed: Any) -> str | None:
    """What differs between two steps in a single bit, or None."""
    if not _equal(eager[0], replayed[0]):
        return "loss"
    for name, value in eager[1].items():
        if not _equal(value, replayed[1][name]):
            return name
    return None


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return bool(a == b)
    first, second = devices.to_numpy(a), devices.to_numpy(b)
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()
