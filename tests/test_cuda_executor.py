"""The executor that runs CUDA kernels on the processor finds what is wrong with them.

tests/cuda_host/planted.cu has a mistake for each of compute-sanitizer's four tools: memory out of
bounds, a race, a barrier that not all reach, memory that nobody wrote.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOST = ROOT / "tests" / "cuda_host"
CXX = shutil.which("g++")
WRONG, STUCK = 3, 4  # exit codes: another result, threads that wait in vain
pytestmark = pytest.mark.skipif(CXX is None, reason="no g++ to compile the executor with")


def build(folder: Path, sanitizer: str) -> Path:
    include = [f"-I{path}" for path in (HOST, ROOT / "csrc", ROOT / "csrc" / "include")]
    flags = ["-std=c++17", "-O1", "-g", *include]
    of_kernels = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"] if sanitizer else []
    # ThreadSanitizer would take the scheduler's own work for races.
    of_executor = ["-DEXECUTOR_TSAN"] if sanitizer == "thread" else of_kernels
    objects = []
    for source, extra in (("executor.cpp", of_executor), ("planted.cu", of_kernels)):
        objects.append(folder / f"{source}.o")
        command = [CXX, *flags, *extra, "-x", "c++", "-c", HOST / source, "-o", objects[-1]]
        subprocess.run(command, check=True)
    program = folder / "planted"
    subprocess.run([CXX, *objects, *of_kernels, "-o", program], check=True)
    return program


@pytest.fixture(scope="module", params=["", "address,undefined", "thread"])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    return request.param, build(tmp_path_factory.mktemp("executor"), request.param)


def run(program: Path, name: str) -> tuple[int, str]:
    result = subprocess.run([program, name], capture_output=True, text=True)
    return result.returncode, result.stderr


def test_what_is_right_runs(planted: tuple[str, Path]) -> None:
    assert run(planted[1], "nothing")[0] == 0


def test_a_missing_barrier(planted: tuple[str, Path]) -> None:
    sanitizer, program = planted
    code, text = run(program, "no-barrier")
    assert code != 0
    if sanitizer == "thread":
        assert "data race" in text
        assert "planted.cu" in text


def test_memory_out_of_bounds(planted: tuple[str, Path]) -> None:
    sanitizer, program = planted
    if sanitizer != "address,undefined":
        pytest.skip("AddressSanitizer's work")
    code, text = run(program, "out-of-bounds")
    assert code != 0
    assert "heap-buffer-overflow" in text
    assert "planted.cu" in text


@pytest.mark.parametrize("name", ["divergent", "lonely"])
def test_threads_that_wait_in_vain(planted: tuple[str, Path], name: str) -> None:
    code, text = run(planted[1], name)
    assert code == STUCK
    assert name in text


def test_shared_memory_that_nobody_wrote(planted: tuple[str, Path]) -> None:
    assert run(planted[1], "unwritten")[0] == WRONG
