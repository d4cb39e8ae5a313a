"""Which module computes: the compiled core, or plain NumPy.

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
    """Return the module that computes with the array x (x decides once there are GPU arrays)."""
    return _active.get() or _default


def core() -> Any:
    """Return the compiled core, for what only it has: threads and memory.

    Raises ImportError where it is not compiled.
    """
    return _load("core")


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


def empty(shape: int | Shape, dtype: DTypeLike) -> Array:
    """Return an uninitialised array, from the core's memory pool where that computes."""
    return of(None).empty(shape, dtype)
