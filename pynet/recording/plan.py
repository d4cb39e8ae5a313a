"""A recorded step: the list of its kernel calls, with the memory that they work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from pynet import backend, devices, rng
from pynet._types import Array
from pynet.layers.randomized import RandomizedLayer
from pynet.networks.summary import text_table

_LOSSES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error")
_HEADINGS = ("where", "kernel", "us", "share", "Mflop", "GFLOP/s", "MB", "GB/s")


Check = Callable[[float, Any], None]


class NotRecordable(Exception):
    """The step ran, but a recording of it would not be the step."""


class Call(NamedTuple):
    """One kernel call: times in seconds, 0 before the first replay."""

    where: str  # the layer and the pass
    kernel: str
    operations: float  # multiplications and additions
    bytes: float  # read and written
    seconds: float


def layers_of(network: Any) -> list[Any]:
    """Every layer, the loss last."""
    return [*(layer for _, _, layer in network._root.walk()), network.last_layer]


def arrays_of_layers(network: Any) -> Iterator[Array]:
    """Parameters, running statistics, tables that are made once, and what the last step left."""
    for layer in layers_of(network):
        for value in vars(layer).values():
            for array in value if isinstance(value, tuple) else (value,):
                if devices.is_array(array) and array.size > 0:
                    if backend.on_device(array) == (network.device == "cuda"):
                        yield array


class Plan:
    """The kernel calls of one step, in order; `print(plan)` shows them as a table.

    `calls` are its rows: the layer, the kernel, the shortest time of the first replays, the
    arithmetic and the bytes that the kernel has to move at least.
    """

    def __init__(
        self,
        network: Any,
        optimizer: Any,
        x: Array,
        t: Array,
        check: Check | None = None,
        standing: Set[int] | None = None,
    ) -> None:
        """Make the step, and record it on the way; NotRecordable where that is not all of it.

        `standing` are the ids of the arrays that the layers had before the last step: what that
        step added can go.
        """
        self.network, self.optimizer = network, optimizer
        self.title = f"{type(network).__name__}, {type(optimizer).__name__}, x {x.shape}"
        on_device = self._on_device = network.device == "cuda"
        self._timed = False
        self._module = backend.device() if on_device else backend.core()
        self.array_type: type = self._module.DeviceArray if on_device else np.ndarray
        self.recording = self._module.Recording()
        self._labels: list[tuple[str, Any]] = []
        self._before: list[tuple[dict[str, Any], list[int]]] = []  # each step of run_later
        labelled = network.last_layer.op == "softmax_cross_entropy" and t.ndim == 1
        x_batch = self._module.empty(x.shape, network.dtype)
        x_batch[...] = x
        t_batch = self._module.empty(t.shape, np.int64 if labelled else network.dtype)
        t_batch[...] = t
        if standing is not None:
            self._forget(standing)
        kept = list(arrays_of_layers(network))
        with self._labelled(), self._on():
            self.grads = network.gradient(x_batch, t_batch)
        self.recording.set_boundary()
        self.loss = float(network.last_loss)
        if check is not None:
            check(self.loss, self.grads)
        with self._on():
            self.recording.set_label(self._label("update", None))
            optimizer.update(network.params, self.grads)
        classes = network.last_layer.y.shape[-1] if labelled else 0
        self.recording.set_inputs(x_batch, t_batch, classes)
        if on_device:
            self.recording.set_gradients(self.grads.flat)
        still_there = {id(array) for array in arrays_of_layers(network)}
        self._kept = [array for array in kept if id(array) in still_there]
        for array in self._kept:
            self.recording.hold(array)
        stores = (network.params, self.grads, *optimizer.states)
        for store in stores:
            self.recording.hold(store.flat)
        self._flat = [store.flat for store in stores] if optimizer.elementwise else None
        self._check()

    # ---- recording -----------------------------------------------------------------------------

    def _label(self, text: str, layer: Any) -> int:
        self._labels.append((text, layer))
        return len(self._labels) - 1

    @contextmanager
    def _on(self) -> Iterator[None]:
        self.recording.start()
        try:
            yield
        finally:
            self.recording.stop()

    @contextmanager
    def _labelled(self) -> Iterator[None]:
        """Let every layer say where a call comes from."""
        inside = [(path, layer) for path, _, layer in self.network._root.walk()]
        counts: dict[str, int] = {}
        current = [self._label("step", None)]

        def announced(method: Callable[..., Any], label: int) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                before, current[0] = current[0], label
                self.recording.set_label(label)
                try:
                    return method(*args, **kwargs)
                finally:
                    current[0] = before
                    self.recording.set_label(before)

            return call

        layers = [*inside, ("", self.network.last_layer)]
        for path, layer in layers:
            kind = f"{path}{type(layer).__name__}"
            counts[kind] = counts.get(kind, 0) + 1
            for name in ("forward", "backward"):
                label = self._label(f"{kind}{counts[kind]} {name}", layer)
                vars(layer)[name] = announced(getattr(layer, name), label)
        try:
            yield
        finally:
            for _, layer in layers:
                del vars(layer)["forward"], vars(layer)["backward"]

    def _check(self) -> None:
        """Raise NotRecordable, or let the recording be what is replayed."""
        calls = self._rows()
        losses = [call for call in calls if call.kernel in _LOSSES]
        if len(losses) != 1:
            raise NotRecordable(f"{type(self.network.last_layer).__name__} computes in NumPy")
        for first in (self.recording.foreign(), self.recording.first_copy()):
            if first < len(calls):
                where, kernel = calls[first][:2]
                raise NotRecordable(f"{where}: {kernel} works on an array made in Python")
        self.forget_arrays()
        self.recording.optimize()  # gives back what is free now
        rows = [(name, self._labels[label][1]) for name, label, *_ in self.recording.rows()]
        self._loss_call = next(
            i for i, (name, _) in enumerate(rows) if name.partition(" + ")[0] in _LOSSES
        )
        self._random = [(i, layer) for i, (name, layer) in enumerate(rows) if name == "dropout"]
        if not all(isinstance(layer, RandomizedLayer) for _, layer in self._random):
            raise NotRecordable("a layer draws random numbers that are not its own")

    def forget_arrays(self) -> None:
        """Let go of what an eager step left in the layers for their backward.

        A replay works in memory of its own: keeping both would take twice the room.
        """
        self._forget({id(array) for array in self._kept})

    def _forget(self, kept: Set[int]) -> None:
        """Let the layers' arrays go, but for these ids, parameters, gradients and statistics."""
        for layer in layers_of(self.network):
            params = getattr(layer, "param_names", ())
            names = {*params, *(f"d{name}" for name in params), *getattr(layer, "state_names", ())}
            for name, value in vars(layer).items():
                if devices.is_array(value) and name not in names and id(value) not in kept:
                    vars(layer)[name] = None

    # ---- replaying -----------------------------------------------------------------------------

    def release_memory(self) -> None:
        """Give back what the pool has kept."""
        self._module.release_memory()

    def feed(self, x: Any, t: Any) -> bool:
        """Hand over a batch; False, and nothing done, where it is of another shape or kind.

        Raises IndexError for a label out of range.
        """
        fed: bool = self.recording.feed(x, t)
        return fed

    def feed_rows(self, x: Any, t: Any, index: Any) -> bool:
        """Hand over the rows `index` of x and t; False where `feed` has to do it."""
        fed: bool = self.recording.feed_rows(x, t, index)
        return fed

    def run(self, check: Callable[[float, Any], None] | None = None) -> float | None:
        """Make the step with the batch that was handed over; None, and nothing done, if it cannot.

        `check(loss, grads)` is called before the update and may raise.
        """
        before = self._numbers()
        last = self.recording.boundary()
        if check is None:
            self._refresh()
            last = self.recording.size()
        if not self._played(self.recording.play, 0, last):
            self._put_back(before)
            return None
        try:
            loss: float = self.recording.loss(self._loss_call)
        except IndexError:  # of a label that the GPU looked at
            self._put_back(before)
            raise
        self.network.last_loss = self.network.last_layer.loss = loss
        if check is not None:
            check(loss, self.grads)
            self._refresh()
            self.recording.play(last, self.recording.size())
        return loss

    def run_later(self) -> bool:
        """Make the step on the GPU without waiting for its loss; False, and nothing done, if not.

        It stops itself before the update where the loss or a gradient is not finite, or a label out
        of range, and so do all steps after it.
        """
        before = self._numbers()
        self._refresh()
        if not self._played(self.recording.play_later):
            self._put_back(before)
            return False
        self._before.append(before)
        return True

    def settle(self) -> tuple[list[float], str | None]:
        """Wait for the steps of `run_later`; return their losses, and why one was stopped.

        Then the last loss is that of this one, and all is as it was before it. The reason is what
        an IndexError says, or "" where a number was not finite.
        """
        losses, reason = self.recording.settle()
        before, self._before = self._before, []
        if reason is not None:
            self._put_back(before[len(losses) - 1])
        if losses:
            self.network.last_loss = self.network.last_layer.loss = losses[-1]
        return losses, reason

    def _played(self, play: Callable[..., bool], *part: int) -> bool:
        """Play the calls with the random numbers of this step."""
        for call, layer in self._random:
            seed = rng.current()[0]
            self.recording.set_random(call, seed, layer.dropout_number, layer.dropout_step)
        if not play(*part):
            return False
        for _, layer in self._random:
            layer.dropout_step += 1
        return True

    def _numbers(self) -> tuple[dict[str, Any], list[int]]:
        """What a step changes on the processor: the optimizer's numbers, dropout's counters."""
        return vars(self.optimizer).copy(), [layer.dropout_step for _, layer in self._random]

    def _put_back(self, numbers: tuple[dict[str, Any], list[int]]) -> None:
        optimizer, steps = numbers
        vars(self.optimizer).update(optimizer)
        for (_, layer), step in zip(self._random, steps):
            layer.dropout_step = step

    def _refresh(self) -> None:
        """Let the update's kernels see the optimizer's numbers of this step."""
        self.recording.refresh(self.recording.boundary())
        try:
            if self._flat is None:
                self.optimizer.update(self.network.params, self.grads)
            else:  # the same without its checks, which the first steps have passed
                self.optimizer.step_flat(*self._flat)
        finally:
            self.recording.stop()

    # ---- looking at it -------------------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """The kernel calls in order. On a GPU they are timed when they are first asked for."""
        if self._on_device and not self._timed:
            self._timed = True
            self._time()
        return self._rows()

    def _time(self) -> None:
        """Make the calls one by one, and put back what they change."""
        arrays = [*self._kept, *(store.flat for store in (self.network.params, self.grads))]
        arrays += [store.flat for store in self.optimizer.states]
        before = [array.copy() for array in arrays]
        self.recording.measure()
        for array, value in zip(arrays, before):
            array[...] = value

    def _rows(self) -> list[Call]:
        return [
            Call(self._labels[label][0], name, operations, size, seconds)
            for name, label, operations, size, seconds in self.recording.rows()
        ]

    @property
    def bytes(self) -> int:
        """The memory that the step works in, beside parameters, state and batch."""
        size: int = self.recording.bytes()
        return size

    def __str__(self) -> str:
        calls = self.calls
        whole = sum(call.seconds for call in calls) or float("inf")
        cells = [
            (
                call.where,
                call.kernel,
                f"{1e6 * call.seconds:.1f}" if call.seconds else "",
                f"{100 * call.seconds / whole:.1f} %" if call.seconds else "",
                f"{call.operations / 1e6:.2f}",
                f"{1e-9 * call.operations / call.seconds:.1f}" if call.seconds else "",
                f"{call.bytes / 1e6:.3f}",
                f"{1e-9 * call.bytes / call.seconds:.1f}" if call.seconds else "",
            )
            for call in calls
        ]
        total = (
            *(f"{len(calls)} calls", "", f"{1e6 * sum(call.seconds for call in calls):.1f}", ""),
            *(f"{sum(call.operations for call in calls) / 1e6:.2f}", ""),
            *(f"{sum(call.bytes for call in calls) / 1e6:.3f}", ""),
        )
        table = text_table(_HEADINGS, cells, total)
        nodes = f", {self.recording.nodes()} nodes in the graph" if self._on_device else ""
        return f"{self.title}\n{table}\n{self.bytes / 1e6:.2f} MB of buffers{nodes}"

    __repr__ = __str__
