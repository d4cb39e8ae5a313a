"""What this machine can do at best: bench/cpp/limits.cpp, compiled for it and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent


def commit() -> str:
    if not shutil.which("git"):
        return "unknown"
    done = subprocess.run(
        ["git", "-C", str(BENCH), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"


def limits(threads: list[int]) -> dict[str, Any]:
    """FMA peaks and triad by the number of threads; empty where there is no C++ compiler."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if not compiler:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/limits"
        options = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-pthread"]
        source = str(BENCH / "cpp" / "limits.cpp")
        subprocess.run([compiler, *options, source, "-o", program], check=True)
        command = [program, *map(str, threads)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(found))
