"""Running the command line in tests: data, processes, packages that are not there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

# Read by Python at its start: the packages named in BLOCKED cannot be imported.
HOOK = """
import os, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in os.environ["BLOCKED"].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
if os.environ.get("BLOCKED"):
    sys.meta_path.insert(0, Blocked())
"""


def write_npz(path: Path, N: int = 90, shape: tuple[int, ...] = (8, 8), seed: int = 0) -> Path:
    """Bars in three directions, with noise: uint8 images of three classes, soon learnt."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, N)
    x = rng.integers(0, 60, (N, *shape)).astype(np.uint8)
    for image, label in zip(x, t):
        i = rng.integers(2, 6)
        if label == 0:
            image[i] = 255
        elif label == 1:
            image[:, i] = 255
        else:
            np.fill_diagonal(image, 255)
    np.savez(path, x=x, t=t)
    return path


def environment(folder: Path, blocked: str = "", **changes: str) -> dict[str, str]:
    (folder / "hook").mkdir(exist_ok=True)
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYNET_")}
    return clean | {"PYTHONPATH": str(folder / "hook"), "BLOCKED": blocked} | changes


def start(folder: Path, *arguments: object, blocked: str = "", **kwargs) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "pynet", *map(str, arguments)],
        cwd=folder,
        env=environment(folder, blocked),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def run(folder: Path, *arguments: object, **kwargs) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    process = start(folder, *arguments, **kwargs)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
