"""Arrays in the memory of a GPU.

    pynet.set_device("cuda")              # networks that are made from now on live there
    network = pynet.networks.SimpleConvNet()
    x = pynet.to_device(x_batch)          # to_numpy(x) brings an array back

An array there (`DeviceArray`) has a shape, a dtype, `reshape` and parts along its first axis; what
computes with it are pynet's layers and `pynet.ops`. NumPy's functions and operators refuse it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet import backend
from pynet._types import Array, DTypeLike, Shape

DEVICES = ("cpu", "cuda")
_current = "cpu"


class CudaError(RuntimeError):
    """A call of the CUDA runtime failed, or there is no GPU to use.

    `op` names what was asked for, `code` is the number of the error in CUDA.
    """

    def __init__(self, message: str = "", op: str = "", code: int = 0) -> None:
        super().__init__(message)
        self.op, self.code = op, code


def device() -> str:
    """Return where networks are made: "cpu" or "cuda"."""
    return _current


def set_device(name: str) -> None:
    """Let networks be made on the processor ("cpu") or on the GPU ("cuda") from now on.

    Raises ValueError for another name, ImportError where pynet was built without CUDA, CudaError
    where there is no GPU; then nothing changes.
    """
    global _current
    _current = checked(name)


def checked(name: str) -> str:
    """Return the name of a device that can be used; raises as `set_device` does."""
    if name not in DEVICES:
        raise ValueError(f"[set_device] name: expected one of {', '.join(DEVICES)}, got {name!r}")
    if name == "cuda":
        info = backend.device().device_info()
        if not info["present"]:
            message = f"[set_device] name: expected a GPU, got none: {info['reason']}"
            raise CudaError(message, "set_device", info["code"])
    return name


def set_precision(name: str) -> None:
    """Choose how many digits of float32 numbers products and convolutions read on the GPU.

    "float32": all 24 bits, and no tensor cores (the default). On tensor cores, with sums in
    float32: "tf32" 11 bits, "bfloat16" 8 bits, "tf32x3" both halves of each number in three
    products, nearly as exact as float32 (Ootomo and Yokota, 2022). float64 is never rounded. Steps
    that are recorded keep the precision that they were recorded with.

    Raises ValueError for another name, or on a GPU without such tensor cores (compute capability
    below 8.0); ImportError where pynet was built without CUDA.
    """
    backend.device().set_precision(name)


def precision() -> str:
    """Return what `set_precision` chose."""
    name: str = backend.device().precision()
    return name


def to_device(x: Any) -> Any:
    """Return x as a `DeviceArray`: a copy, or x itself where it is one."""
    return backend.device().to_device(x)


def array(x: Any) -> Any:
    """Return x as an array: itself where it is one on the GPU, else as `np.asarray` does."""
    return x if backend.on_device(x) else np.asarray(x)


def is_array(x: Any) -> bool:
    """Whether x is an array, on the GPU or not."""
    return isinstance(x, np.ndarray) or backend.on_device(x)


def to_numpy(x: Any) -> Array:
    """Return x as a NumPy array: a copy from the GPU, or x itself."""
    return np.asarray(on_cpu(x))


def together(arrays: list[Any]) -> list[Array]:
    """Return arrays that differ in their rows as NumPy's; of those on the GPU by one copy."""
    if not arrays or not backend.on_device(arrays[0]):
        return arrays
    rows = [len(each) for each in arrays]
    made: Any = backend.empty((sum(rows), *arrays[0].shape[1:]), arrays[0].dtype, arrays[0])
    ends = np.cumsum(rows)
    for each, end in zip(arrays, ends):
        made[int(end) - len(each) : int(end)] = each
    return np.split(to_numpy(made), ends[:-1])


def synchronize() -> None:
    """Wait for the GPU. IndexError where a label was out of range in a call since the last wait."""
    backend.device().synchronize()


def on_cpu(x: Any) -> Any:
    """Return x itself, of an array on the GPU a copy in NumPy."""
    return x.to_numpy() if backend.on_device(x) else x


def beside(x: Any, like: Any) -> Any:
    """Return the array x where `like` is: on the GPU or not."""
    if backend.on_device(x) == backend.on_device(like):
        return x
    return to_device(x) if backend.on_device(like) else to_numpy(x)


def zeros(shape: int | Shape, dtype: DTypeLike, like: Any) -> Any:
    """Return zeros where `like` is."""
    if not backend.on_device(like):
        return np.zeros(shape, dtype)
    made = backend.empty(shape, dtype, like)
    made[...] = 0
    return made


def moved(x: Any, to: str) -> Any:
    """Return the array x on the device of this name."""
    return to_device(x) if to == "cuda" else to_numpy(x)
