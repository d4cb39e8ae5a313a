"""Where the data of a run lie: with a network on the GPU, there too, as far as they fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import backend, devices
from pynet._types import Array
from pynet.trainer.measure import Part

# Of the GPU's free memory, for one part of the data.
_SHARE = 0.5
_COPIED_AT_ONCE = 1 << 26  # bytes


class Places:
    """Puts a part of the data where the network is, once, so that batches are gathered there.

    Samples get the network's dtype, class numbers become int64. A part that would take more than
    half of the GPU's free memory stays where it is; then each batch is copied to the GPU by itself.
    """

    def __init__(self, network: Any) -> None:
        self.network = network
        self._device = "cpu"
        # By the ids of x and t: what was given, and its copy.
        self._there: dict[tuple[int, int], tuple[Part, Part]] = {}

    def __call__(self, given: Part) -> Part:
        device = getattr(self.network, "device", "cpu")
        if device != self._device:
            self._there.clear()
            self._device = device
        if device == "cpu":
            return given
        key = id(given.x), id(given.t)
        if key not in self._there:
            self._there[key] = given, self._copied(given)
        return self._there[key][1]

    def _copied(self, given: Part) -> Part:
        dtype = self.network.dtype
        numbers = given.t.ndim == 1 and given.t.dtype.kind in "iu"
        t_dtype = np.dtype(np.int64) if numbers else dtype
        bytes_ = given.x.size * dtype.itemsize + given.t.size * t_dtype.itemsize
        if bytes_ > _SHARE * backend.device().free_memory():
            return given
        return Part(_copied(given.x, dtype), _copied(given.t, t_dtype))


def _copied(x: Array, dtype: np.dtype[Any]) -> Array:
    """The array on the GPU, in this dtype; of a memory map only a part is read at once."""
    if backend.on_device(x):
        return x.astype(dtype, copy=False)
    made: Array = backend.device().empty(x.shape, dtype)
    rows = max(1, _COPIED_AT_ONCE * len(x) // max(x.nbytes, 1))
    for i in range(0, len(x), rows):
        made[i : i + rows] = devices.to_device(x[i : i + rows])
    return made
