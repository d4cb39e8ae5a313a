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
from gpucheck_job import empty_checkout, script

from gpucheck import build, parse, report, run, steps
from gpucheck.job import Failed, Job
from gpucheck.process import OverBudget, Running
from gpucheck.steps import STEPS

BENCH = Path(__file__).resolve().parent.parent / "bench"
job = empty_checkout


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


def test_what_ended_in_time_is_not_over_it(tmp_path: Path) -> None:
    """Whoever looked at another command until then."""
    running = Running(["sh", "-c", "echo done"], tmp_path / "log", os.environ, tmp_path)
    while not running.text():
        time.sleep(0.05)
    time.sleep(0.5)
    assert running.wait(time.monotonic() - 1) == (0, "done\n")


def test_what_was_said_before_is_kept(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo begun; sleep 100"]
    with pytest.raises(OverBudget) as error:
        Running(command, tmp_path / "log", os.environ, tmp_path).wait(time.monotonic() + 0.5)
    assert error.value.text == "begun\n"


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
