"""A checkout with nothing in it, for the steps of pynet.gpucheck."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from gpucheck.job import Job

BENCH = str(Path(__file__).resolve().parent.parent / "bench")
GPU = {"name": "stand-in", "compute_capability": [9, 0], "driver": None}


@pytest.fixture(name="job")
def empty_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A checkout with nothing in it, where the module counts as built."""
    monkeypatch.setattr(Job, "module", lambda self: self.root)
    monkeypatch.setenv("PYTHONPATH", BENCH)  # for what an empty checkout does not have
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return Job(tmp_path, GPU, installed=True, until=time.monotonic() + 60)


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
