"""`python -m pynet.gpucheck` without a GPU: what it says, records, stops and reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from gpucheck import build, driver, evidence, run
from gpucheck.job import Failed, Job
from gpucheck.steps import STEPS

ROOT = Path(__file__).resolve().parent.parent
GPU = {"name": "stand-in", "compute_capability": [9, 0], "driver": None}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver that shows a GPU."""
    made = tmp_path_factory.mktemp("driver") / "libcuda.so.1"
    source = ROOT / "tests" / "cuda_host" / "driver.cpp"
    compiler = os.environ.get("CXX", "g++")
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", made], check=True)
    return made


# ---- no GPU, no checkout ------------------------------------------------------------------------


def test_no_driver_is_said_in_a_line(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(driver, "LIBRARY", "libno_such_driver.so")
    assert run.main(["--evidence", str(tmp_path / "e.json")]) == run.NO_GPU == 3
    out, err = capsys.readouterr()
    words = "no driver: NVIDIA's is not installed, or is not loaded"
    assert (out, err) == ("", f"pynet.gpucheck: {words}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("0", "no device: the driver shows no GPU to this process"),
        ("60", "device too old: the stand-in has compute capability 6.0, pynet needs 7.5"),
        ("-1", "cuInit: CUDA_ERROR_INVALID_VALUE"),
    ],
)
def test_why_there_is_no_gpu(library: Path, monkeypatch: Any, kind: str, reason: str) -> None:
    monkeypatch.setattr(driver, "LIBRARY", str(library))
    monkeypatch.setenv("PYNET_FAKE_GPU", kind)
    with pytest.raises(driver.NoGpu) as error:
        driver.find()
    assert str(error.value) == reason


def test_what_a_gpu_is_and_its_clock(library: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(driver, "LIBRARY", str(library))
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    assert driver.find() == {
        "name": "stand-in",
        "compute_capability": [9, 0],
        "processors": 132,
        "memory": 80 << 30,
        "driver_cuda": "13.2",
        "driver": None,
    }
    calls: list[int] = []

    def call() -> None:
        calls.append(0)
        time.sleep(0.01)

    assert 0.03 <= driver.Events(1).seconds(call, 3) < 3
    assert len(calls) == 3
    with pytest.raises(driver.NoGpu, match="cuEventRecord"):
        driver.Events(0).seconds(call, 1)
    graph = driver.Graph(1, call, 2)
    assert len(calls) == 5
    graph()
    assert len(calls) == 5
    with pytest.raises(driver.NoGpu, match="cuStreamBeginCapture"):
        driver.Graph(0, call, 1)


def test_without_a_checkout_it_says_so(tmp_path: Path) -> None:
    copy = tmp_path / "pynet" / "gpucheck.py"
    copy.parent.mkdir()
    shutil.copy(ROOT / "pynet" / "gpucheck.py", copy)
    command = [sys.executable, copy]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr == (
        "pynet.gpucheck: needs a checkout of pynet, with its tests and benchmarks: start it there\n"
    )


@pytest.mark.parametrize("command", [["-m", "pynet.gpucheck"], [str(ROOT / "bench" / "gpucheck")]])
def test_both_ways_to_start_it(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command, "--status"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == evidence.status(ROOT / evidence.NAME, ROOT) + "\n"


def test_an_uncompiled_checkout_can_start_it() -> None:
    """Nothing of pynet is imported before it is built."""
    code = "import sys; sys.modules['pynet'] = None; import gpucheck.run as r; print(r.NO_GPU)"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "bench")}
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, env=env).stdout == "3\n"


# ---- what is recorded ---------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("csrc", "cmake", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("CMakeLists.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("csrc/cuda/gemm.cu", True),
        ("csrc/cuda/runtime/stream.h", True),
        ("csrc/rules/vmath.h", True),
        ("csrc/include/pynet/gemm.h", True),
        ("csrc/python/bind_gemm.cpp", True),
        ("csrc/runtime/memory_pool.cpp", True),
        ("cmake/cuda.cmake", True),
        ("csrc/runtime/cpu_features.h", False),
        ("csrc/cpu/softmax.cpp", False),
        ("csrc/cpu/simd.h", False),  # what rules/lanes.h takes on a processor
        ("docs/cuda.md", False),
    ],
)
def test_what_the_hash_is_of(checkout: Path, name: str, counts: bool) -> None:
    before = evidence.hash_of(checkout)
    with open(checkout / name, "a") as file:
        file.write("\n")
    assert (evidence.hash_of(checkout) != before) == counts


def test_how_lines_end_changes_no_hash(checkout: Path) -> None:
    before = evidence.hash_of(checkout), evidence.hash_of_build(checkout)
    for name in ("csrc/cuda/gemm.cu", "csrc/cpu/softmax.cpp"):
        path = checkout / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert (evidence.hash_of(checkout), evidence.hash_of_build(checkout)) == before


def test_a_module_is_built_anew_for_a_change_of_the_core_too(checkout: Path) -> None:
    before = evidence.hash_of_build(checkout)
    (checkout / "csrc" / "cpu" / "softmax.cpp").write_text("")
    assert evidence.hash_of_build(checkout) != before


def test_a_new_source_changes_the_hash(checkout: Path) -> None:
    before = evidence.hash_of(checkout)
    (checkout / "csrc" / "cuda" / "new.cu").write_text("")
    assert evidence.hash_of(checkout) != before
    assert before == evidence.hash_of(ROOT)  # wherever the checkout lies


def recorded(**steps: bool) -> dict[str, Any]:
    return {
        "sources": evidence.hash_of(ROOT),
        "device": {"name": "stand-in"},
        "date": "2026-01-02T03:04:05+00:00",
        "steps": {name: {"passed": passed} for name, passed in steps.items()},
    }


def test_the_status(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    assert evidence.status(path, ROOT) == "no run on a GPU is recorded"
    evidence.write(path, recorded(test=True, bench=True))
    same = "CUDA sources are those of the last run on a GPU (stand-in, 2026-01-02; "
    assert evidence.status(path, ROOT) == same + "passed: test, bench)"
    evidence.write(path, recorded(test=False, bench=True))
    assert evidence.status(path, ROOT) == same + "failed: test)"
    evidence.write(path, {**recorded(test=True), "sources": "0"})
    changed = "CUDA sources changed since the last run on a GPU (stand-in, 2026-01-02)"
    assert evidence.status(path, ROOT) == changed
    for broken in ("{", "[]", "{}"):
        path.write_text(broken)
        assert evidence.status(path, ROOT) == "no run on a GPU is recorded"


def test_all_is_written_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    evidence.write(path, recorded(test=True))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        evidence.write(path, {"steps": [1, 2, object()]})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_steps_of_the_same_sources_and_gpu_stand() -> None:
    before = recorded(build=True, test=False)
    assert evidence.standing(None, before) == {}
    assert evidence.standing(before, recorded(test=True)) == before["steps"]
    for other in ({"sources": "0"}, {"device": {"name": "another"}}):
        assert evidence.standing({**before, **other}, recorded(test=True)) == {}


# ---- time ---------------------------------------------------------------------------------------


def test_what_a_step_leaves_the_next_ones_get() -> None:
    assert list(STEPS) == ["build", "test", "sanitizer", "bench", "ladder", "sass"]
    behind = list(STEPS)[1:]
    assert 300 < run.limit("build", behind, 590) < 590  # without it there is nothing to check
    shares = [STEPS[name][1] for name in behind]
    assert run.limit("test", behind[1:], 200) == pytest.approx(200 * shares[0] / sum(shares))
    assert run.limit("sass", [], 33) == 33
    assert run.SECONDS < 600


# ---- the whole command --------------------------------------------------------------------------


@pytest.fixture
def whole(library: Path, monkeypatch: Any, tmp_path: Path) -> Callable[..., tuple[int, Any]]:
    """run(STEP=what it returns or raises): the exit status and what is recorded."""

    def start(*arguments: str, **results: Any) -> tuple[int, Any]:
        monkeypatch.setattr(driver, "LIBRARY", str(library))
        monkeypatch.setattr(run, "prepare", lambda: None)  # changes the process
        for name, result in results.items():

            def step(job: Job, result: Any = result) -> Any:
                if isinstance(result, BaseException):
                    raise result
                return result

            monkeypatch.setitem(STEPS, name, (step, 1))
        path = tmp_path / "e.json"
        code = run.main(["--evidence", str(path), "--only", *results, *arguments])
        return code, evidence.read(path)

    return start


def test_a_run_is_recorded(whole: Any, capsys: Any) -> None:
    code, found = whole(build={"passed": True}, ladder={"passed": True, "rows": []})
    assert code == 0 and found["sources"] == evidence.hash_of(ROOT)
    assert found["device"]["name"] == "stand-in" and found["versions"]["python"]
    assert list(found["steps"]) == ["build", "ladder"]
    out = capsys.readouterr().out
    assert "build: passed" in out and "ladder, at most" in out and "written: e.json" in out
    assert str(ROOT) not in json.dumps(found)
    code, found = whole(sass=KeyError("x"), ladder=Failed(f"no compiler in {ROOT}/x"))
    assert code == 1 and found["steps"]["build"]["passed"]  # of the first run
    assert found["steps"]["ladder"]["why"] == "no compiler in ./x"
    assert found["steps"]["sass"]["why"] == "KeyError: 'x'"  # and the step behind it has run


def test_versions_are_recorded(whole: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """Where the machine has neither nvcc nor git too."""
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    lines = "Cuda compilation tools, release 13.0, V13.0.88\\nBuild cuda_13.0.r13.0/compiler.1_0"
    nvcc.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{nvcc.parent}:/bin")
    assert whole(ladder={"passed": True})[1]["versions"]["nvcc"] == "13.0.88"
    monkeypatch.setenv("PATH", "")
    _, found = whole(ladder={"passed": True})
    assert found["versions"]["nvcc"] is None and found["commit"] is None


def test_nothing_runs_after_a_build_that_failed(whole: Any) -> None:
    code, found = whole(build=Failed("nvcc is not on PATH"), test={"passed": True})
    assert code == 1 and list(found["steps"]) == ["build"]


def test_a_check_that_is_ended_keeps_the_steps_before(whole: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        whole(build={"passed": True}, test=KeyboardInterrupt())
    assert evidence.read(tmp_path / "e.json")["steps"].keys() == {"build"}


def test_an_installed_pynet_is_not_built(whole: Any) -> None:
    _, found = whole("--installed", build={"passed": True}, test={"passed": True})
    assert list(found["steps"]) == ["test"]


def test_what_was_built_of_other_sources_is_refused(tmp_path: Path) -> None:
    job = Job(ROOT, GPU)
    job.__class__ = type("Here", (Job,), {"folder": tmp_path})
    with pytest.raises(Failed, match="not built: run the step build first"):
        job.module()
    (tmp_path / "package" / "pynet").mkdir(parents=True)
    module = tmp_path / "package" / "pynet" / "_cuda.so"
    module.write_text("")
    job.modules.mkdir()
    (job.modules / "built.json").write_text('{"sources": "0"}')
    with pytest.raises(Failed, match="the sources changed"):
        job.module()
    (job.modules / "built.json").write_text(json.dumps(job.wanted("90a-real")))
    assert job.module() == module


def test_programs_are_found_in_their_usual_folders(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)  # of the process that runs tests
    for name in ("bin/nvcc", "compute-sanitizer/compute-sanitizer", "bin/cuobjdump"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / "nvcc").symlink_to(tmp_path / "bin" / "nvcc")
    monkeypatch.setenv("PATH", str(there))
    run.prepare()
    assert shutil.which("nvcc") == str(there / "nvcc")
    for name in ("compute-sanitizer", "cuobjdump"):
        assert str(tmp_path) in (shutil.which(name) or "")


def test_a_build_for_another_machine_needs_no_gpu(monkeypatch: Any, capsys: Any) -> None:
    asked: list[Any] = []

    def compile_it(job: Job) -> Any:
        asked.append(job.gpu)
        return {"passed": not asked[1:], "target": "90a-real"}

    monkeypatch.setattr(driver, "LIBRARY", "libno_such_driver.so")
    monkeypatch.setattr(run, "prepare", lambda: None)
    monkeypatch.setitem(STEPS, "build", (compile_it, 1))
    assert run.main(["--prebuild", "9.0"]) == 0
    assert asked == [{"compute_capability": [9, 0]}]
    assert "in build/gpucheck/modules" in capsys.readouterr().out
    assert run.main(["--prebuild", "9.0"]) == 1
    with pytest.raises(SystemExit):
        run.main(["--prebuild", "90"])
    assert "expected a compute capability like 9.0, got '90'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("capability", "target"),
    [([7, 5], "75-real"), ([8, 9], "89-real"), ([9, 0], "90a-real"), ([12, 0], "120a-real")],
)
def test_the_build_is_for_one_gpu(capability: list[int], target: str) -> None:
    assert build.architecture(capability) == target
