"""The steps of pynet.gpucheck, with stand-ins for what needs a GPU: what they count, and stop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from gpucheck import build, device_tests, parse, report, run, steps
from gpucheck.job import Failed, Job
from gpucheck.process import OverBudget, Running
from gpucheck.steps import STEPS

BENCH = Path(__file__).resolve().parent.parent / "bench"
GPU = {"name": "stand-in", "compute_capability": [9, 0], "driver": None}
PASSES = "\nfrom device_ops import kind\ndef test_one_kernel_makes(): assert kind == {kind!r}\n"
# A test file for the check to run, not a skip of this project: it has to call that a failure.
SKIPS = "import pytest\n@pytest.mark.skip\ndef test_two(): pass\n"
FAILS = "def test_three(): assert False\n"


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A checkout with nothing in it, where the module counts as built."""
    monkeypatch.setattr(Job, "module", lambda self: self.root)
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return Job(tmp_path, GPU, installed=True, until=time.monotonic() + 60)


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def put_tests(job: Job, name: str, text: str) -> None:
    """A module of tests, and what tells them where they run."""
    said = "import os\nkind = os.environ['PYNET_CUDA_TESTS']\n"
    (job.root / "tests" / "device_ops.py").write_text(said)
    (job.root / "tests" / name).write_text(text)


# ---- time ---------------------------------------------------------------------------------------


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()


@pytest.mark.parametrize("ignore", ["", "trap '' TERM; "], ids=["ends", "refuses to end"])
def test_a_step_over_its_budget_is_stopped(job: Job, monkeypatch: Any, ignore: str) -> None:
    """With what it started."""
    monkeypatch.setattr("gpucheck.process.GRACE", 0.3)

    def endless(job: Job) -> dict[str, Any]:
        job.run("endless", ["sh", "-c", f"{ignore}sleep 100 & echo $! $$; wait; wait"])
        return {"passed": True}

    monkeypatch.setitem(STEPS, "test", (endless, 1))
    job.until = time.monotonic() + 0.5
    found = run.step("test", job)
    assert not found["passed"] and "stopped" in found["why"]
    assert found["seconds"] < 10
    processes = [*map(int, (job.folder / "endless.log").read_text().split())]
    assert len(processes) == 2
    for _ in range(100):
        if not any(map(is_there, processes)):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


ENDED = """
from pathlib import Path
from gpucheck import driver, job, run, steps
driver.find = lambda: {{"name": "stand-in", "driver": None}}
job.Job.folder = Path({folder!r})
def endless(job): job.run("endless", ["sh", "-c", "echo $$; sleep 100; true"])
steps.STEPS["test"] = (endless, 1)
run.main(["--only", "test", "--evidence", {folder!r} + "/e.json"])
"""


def test_a_check_that_is_ended_ends_its_step(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(BENCH)}
    code = ENDED.format(folder=str(tmp_path))
    check = subprocess.Popen([sys.executable, "-c", code], env=env)
    log = tmp_path / "endless.log"
    while not log.exists() or not log.read_text():
        assert check.poll() is None
        time.sleep(0.05)
    check.terminate()
    assert check.wait() == 128 + 15
    assert not is_there(int(log.read_text()))
    assert not (tmp_path / "e.json").exists()


def test_what_was_said_before_is_kept(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo begun; sleep 100"]
    with pytest.raises(OverBudget) as error:
        Running(command, tmp_path / "log", os.environ, tmp_path).wait(time.monotonic() + 0.5)
    assert error.value.text == "begun\n"


# ---- tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "passed", "counts"),
    [
        ("", True, (1, 0, 0)),
        (SKIPS, False, (2, 0, 1)),
        (FAILS, False, (2, 1, 0)),
        ("def broken(\n", False, (1, 1, 0)),
    ],
    ids=["passes", "skips", "fails", "is broken"],
)
def test_a_skip_is_a_failure(job: Job, more: str, passed: bool, counts: tuple[int, ...]) -> None:
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + more)
    put_tests(job, "test_other.py", FAILS)  # says nothing of a device
    found = steps.test(job)
    assert found["passed"] == passed
    assert (found["tests"], found["failures"], found["skipped"]) == counts
    assert len(found["names"]) == sum(counts[1:])
    text = "\n".join(report.step("test", {**found, "seconds": 1}))
    assert f"{counts[0]} tests, {counts[1]} failures" in text


def test_why_a_test_failed_is_recorded(job: Job) -> None:
    text = "def test_wrong(): assert 1 == 2, 'the sum is wrong'\n"
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + text)
    (name,) = steps.test(job)["names"]
    assert "test_device.py::test_wrong: AssertionError: the sum is wrong" in name


def test_no_tests_at_all_is_a_failure(job: Job) -> None:
    put_tests(job, "test_device.py", "\nfrom device_ops import kind\n")
    with pytest.raises(Failed, match="^pytest: no tests ran"):
        steps.test(job)
    assert not parse.all_passed(parse.outcomes(""))


HANGS = """
import time
def test_two(): time.sleep(100)
def test_four(): pass
"""


def test_a_test_that_hangs_takes_no_other_with_it(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(device_tests, "TEST_SECONDS", 2.0)
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + HANGS)
    found = steps.test(job)
    assert (found["tests"], found["failures"], found["collected"]) == (3, 1, 3)
    assert not found["passed"] and "crashed while running" in found["names"][0]
    (places,) = job.folder.glob("test.jsonl.*")
    assert "test_two: no end after 2 s" in places.read_text()


def test_tests_over_the_budget_leave_what_they_found(job: Job) -> None:
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + FAILS + HANGS)
    job.until = time.monotonic() + 8
    found = steps.test(job)
    assert not found["passed"] and found["stopped"] == "over the budget"
    assert found["collected"] == 4 and 2 <= found["tests"] < 4
    assert "test_three: " in found["names"][0]


LOST = """
import sys, types
gpu = sys.modules["pynet._cuda"] = types.ModuleType("pynet._cuda")
lost = []
def synchronize():
    if lost: raise RuntimeError("[synchronize] ...: this process cannot use the GPU any more")
gpu.synchronize = synchronize
def test_two():
    lost.append(1)
    assert False, "an illegal address"
def test_three(): synchronize()
def test_four(): synchronize()
"""


def test_a_gpu_that_is_lost_fails_one_test(job: Job, monkeypatch: Any) -> None:
    """The others run in a process of their own: there nothing is lost."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + LOST)
    found = steps.test(job)
    assert (found["tests"], found["failures"]) == (4, 1), found
    assert not found["passed"] and "test_two" in found["names"][0]


# ---- compute-sanitizer --------------------------------------------------------------------------

CLEAN = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
RACES = """========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at gemm and Read access
========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)
"""
NO_RACES = "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n"


@pytest.mark.parametrize(
    ("text", "errors", "first"),
    [
        (CLEAN, 0, []),
        (NO_RACES, 0, []),
        (RACES, 2, ["Error: Race reported between Write access at gemm and Read access"]),
        ("========= ERROR SUMMARY: 1 error\n", 1, []),
        (
            "========= COMPUTE-SANITIZER\n========= Device not supported\n",
            None,
            ["Device not supported"],
        ),
        ("", None, []),
    ],
)
def test_what_compute_sanitizer_says(text: str, errors: int | None, first: list[str]) -> None:
    assert parse.sanitizer(text) == {"errors": errors, "first": first}


WITH_OPTIONS = """tool=$1
while [ "${{1#--}}" != "$1" ]; do shift; done
"$@"; code=$?
{say}; exit $code
"""


def sanitize(job: Job, monkeypatch: Any, tool: str, said: str) -> dict[str, Any]:
    """With a program that runs the tests, and then says this; of the other tools nothing bad."""
    bin_ = job.root / "bin"
    say = f"case $tool in *{tool}) cat {bin_}/said;; *) cat {bin_}/clean;; esac"
    script(bin_, "compute-sanitizer", WITH_OPTIONS.format(say=say))
    (bin_ / "said").write_text(said)
    (bin_ / "clean").write_text(CLEAN)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    for name in device_tests.SANITIZED_FILES:
        put_tests(job, f"test_cuda_{name}.py", PASSES.format(kind="gpu-small"))
    return steps.sanitizer(job)


def test_four_tools_find_nothing(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)  # two halves of the tests
    found = sanitize(job, monkeypatch, "none", "")
    assert found["passed"] and list(found["tools"]) == list(device_tests.TOOLS)
    for each in found["tools"].values():
        assert each["tests"]["tests"] == 3 and each["exits"] == [0, 0] and each["errors"] == 0


@pytest.mark.parametrize("said", [RACES, "nothing\n"], ids=["errors", "no summary"])
def test_what_one_tool_finds_fails_the_step(job: Job, monkeypatch: Any, said: str) -> None:
    found = sanitize(job, monkeypatch, "racecheck", said)
    assert not found["passed"]
    failed = [tool for tool, each in found["tools"].items() if not each["passed"]]
    assert failed == ["racecheck"]
    assert "racecheck" in "\n".join(report.step("sanitizer", {**found, "seconds": 1}))


def test_without_compute_sanitizer_the_step_fails(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", "")
    found = run.step("sanitizer", job)
    assert found["why"] == "not run: compute-sanitizer is not on PATH" and not found["passed"]


# ---- the benchmark ------------------------------------------------------------------------------

MEASURE = """
import json, os, sys, time
path, _, *names = sys.argv[1:]
with open(path, "w") as file:
    for name in names:
        if name == "b":
            file.write('{"row": "b", "sec')
            file.flush()
            sys.exit("an illegal address")
        if name[0] == "f":
            os.kill(os.getpid(), 9)
        if name == "d":
            time.sleep(100)
        file.write(json.dumps({"row": name, "seconds": 1e-6, "peer": "none"}) + "\\n")
        file.flush()
    file.write('{"copy": 3e12}\\n')
"""


@pytest.fixture
def measured(job: Job, monkeypatch: Any) -> Any:
    """measured(ROW...): the step with rows that end, break off (b), or never end (d)."""

    def start(*names: str) -> Any:
        monkeypatch.setattr(steps, "MEASURE", "stand_in_measure")
        monkeypatch.setattr(steps, "table", lambda job: list(names))
        monkeypatch.setenv("PYTHONPATH", str(job.root))
        (job.root / "stand_in_measure.py").write_text(MEASURE)
        return steps.bench(job)

    return start


def test_all_rows_are_measured(measured: Any) -> None:
    found = measured("a", "c")
    assert found["passed"] and found["copy"] == 3e12
    assert [row["row"] for row in found["rows"]] == ["a", "c"]
    assert [each["reached"] for each in found["targets"]] == ["not measured"] * 10
    text = "\n".join(report.step("bench", {**found, "seconds": 1, "no_peer": "no torch"}))
    assert "no peer: no torch" in text and "peer: none" in text and "reached: not measured" in text


def test_a_row_that_breaks_off_takes_no_other_with_it(measured: Any) -> None:
    found = measured("a", "b", "c")
    assert not found["passed"]
    assert {row["row"]: row.get("failed") for row in found["rows"]} == {
        "a": None,
        "b": "an illegal address",
        "c": None,
    }


def test_what_ends_every_process_ends_the_step(measured: Any, job: Job) -> None:
    found = measured("f", "f2", "b", "c")
    said = {row["row"]: row["failed"] for row in found["rows"]}
    killed, address = "ended by signal 9", "an illegal address"
    assert said == {"f": killed, "f2": killed, "b": address, "c": address}
    assert len(list(job.folder.glob("bench*.jsonl"))) == steps.IDLE


def test_rows_that_there_is_no_time_for(measured: Any, job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(steps, "LEAST_ROWS_SECONDS", 1.0)
    job.until = time.monotonic() + 4
    found = measured("a", "d", "e")
    assert not found["passed"]
    assert {row["row"]: row.get("failed") for row in found["rows"]} == {
        "a": None,
        "d": "over the budget",
        "e": "over the budget",
    }


def test_a_row_that_hangs_takes_no_other_with_it(measured: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(steps, "ROW_SECONDS", 2.0)
    found = measured("a", "d", "e")
    assert {row["row"]: row.get("failed") for row in found["rows"]} == {
        "a": None,
        "d": "no end in sight: stopped",
        "e": None,
    }


def test_rows_of_an_earlier_run_stand(job: Job, measured: Any) -> None:
    job.rows = ("a",)
    job.before = [{"row": name, "seconds": 2.0, "peer": "none"} for name in ("a", "c", "gone")]
    found = measured("a", "b", "c")
    assert {row["row"]: row["seconds"] for row in found["rows"]} == {"a": 1e-6, "c": 2.0}


def test_rows_are_chosen_by_name(job: Job, measured: Any) -> None:
    job.rows = ("a/",)
    assert [row["row"] for row in measured("a/1", "c", "a/2")["rows"]] == ["a/1", "a/2"]
    with pytest.raises(Failed, match="no row begins with a/"):
        measured("c")


# ---- instructions -------------------------------------------------------------------------------

SASS = """
Fatbin elf code:
================
arch = sm_90a
\t\tFunction : _Z7productPf
\t.headerflags\t@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;  /* 0x00000a00ff017b82 */
        /*0010*/                   FFMA R3, R2, R4, R3 ;   /* 0x0000000402037223 */
        /*0020*/              @!P0 FFMA.FTZ R3, R2, R4, R3 ;
        /*0030*/                   HGMMA.64x128x8.F32.TF32 R24, gdesc[UR4], R24, !UPT ;
        /*0040*/              @UP1 HMMA.16816.F32.BF16 R8, R4, R2, RZ ;
        /*0050*/                   LDL.64 R2, [R1] ;
        /*0060*/                   STL [R1+0x8], R2 ;
        /*0070*/                   LDG.E R2, [R4.64] ;
\t\tFunction : _Z4copyPf
        /*0000*/                   FFMA R3, R2, R4, R3 ;
"""


def test_instructions_are_counted() -> None:
    found = parse.sass(SASS)
    each = {"HGMMA": 1, "HMMA": 1, "FFMA": 2, "LDL": 1, "STL": 1}
    assert found["by_kernel"] == {"product": each}  # one FFMA is none of a product
    assert found["instructions"] == {**each, "FFMA": 3} and found["kernels"] == 2
    assert parse.sass("")["kernels"] == 0


def test_instructions_of_the_module(job: Job, monkeypatch: Any) -> None:
    bin_ = job.root / "bin"
    script(bin_, "cuobjdump", f"cat {bin_}/sass\n")
    (bin_ / "sass").write_text(SASS)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    found = steps.sass(job)
    assert found["passed"] and found["instructions"]["HGMMA"] == 1
    text = "\n".join(report.step("sass", {**found, "seconds": 1}))
    assert "2 kernels: 1 HGMMA" in text
    assert json.dumps(found)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Failed, match="not run: cuobjdump"):
        steps.sass(job)


# ---- the build ----------------------------------------------------------------------------------


@pytest.fixture
def tools(job: Job, monkeypatch: Any) -> Path:
    """Programs that compile nothing, in a checkout with sources of its own."""
    bin_ = job.root / "bin"
    for tool in ("ninja", "nvcc"):
        script(bin_, tool, "")
    made = "for m in $MODULES; do touch $2/$m; done\n"
    script(bin_, "cmake", f'echo "$@" >> $PYNET_SAID\n[ $1 != --build ] || {made}')
    monkeypatch.setenv("PYNET_SAID", str(job.root / "said"))
    monkeypatch.setenv("MODULES", "_core.so")
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    for name in ("hash_of", "hash_of_build"):
        monkeypatch.setattr(f"gpucheck.job.{name}", lambda root: (root / "hash").read_text())
    (job.root / "hash").write_text("1")
    (job.root / "pynet").mkdir()
    for name in ("__init__", "_cuda", "_core"):  # Python's, as the compiler makes none
        (job.root / "pynet" / f"{name}.py").write_text("")
    (job.folder / "build").mkdir(parents=True)
    monkeypatch.setattr(build, "imports", lambda job: None)
    job.installed = False
    return bin_


def test_what_is_built_is_for_this_gpu(job: Job, tools: Path) -> None:
    shutil.copy(job.root / "pynet" / "_cuda.py", job.root / "pynet" / "_cuda.so")  # left out
    assert steps.build(job) == {"passed": True, "target": "90a-real", "compiled": "now"}
    said = (job.root / "said").read_text()
    assert "-DPYNET_CUDA=ON -DPYNET_CUDA_ARCHITECTURES=90a-real" in said
    assert job.built() == job.wanted("90a-real") and job.built()["sources"] == "1"
    assert (job.package / "pynet" / "_core.so").exists()
    assert not (job.package / "pynet" / "_cuda.so").exists()


def test_what_was_built_before_is_taken(job: Job, tools: Path, monkeypatch: Any) -> None:
    """On another machine too, which needs neither compiler nor pybind11 then."""
    steps.build(job)
    shutil.rmtree(job.folder / "build")
    shutil.rmtree(job.package)
    monkeypatch.setattr(build, "TOOLS", ("no-such-tool",))
    (job.root / "pynet" / "__init__.py").write_text("new = True\n")
    assert steps.build(job) == {"passed": True, "target": "90a-real", "compiled": "before"}
    assert (job.package / "pynet" / "_core.so").exists()
    assert "new" in (job.package / "pynet" / "__init__.py").read_text()


@pytest.mark.parametrize("change", ["sources", "target", "import"])
def test_what_does_not_fit_is_built_anew(
    job: Job, tools: Path, monkeypatch: Any, change: str
) -> None:
    steps.build(job)
    if change == "sources":
        (job.root / "hash").write_text("2")
    if change == "target":
        job.gpu = {"compute_capability": [8, 0]}
    if change == "import":  # a library that this machine has not, the first time
        answers = iter(["GLIBC_2.99", None])
        monkeypatch.setattr(build, "imports", lambda job: next(answers))
    assert steps.build(job)["compiled"] == "now"


def test_a_module_that_cannot_be_imported_is_not_built(
    job: Job, tools: Path, monkeypatch: Any
) -> None:
    steps.build(job)
    (job.root / "hash").write_text("2")
    monkeypatch.setattr(build, "imports", lambda job: "ImportError: no")
    with pytest.raises(Failed, match="import: ImportError"):
        steps.build(job)
    assert job.built() == {}


def test_what_the_compiler_says_is_told(job: Job, tools: Path) -> None:
    said = "echo compiling; echo gemm.cu: error: no such thing; echo ninja: stopped"
    script(tools, "cmake", f"[ $1 != --build ] || {{ {said}; exit 1; }}\n")
    with pytest.raises(Failed, match="^compile: gemm.cu: error: no such thing$"):
        steps.build(job)


@pytest.mark.parametrize("tool", ["cmake", "ninja", "nvcc"])
def test_a_tool_that_is_missing(job: Job, monkeypatch: Any, tool: str) -> None:
    for name in {"cmake", "ninja", "nvcc"} - {tool}:
        script(job.root / "bin", name, "")
    monkeypatch.setattr(Job, "wanted", lambda self, target: {})
    monkeypatch.setattr(Job, "built", lambda self: {"none": "yet"})
    monkeypatch.setenv("PATH", str(job.root / "bin"))
    with pytest.raises(Failed, match=f"^{tool} is not on PATH"):
        steps.build(job)
