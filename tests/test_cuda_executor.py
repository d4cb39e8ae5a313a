"""The executor that runs CUDA kernels on the processor finds what is wrong with them.

tests/cuda_host/planted.cu has a mistake for each of compute-sanitizer's four tools: memory out of
bounds, races, a barrier that not all reach, memory that nobody wrote. tests/cuda_host/indices.cu
goes through the arithmetic of indices, products.cu through that of tiles, winograd.cu and direct.cu
through those of Winograd's and of direct convolution and their kernels; bench/cuda/ladder.cu checks
its own kernels.
"""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOST = ROOT / "tests" / "cuda_host"
CXX = os.environ.get("CXX", "g++")
LADDER = "../../bench/cuda/ladder.cu"  # from HOST; it takes memory as on a GPU
SANITIZERS = ("", "address,undefined", "thread")
WRONG, STUCK, REPORTED = 3, 4, 66  # exit codes: another result, waiting in vain, a sanitizer's


def build(folder: Path, sanitizer: str, source: str) -> Path:
    include = [f"-I{path}" for path in (HOST, ROOT / "csrc", ROOT / "csrc" / "include")]
    flags = ["-std=c++17", "-O1", "-g", "-DPYNET_CUDA_MODULE", "-DPYNET_ISA=cuda", *include]
    of_kernels = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"] if sanitizer else []
    # ThreadSanitizer would take the scheduler's own work for races.
    of_executor = ["-DEXECUTOR_TSAN"] if sanitizer == "thread" else of_kernels
    objects = []
    runtime = [("cuda_runtime.cpp", of_kernels)] if source == LADDER else []
    for name, extra in (("executor.cpp", of_executor), (source, of_kernels), *runtime):
        objects.append(folder / f"{Path(name).name}.o")
        command = [CXX, *flags, *extra, "-x", "c++", "-c", HOST / name, "-o", objects[-1]]
        subprocess.run(command, check=True)
    program = folder / "program"
    subprocess.run([CXX, *objects, *of_kernels, "-o", program], check=True)
    return program


Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(sanitizer, source, *arguments): the exit code, what was said."""

    @functools.cache
    def program(sanitizer: str, source: str) -> Path:
        """Compiled once, by whichever of the test processes comes first."""
        name = f"{Path(source).stem}-{sanitizer.partition(',')[0] or 'plain'}"
        folder = everybodys / "executor" / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                build(folder, sanitizer, source)
                (folder / "done").touch()
        return folder / "program"

    everybodys = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        everybodys = everybodys.parent

    def run_one(sanitizer: str, source: str, *arguments: str) -> tuple[int, str]:
        options = f"exitcode={REPORTED}"
        result = subprocess.run(
            [program(sanitizer, source), *arguments],
            capture_output=True,
            text=True,
            env={"ASAN_OPTIONS": options, "TSAN_OPTIONS": options},
        )
        return result.returncode, result.stderr

    return run_one


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_what_is_right_runs(run: Run, sanitizer: str) -> None:
    code, said = run(sanitizer, "planted.cu", "nothing")
    assert code == 0, said


# Of a build without the sanitizer that sees it, nothing is asked.
MISTAKES = [
    *(
        (sanitizer, name, WRONG, "")
        for sanitizer in ("", "address,undefined")
        for name in ("no-barrier", "early")
    ),
    *(("thread", name, REPORTED, "data race") for name in ("no-barrier", "overlapping", "early")),
    ("address,undefined", "out-of-bounds", REPORTED, "heap-buffer-overflow"),
    *(
        (sanitizer, name, STUCK, name)
        for sanitizer in SANITIZERS
        for name in ("divergent", "lonely")
    ),
    *((sanitizer, "unwritten", WRONG, "") for sanitizer in SANITIZERS),
]


@pytest.mark.parametrize(("sanitizer", "name", "code", "text"), MISTAKES)
def test_a_mistake_is_found(run: Run, sanitizer: str, name: str, code: int, text: str) -> None:
    found, said = run(sanitizer, "planted.cu", name)
    assert found == code, said
    assert text in said
    if code == REPORTED:
        assert "planted.cu" in said


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("source", ["indices.cu", "products.cu", "winograd.cu", "direct.cu"])
def test_indices_and_tiles(run: Run, source: str, sanitizer: str) -> None:
    code, said = run(sanitizer, source)
    assert code == 0, said


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_packed_tiles_and_warpgroups(run: Run, sanitizer: str) -> None:
    code, said = run(sanitizer, "warpgroups.cu")
    assert code == 0, said


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_the_ladder_of_products(run: Run, sanitizer: str) -> None:
    code, said = run(sanitizer, LADDER, "check")
    assert code == 0, said
