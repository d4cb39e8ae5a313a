"""The GPU and its clock as the driver has them, by ctypes: before pynet is built, without torch."""

from __future__ import annotations

import ctypes
import gc
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

LIBRARY = "libcuda.so.1"
NO_DEVICE = 100
PROCESSORS, MAJOR, MINOR = 16, 75, 76  # of the attributes of a device
OLDEST = (7, 5)


class NoGpu(Exception):
    """Why there is none, in the words of `pynet info`."""


def load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        raise NoGpu("no driver: NVIDIA's is not installed, or is not loaded") from None


def check(library: Any, code: int, call: str) -> None:
    if code == 0:
        return
    if code == NO_DEVICE:
        raise NoGpu("no device: the driver shows no GPU to this process")
    name = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(name))
    raise NoGpu(f"{call}: {name.value.decode() if name.value else code}")


def find() -> dict[str, Any]:
    """What the first GPU is; raises NoGpu."""
    library = load()
    check(library, library.cuInit(0), "cuInit")
    count = ctypes.c_int()
    check(library, library.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    if count.value == 0:
        check(library, NO_DEVICE, "cuDeviceGetCount")

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        code = library.cuDeviceGetAttribute(ctypes.byref(value), number, 0)
        check(library, code, "cuDeviceGetAttribute")
        return value.value

    name, size, version = ctypes.create_string_buffer(256), ctypes.c_size_t(), ctypes.c_int()
    check(library, library.cuDeviceGetName(name, len(name), 0), "cuDeviceGetName")
    check(library, library.cuDeviceTotalMem_v2(ctypes.byref(size), 0), "cuDeviceTotalMem")
    check(library, library.cuDriverGetVersion(ctypes.byref(version)), "cuDriverGetVersion")
    capability = [attribute(MAJOR), attribute(MINOR)]
    found = name.value.decode()
    if tuple(capability) < OLDEST:
        had, needed = (".".join(map(str, numbers)) for numbers in (capability, OLDEST))
        raise NoGpu(
            f"device too old: the {found} has compute capability {had}, pynet needs {needed}"
        )
    return {
        "name": found,
        "compute_capability": capability,
        "processors": attribute(PROCESSORS),
        "memory": size.value,
        "driver_cuda": f"{version.value // 1000}.{version.value % 1000 // 10}",
        "driver": driver_version(),
    }


def driver_version() -> str | None:
    """Of the driver itself, where nvidia-smi is there to say."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.split()
    return lines[0] if done.returncode == 0 and lines else None


class Events:
    """Two events on a stream, and the time between them."""

    def __init__(self, stream: int) -> None:
        self._library = load()
        self._stream = ctypes.c_void_p(stream)
        self._begin, self._end = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self._begin, self._end):
            self._check("cuEventCreate", ctypes.byref(event), 0)

    def _check(self, call: str, *arguments: Any) -> None:
        check(self._library, getattr(self._library, call)(*arguments), call)

    def seconds(self, call: Callable[[], Any], count: int) -> float:
        """Of so many calls, one after the other on the stream."""
        self._check("cuEventRecord", self._begin, self._stream)
        for _ in range(count):
            call()
        self._check("cuEventRecord", self._end, self._stream)
        self._check("cuEventSynchronize", self._end)
        passed = ctypes.c_float()
        self._check("cuEventElapsedTime", ctypes.byref(passed), self._begin, self._end)
        return passed.value * 1e-3


THREAD_LOCAL = 1  # what other threads do meanwhile does not matter


class Graph:
    """Some calls on a stream, recorded once; each call of it launches them all."""

    def __init__(self, stream: int, call: Callable[[], Any], count: int) -> None:
        self._library, self._stream = load(), ctypes.c_void_p(stream)
        graph, self._made = ctypes.c_void_p(), ctypes.c_void_p()
        gc.collect()  # what waits for the stream as it goes would end the recording
        self._check("cuStreamBeginCapture_v2", self._stream, THREAD_LOCAL)
        try:
            gc.disable()
            for _ in range(count):
                call()
        finally:
            code = self._library.cuStreamEndCapture(self._stream, ctypes.byref(graph))
            gc.enable()
        check(self._library, code, "cuStreamEndCapture")
        flags = ctypes.c_uint64(0)
        self._check("cuGraphInstantiateWithFlags", ctypes.byref(self._made), graph, flags)

    def _check(self, call: str, *arguments: Any) -> None:
        check(self._library, getattr(self._library, call)(*arguments), call)

    def __call__(self) -> None:
        self._check("cuGraphLaunch", self._made, self._stream)
