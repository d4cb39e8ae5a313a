"""`pynet info`: what this installation is and uses."""

from __future__ import annotations

import argparse
import platform
import sys

import numpy as np

import pynet
from pynet import backend


def cuda() -> str:
    """Say which GPU there is, or why none."""
    try:
        found = backend.device().device_info()
    except ModuleNotFoundError:
        return "not built"
    except ImportError as error:
        return f"cannot be loaded: {error}"
    if not found["present"]:
        return str(found["reason"])
    major, minor = found["compute_capability"]
    driver, runtime = (f"{n // 1000}.{n % 1000 // 10}" for n in (found["driver"], found["runtime"]))
    return (
        f"{found['name']}, compute capability {major}.{minor}, {found['processors']} processors, "
        f"{found['memory'] / 2**30:.1f} GiB; driver for CUDA {driver}, built with {runtime}"
    )


def info(arguments: argparse.Namespace) -> int:
    """Print version, instruction set, threads and why, memory, CUDA."""
    core = backend.core()
    threads = core.thread_info()
    memory = {name: f"{size / 2**20:.1f} MiB" for name, size in core.memory().items()}
    rows = {
        "pynet": pynet.__version__,
        "Python": f"{platform.python_version()}, NumPy {np.__version__}, "
        f"{sys.platform} {platform.machine()}",
        "computes with": backend.name(),
        "instruction set": f"{core.isa()} (here: {', '.join(core.isas())}; PYNET_ISA chooses)",
        "threads": f"{threads['threads']} ({threads['reason']}; PYNET_NUM_THREADS chooses)",
        "memory": f"{memory['in_use']} in arrays, {memory['cached']} kept for reuse",
        "CUDA": cuda(),
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")
    return 0
