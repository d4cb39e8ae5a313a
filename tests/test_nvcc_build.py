"""How CMake takes a CUDA compiler, or its absence (cmake/cuda.cmake)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = "pynet: no CUDA compiler works, so the module for GPUs is left out"
# On PATH, or among the build tools that `dev.py` put beside this Python.
TOOLS = os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)])
CMAKE = shutil.which("cmake", path=TOOLS) or "cmake"


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def path_without_nvcc(folder: Path) -> str:
    """A folder of links to what CMake needs."""
    for name in ("c++", "g++", "cc", "as", "ld", "ar", "ranlib", "ninja", "make", "sh", "uname"):
        if found := shutil.which(name):
            (folder / name).symlink_to(os.path.realpath(found))
    return str(folder)


@pytest.fixture(params=["none", "false", "missing", "fails"])
def no_nvcc(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment in which no CUDA compiler works."""
    tools = tmp_path / "tools"
    tools.mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ("CUDACXX", "CUDA_PATH", "CMAKE_ARGS")}
    if request.param == "none":
        env["PATH"] = path_without_nvcc(tools)
    elif request.param == "false":
        env["CUDACXX"] = "/bin/false"
    elif request.param == "missing":
        env["CUDACXX"] = str(tools / "nvcc")
    else:  # knows its version, and compiles nothing
        text = 'case "$*" in *-V*|*--version*) echo "nvcc: NVIDIA (R) Cuda compiler driver";; esac'
        env["CUDACXX"] = str(script(tools, "nvcc", f"{text}\nexit 1"))
    return env


def configure(folder: Path, env: dict[str, str], cuda: str) -> subprocess.CompletedProcess[str]:
    """Only what decides about CUDA: the project itself would look for Python and pybind11 too."""
    source = folder / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.24)\n"
        "project(part LANGUAGES CXX)\n"
        "include(CheckLanguage)\n"
        "set(PYNET_BUILD_PYTHON ON)\n"
        f"include({ROOT}/cmake/cuda.cmake)\n"
        'message(STATUS "have CUDA: ${PYNET_HAVE_CUDA}")\n'
    )
    command = [CMAKE, "-S", source, "-B", folder / "build", f"-DPYNET_CUDA={cuda}"]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def test_auto_leaves_it_out_and_says_so_in_one_line(
    no_nvcc: dict[str, str], tmp_path: Path
) -> None:
    done = configure(tmp_path, no_nvcc, "AUTO")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "pynet" in line] == [f"-- {LEFT_OUT}"]
    assert "have CUDA: OFF" in done.stdout
    assert done.stderr == ""


def test_on_stops(no_nvcc: dict[str, str], tmp_path: Path) -> None:
    done = configure(tmp_path, no_nvcc, "ON")
    assert done.returncode != 0
    assert "PYNET_CUDA is ON, but no CUDA compiler works" in done.stderr
    assert "CUDACXX" in done.stderr


def test_off_does_not_look(no_nvcc: dict[str, str], tmp_path: Path) -> None:
    done = configure(tmp_path, no_nvcc, "OFF")
    assert done.returncode == 0
    assert "CUDA compiler" not in done.stdout


def test_what_failed_before_may_work_by_now(tmp_path: Path) -> None:
    """A build folder is used again after nvcc was installed."""
    cache = tmp_path / "build" / "CMakeCache.txt"
    env = {**os.environ, "CUDACXX": "/bin/false"}
    configure(tmp_path, env, "AUTO")
    assert "CMAKE_CUDA_COMPILER:FILEPATH=NOTFOUND" in cache.read_text()
    command = [CMAKE, "-S", tmp_path / "source", "-B", tmp_path / "build"]
    again = subprocess.run(command, env=env, capture_output=True, text=True)
    assert "Looking for a CUDA compiler" in again.stdout
