"""The ops of the CUDA build with NumPy's arrays: each call copies them to the device and back.

ops = DeviceOps(device_module())  # pynet._cuda, or _cuda_host, whose device is the processor
y = ops.relu(x)

PYNET_CUDA_HOST names a build of tests/cuda_host. PYNET_CUDA_TESTS=gpu takes the GPU instead, and
fails where there is none; PYNET_CUDA_TESTS=gpu-small takes few and small cases there.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pynet import backend


def kind() -> str:
    """What the tests run on: gpu, gpu-small, or an executor: plain, coverage, address, thread."""
    asked = os.environ.get("PYNET_CUDA_TESTS")
    if asked:
        if asked not in ("gpu", "gpu-small"):
            raise RuntimeError(f"PYNET_CUDA_TESTS: expected gpu or gpu-small, got {asked!r}")
        return asked
    name = os.path.basename(os.path.normpath(os.environ.get("PYNET_CUDA_HOST", "")))
    return name if name in ("coverage", "address", "thread") else "plain"


def on_gpu() -> bool:
    return kind().startswith("gpu")


def host_module() -> ModuleType:
    """The CUDA sources as they were compiled for the executor (tests/cuda_host)."""
    folder = os.environ.get("PYNET_CUDA_HOST")
    if not folder:
        raise RuntimeError("PYNET_CUDA_HOST names no build of tests/cuda_host")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module("_cuda_host")


def device_module() -> ModuleType:
    """What the tests run on; RuntimeError where it is not there."""
    if not on_gpu():
        return host_module()
    module = import_module("pynet._cuda")
    info = module.device_info()
    if not info["present"]:
        raise RuntimeError(f"PYNET_CUDA_TESTS: expected a GPU, got none: {info['reason']}")
    return module


@pytest.fixture(scope="module", name="device")
def on_device_module() -> Iterator[ModuleType]:
    """That module as the one that pynet computes with."""
    before = backend._device, backend._device_array
    module = device_module()
    backend.use_device(module)
    yield module
    backend._device, backend._device_array = before


@pytest.fixture(name="waits")
def counted_waits(device: ModuleType) -> Callable[[int], AbstractContextManager[None]]:
    """A context in which the processor waits so many times; on a GPU nobody counts."""
    if on_gpu():
        return lambda times: nullcontext()
    count = ctypes.CDLL(device.__file__).pynet_executor_waits
    count.restype = ctypes.c_uint64

    @contextmanager
    def exactly(times: int) -> Iterator[None]:
        gc.collect()  # a step that goes waits for the GPU
        before = count()
        yield
        assert count() - before == times

    return exactly


def cuda_modules() -> list[ModuleType]:
    """Those that are built: pynet._cuda, the executor's."""
    found = []
    with suppress(ModuleNotFoundError):
        found.append(import_module("pynet._cuda"))
    if os.environ.get("PYNET_CUDA_HOST"):
        found.append(host_module())
    return found


class DeviceOps:
    """A module of ops that takes and gives NumPy's arrays.

    On the device each lies `shift` elements behind the beginning of its memory.
    """

    def __init__(self, module: ModuleType, shift: int = 0) -> None:
        self.module, self.shift = module, shift

    def __getattr__(self, op: str) -> Any:
        function = getattr(self.module, op)

        def call(*args: Any, **kw: Any) -> Any:
            arguments = [*args, *kw.values()]
            there = [self._to_device(a) for a in arguments]
            result = function(*there[: len(args)], **dict(zip(kw, there[len(args) :])))
            self.module.synchronize()
            for mine, device in zip(arguments, there):
                if isinstance(mine, np.ndarray) and mine.flags.writeable:
                    mine[...] = device.to_numpy()  # what the op changed
            back = [self._to_host(r, arguments, there) for r in self._several(result)]
            return tuple(back) if isinstance(result, tuple) else back[0]

        return call

    def _to_device(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        if self.shift == 0:
            return self.module.to_device(value)
        memory = np.concatenate([np.zeros(self.shift, value.dtype), value.ravel()])
        return self.module.to_device(memory)[self.shift :].reshape(value.shape)

    def _to_host(self, value: Any, arguments: list[Any], there: list[Any]) -> Any:
        for mine, device in zip(arguments, there):
            if value is device and value is not None:
                return mine  # `out` came back
        return value.to_numpy() if isinstance(value, self.module.DeviceArray) else value

    @staticmethod
    def _several(result: Any) -> tuple[Any, ...]:
        return result if isinstance(result, tuple) else (result,)
