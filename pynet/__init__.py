"""pynet: the deep-learning library of 'Deep Learning from Scratch' on C++ kernels of its own.

    from pynet.layers import Affine, Relu, SoftmaxWithLoss
    from pynet.networks import SimpleConvNet
    from pynet.optimizers import Adam
    from pynet.trainer import Trainer
    from pynet.datasets import load_mnist

Submodules are loaded when they are first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from pynet import backend
    from pynet.rng import seed
except ImportError as error:
    # `python -m pynet` imports this file before its own: it says what is missing, in one line.
    if sys.argv[0] != "-m":
        raise
    if isinstance(error, ModuleNotFoundError):
        sys.exit(f"pynet: {error}: run `python3 dev.py demo` or `pip install .` in the checkout")
    sys.exit(f"pynet: {error}")

if TYPE_CHECKING:
    __version__: str

_SUBMODULES = (
    "activations",
    "callbacks",
    "datasets",
    "devices",
    "diagnosis",
    "ensemble",
    "functions",
    "gradient",
    "graph",
    "initializers",
    "layers",
    "loader",
    "losses",
    "metrics",
    "networks",
    "ops",
    "optimizers",
    "params",
    "penalties",
    "perceptron",
    "rate_finder",
    "reference",
    "schedules",
    "search",
    "serialization",
    "trainer",
    "util",
    "viz",
)
# What is there as pynet.NAME, by its module.
_FUNCTIONS = {
    "CudaError": "devices",
    "diagnose": "diagnosis",
    "profile": "diagnosis",
    "capture": "recording",
    "device": "devices",
    "precision": "devices",
    "set_device": "devices",
    "set_precision": "devices",
    "synchronize": "devices",
    "to_device": "devices",
    "to_numpy": "devices",
}

__all__ = [
    "__version__",
    "backend",
    "memory",
    "num_threads",
    "release_memory",
    "seed",
    "set_num_threads",
    "set_winograd",
    *_SUBMODULES,
    *_FUNCTIONS,
]


def set_num_threads(n: int) -> None:
    """Let kernels use up to n threads. The results do not depend on it.

    Raises ValueError when n is below 1.
    """
    backend.core().set_num_threads(n)


def num_threads() -> int:
    """Return how many threads kernels may use."""
    return int(backend.core().num_threads())


def set_winograd(on: bool) -> None:
    """Let `ops.conv2d` and its gradients take Winograd's way in float32, or never.

    It is on, unless the environment has PYNET_WINOGRAD=0. The docstring of `ops.conv2d` says how
    far off its results are.
    """
    for module in backend.compiled():
        module.set_winograd(on)


def memory(device: str = "cpu") -> dict[str, int]:
    """Return the state of the memory pool, in bytes: of the processor's or, for "cuda", the GPU's.

    Raises ImportError and `CudaError` as `set_device` does.
    """
    return dict(_pool(device).memory())


def release_memory(device: str = "cpu") -> None:
    """Give the pool's unused memory back to the system, or that of the GPU to other programs.

    Raises ImportError and `CudaError` as `set_device` does.
    """
    _pool(device).release_memory()


def _pool(device: str) -> Any:
    if device not in ("cpu", "cuda"):
        raise ValueError(f"[memory] device: expected one of cpu, cuda, got {device!r}")
    return backend.device() if device == "cuda" else backend.core()


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"pynet.{name}")
    if name in _FUNCTIONS:
        return getattr(import_module(f"pynet.{_FUNCTIONS[name]}"), name)
    if name == "__version__":
        try:
            return backend.core().version()
        except ImportError:
            return "0+uncompiled"
    raise AttributeError(f"module 'pynet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
