"""Which module computes: the compiled core, its CUDA twin, or plain NumPy.

An array decides: NumPy's are computed by the core, those in the memory of a GPU by `pynet._cuda`.

    with pynet.backend.use("reference"):     # the same calls, computed by pynet.reference
        grads = network.gradient(x, t)

`PYNET_BACKEND=reference python script.py` does the same for a whole run, also in a checkout that
has not been compiled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType
from typing import Any

from pynet._types import Array, DTypeLike, Shape

_MODULES = {"core": "pynet._core", "reference": "pynet.reference"}


class _NoDeviceArray:
    """Stands for the type of arrays on a GPU until one can be made."""


# The module of the GPU and the type of its arrays: see `device`.
_device: ModuleType | None = None
_device_array: type = _NoDeviceArray


def _load(name: str) -> ModuleType:
    if name not in _MODULES:
        raise ValueError(f"[backend] name: expected one of {', '.join(_MODULES)}, got {name!r}")
    try:
        return import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        if error.name != _MODULES["core"]:
            raise
        raise ImportError(
            "pynet's compiled core is missing: run `python3 dev.py demo` or `pip install .` "
            "in the checkout"
        ) from None


_default = _load(os.environ.get("PYNET_BACKEND") or "core")
# A context variable, not a global: another thread keeps computing where it did.
_active: ContextVar[ModuleType | None] = ContextVar("pynet_backend", default=None)


def of(x: Any) -> Any:
    """Return the module that computes with the array x."""
    if type(x) is _device_array:
        return _device
    return _active.get() or _default


def on_device(x: Any) -> bool:
    """Whether x is an array in the memory of a GPU."""
    return type(x) is _device_array


def device() -> Any:
    """Return the module that computes on the GPU.

    Raises ImportError where pynet was built without CUDA.
    """
    if _device is None:
        try:
            module = import_module("pynet._cuda")
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "pynet was built without CUDA: build it where nvcc is, with "
                "`PYNET_CUDA=ON pip install .` in the checkout"
            ) from None
        module.set_winograd(core().winograd())
        use_device(module)
    return _device


def use_device(module: Any) -> None:
    """Let `module` compute with its DeviceArrays: pynet._cuda, or a stand-in of the tests."""
    global _device, _device_array
    _device, _device_array = module, module.DeviceArray


def core() -> Any:
    """Return the compiled core, for what only it has: threads and memory.

    Raises ImportError where it is not compiled.
    """
    return _load("core")


def compiled() -> list[Any]:
    """Return the modules with a setting of their own: the core, and once it is used the GPU's."""
    return [core()] if _device is None else [core(), _device]


@contextmanager
def use(name: str) -> Iterator[None]:
    """Compute with `"core"` or `"reference"` inside a `with` block, in this thread.

    Raises ValueError for another name, ImportError where the core is not compiled.
    """
    token = _active.set(_load(name))
    try:
        yield
    finally:
        _active.reset(token)


def name() -> str:
    """Return the name of the active backend."""
    return next(key for key, module in _MODULES.items() if module == of(None).__name__)


def empty(shape: int | Shape, dtype: DTypeLike, like: Any = None) -> Array:
    """Return an uninitialised array from the memory pool of what computes with the array `like`."""
    array: Array = of(like).empty(shape, dtype)
    return array
