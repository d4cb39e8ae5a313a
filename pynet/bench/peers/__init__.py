"""Who is measured: each peer is a class in a file of its own, found by what can be imported."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

import pynet
from pynet.bench.peers.base import Peer, Unsupported

__all__ = ["PEERS", "Peer", "Unsupported", "available", "make", "versions"]


class Entry(NamedTuple):
    """Where a peer is, and what it needs."""

    module: str  # in this folder
    maker: str
    needs: tuple[str, ...]  # packages
    quick: bool = False  # its start is quick enough for --quick
    spins: bool = False  # OpenBLAS's threads, for 0.11 s after its last call


PEERS = {
    "pynet": Entry("own", "Core", ("pynet",), True),
    "pynet-eager": Entry("own", "Eager", ("pynet",), True),
    "reference": Entry("own", "Reference", ("pynet",), spins=True),
    "book": Entry("book_style", "Book", ("numpy",), spins=True),
    "numpy": Entry("plain", "NumPy", ("numpy",), True, spins=True),
    "torch": Entry("torch_eager", "Eager", ("torch",), True),
    "torch-tuned": Entry("torch_eager", "Tuned", ("torch",), True),
    "torch-compile": Entry("torch_eager", "Compiled", ("torch",)),
    "jax": Entry("jax_jit", "Jax", ("jax", "jaxlib")),
    "sklearn": Entry("sklearn_mlp", "Sklearn", ("sklearn",), spins=True),
    "onnxruntime": Entry("onnx_session", "Onnx", ("onnx", "onnxruntime"), True),
    "dezero": Entry("dezero_net", "DeZero", ("dezero",), spins=True),
    "tinygrad": Entry("tinygrad_jit", "Tinygrad", ("tinygrad",)),
}

# The fastest of these is the best peer. Of matrix products NumPy's (OpenBLAS) is one too.
FAST = ("torch", "torch-tuned", "torch-compile", "jax", "sklearn", "onnxruntime")


def contenders(row: str) -> tuple[str, ...]:
    """Those whose fastest is a row's best peer."""
    return (*FAST, "numpy") if row.startswith("gemm/") else FAST


def available() -> list[str]:
    """The names of those whose packages are installed."""
    return [
        name
        for name, entry in PEERS.items()
        if all(importlib.util.find_spec(package) for package in entry.needs)
    ]


def versions() -> dict[str, str]:
    """Of pynet and of the packages of all that are installed."""
    packages = {package for name in available() for package in PEERS[name].needs} - {"pynet"}
    distribution = {"sklearn": "scikit-learn"}
    found = {name: version(distribution.get(name, name)) for name in sorted(packages)}
    return {"pynet": str(pynet.__version__), **found}


def make(name: str, threads: int) -> Any:
    """The peer of that name; its packages are imported now."""
    entry = PEERS[name]
    return getattr(import_module(f"pynet.bench.peers.{entry.module}"), entry.maker)(threads)
