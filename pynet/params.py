"""Parameters and gradients as dicts of views into one flat buffer.

A dict as in the book: `params['W1'] -= lr * grads['W1']`, `params['W1'] = new`, a loop over the
keys. But all arrays lie behind one another in `flat`, so an optimizer, a gradient norm or a
checkpoint is one call over one range. Each array starts on a 64-byte boundary; the gaps are 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Protocol, TypeVar

import numpy as np

from pynet import backend
from pynet._types import Array, DTypeLike, Shape
from pynet.devices import to_device, to_numpy, zeros

_ALIGNMENT = 64
Store = TypeVar("Store", bound="FlatStore")


class Layout:
    """Which array lies where in a flat buffer."""

    def __init__(self, shapes: Mapping[str, Shape], dtype: DTypeLike) -> None:
        self.shapes = {key: tuple(shape) for key, shape in shapes.items()}
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        step = _ALIGNMENT // self.dtype.itemsize
        self.offsets: dict[str, int] = {}  # in elements
        gaps: list[range] = []
        size = 0
        for key, shape in self.shapes.items():
            self.offsets[key] = size
            end = size + math.prod(shape)
            size = -(-end // step) * step
            gaps.append(range(end, size))
        self.size = size
        self.gaps = np.array([i for gap in gaps for i in gap], dtype=np.intp)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Layout):
            return NotImplemented
        return self.dtype == other.dtype and list(self.shapes.items()) == list(other.shapes.items())

    def views(self, flat: Array) -> dict[str, Array]:
        """Return the arrays of this layout in `flat`."""
        if backend.on_device(flat):
            return {
                key: flat[self.offsets[key] : self.offsets[key] + math.prod(shape)].reshape(shape)
                for key, shape in self.shapes.items()
            }
        itemsize = self.dtype.itemsize
        return {
            key: np.ndarray(shape, self.dtype, flat, self.offsets[key] * itemsize)
            for key, shape in self.shapes.items()
        }


class FlatStore(dict[str, Array]):
    """A dict of views into `flat`. Its keys are fixed; assigning to one copies into the view.

    Raises KeyError for an unknown key, ValueError for another shape, TypeError where a dict would
    lose or gain a key.
    """

    def __init__(self, layout: Layout, flat: Array) -> None:
        super().__init__(layout.views(flat))
        self.layout = layout
        self.flat = flat

    @classmethod
    def zeros(cls: type[Store], layout: Layout, like: Any = None) -> Store:
        """Return a store of zeros, on the GPU where the array `like` is."""
        if backend.on_device(like):
            return cls(layout, zeros((layout.size,), layout.dtype, like))
        return cls(layout, _aligned_zeros(layout))

    def on(self: Store, device: str) -> Store:
        """Return the same values in a store on "cpu" or "cuda"."""
        if backend.on_device(self.flat) == (device == "cuda"):
            return self
        if device == "cuda":
            return type(self)(self.layout, to_device(self.flat))
        store = type(self).zeros(self.layout)
        store.flat[...] = to_numpy(self.flat)
        return store

    @classmethod
    def of(cls: type[Store], arrays: Mapping[str, Any], dtype: DTypeLike | None = None) -> Store:
        """Return a store with copies of the arrays, in their order.

        `dtype` None means float64 if one of them is float64, else float32.
        """
        arrays = {key: to_numpy(array) for key, array in arrays.items()}
        if dtype is None:
            wide = any(array.dtype == np.float64 for array in arrays.values())
            dtype = np.float64 if wide else np.float32
        store = cls.zeros(Layout({key: array.shape for key, array in arrays.items()}, dtype))
        for key, array in arrays.items():
            store[key][...] = array
        return store

    def __setitem__(self, key: str, value: Any) -> None:
        view = self._view(key)
        if value is view:  # store['W'] -= ... has worked in place already
            return
        if np.shape(value) != view.shape:
            raise ValueError(
                f"[{type(self).__name__}] {key}: expected shape {view.shape}, got {np.shape(value)}"
            )
        view[...] = value

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self: Store, other: Any) -> Store:  # type: ignore[override, misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Array:
        return self._view(key)

    def _view(self, key: str) -> Array:
        try:
            return self[key]
        except KeyError:
            raise KeyError(
                f"[{type(self).__name__}] key: expected one of {', '.join(self)}, got {key!r}"
            ) from None

    def _fixed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"[{type(self).__name__}] key: expected the keys to stay, got a removal")

    __delitem__ = pop = popitem = clear = _fixed

    def __reduce__(self) -> tuple[Any, ...]:
        # A dict subclass would be refilled item by item; rebuilt whole, the views share one buffer.
        return _rebuild, (type(self), self.layout.shapes, self.layout.dtype.str, self.flat.copy())


class ParamStore(FlatStore):
    """The parameters of a network."""


class GradStore(FlatStore):
    """The gradients of one `gradient()` call, in a buffer of their own."""

    @classmethod
    def fresh(cls, layout: Layout, like: Any = None) -> GradStore:
        """Return a store with a buffer from the pool, to be filled; only its gaps are set, to 0."""
        if backend.on_device(like):
            return cls.zeros(layout, like)
        flat = backend.empty((layout.size,), layout.dtype)
        flat[layout.gaps] = 0
        return cls(layout, flat)


class _Slot(Protocol):
    """What `pack` needs of a layer's slot."""

    @property
    def key(self) -> str: ...
    @property
    def layer(self) -> Any: ...
    @property
    def name(self) -> str: ...


def pack(slots: Iterable[_Slot], dtype: DTypeLike | None = None) -> ParamStore:
    """Copy the parameters into one store and make them views of it in their layers.

    Raises ValueError when two parameters have one key.
    """
    slots = list(slots)
    arrays: dict[str, Any] = {}
    for slot in slots:
        if slot.key in arrays:
            raise ValueError(f"[pack] slots: expected different keys, got {slot.key!r} twice")
        arrays[slot.key] = getattr(slot.layer, slot.name)
    store = ParamStore.of(arrays, dtype)
    for slot in slots:
        slot.layer.bind_param(slot.name, store[slot.key])
    return store


def _aligned_zeros(layout: Layout) -> Array:
    """Zeros on a 64-byte boundary, which NumPy alone does not promise."""
    raw = np.zeros(layout.size * layout.dtype.itemsize + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + layout.size * layout.dtype.itemsize].view(layout.dtype)


def _rebuild(
    cls: type[FlatStore], shapes: Mapping[str, Shape], dtype: str, flat: Array
) -> FlatStore:
    layout = Layout(shapes, dtype)
    store = cls.zeros(layout, flat)
    store.flat[...] = flat
    return store
