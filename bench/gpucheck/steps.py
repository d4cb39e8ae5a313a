"""The steps of a check: each returns what goes into the evidence, with "passed" in it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpucheck import parse
from gpucheck.evidence import hash_of
from gpucheck.process import OverBudget, Running, last_line
from gpucheck.targets import TARGETS, judged

TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
MEASURE = "gpucheck.measure"
SANITIZED = "float32 and test_equals_reference or test_whole_numbers or one_kernel_makes"
SANITIZED_FILES = ("ops", "precision", "capture")
FOUND_ERRORS = 9  # the exit code that compute-sanitizer is asked for
IDLE = 3  # processes in succession without a row: the rest is given up
LEAST_ROWS_SECONDS = 5.0  # with less left, no further process begins

# An editable installation answers `import pynet` before any path is looked at; Python runs this
# file, which comes first on the path, as it starts.
WITHOUT_EDITABLE = """\
import sys

sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__]
"""

Result = dict[str, Any]


class Failed(Exception):
    """Why a step cannot go on."""


@dataclass
class Job:
    """What the steps work with. `until`: when the step's time is over, by time.monotonic."""

    root: Path
    gpu: Mapping[str, Any]
    installed: bool = False  # take the pynet that Python finds, not one built here
    rows: tuple[str, ...] = ()  # how the names of the rows begin that are measured
    before: Sequence[Result] = ()  # rows that an earlier run of the same sources measured
    until: float = 0.0

    @property
    def folder(self) -> Path:
        return self.root / "build" / "gpucheck"

    @property
    def package(self) -> Path:
        return self.folder / "package"

    def env(self, **more: str) -> dict[str, str]:
        """Python finds what was built here first, and the checkout's tests and bench."""
        places = [] if self.installed else [self.package]
        places += [self.root / "bench"]
        known = os.environ.get("PYTHONPATH")
        path = [*map(str, places), *([known] if known else []), str(self.root)]
        kept = {name: value for name, value in os.environ.items() if name != "PYNET_CUDA_HOST"}
        return {**kept, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", **more}

    def start(self, name: str, command: list[object], **more: str) -> Running:
        self.folder.mkdir(parents=True, exist_ok=True)
        return Running(command, self.folder / f"{name}.log", self.env(**more), self.folder)

    def run(self, name: str, command: list[object], **more: str) -> tuple[int, str]:
        return self.start(name, command, **more).wait(self.until)

    def module(self) -> Path:
        """The file of pynet._cuda; Failed where it is not there, or of other sources."""
        if self.installed:
            found = importlib.util.find_spec("pynet._cuda")
            if found is None or found.origin is None:
                raise Failed("the installed pynet was built without CUDA")
            return Path(found.origin)
        built = self.folder / "sources.txt"
        modules = list(self.package.glob("pynet/_cuda*"))
        if not modules or not built.exists():
            raise Failed("not built: run the step build first, or say --installed")
        if built.read_text() != hash_of(self.root):
            raise Failed("the sources changed since they were built: run the step build again")
        return modules[0]


# ---- build --------------------------------------------------------------------------------------


def architecture(capability: list[int]) -> str:
    """For this GPU alone; the instructions of Hopper and later are in targets of their own."""
    major, minor = capability
    return f"{major}{minor}{'a' if major >= 9 else ''}-real"


def build(job: Job) -> Result:
    """Compile the core and the CUDA module from the checkout, for this GPU, in a folder."""
    for tool in ("cmake", "ninja", "nvcc"):
        if shutil.which(tool) is None:
            raise Failed(f"{tool} is not on PATH")
    code, said = job.run("pybind11", [sys.executable, "-m", "pybind11", "--cmakedir"])
    if code != 0:
        raise Failed(f"pybind11: {last_line(said)}")
    target, folder = architecture(job.gpu["compute_capability"]), job.folder / "build"
    compiled = hash_of(job.root)
    (job.folder / "sources.txt").unlink(missing_ok=True)
    options = {
        "PYNET_CUDA": "ON",
        "PYNET_CUDA_ARCHITECTURES": target,
        "PYNET_ISAS": "baseline",  # the processor is only what is compared with
        "Python_EXECUTABLE": sys.executable,
        "pybind11_DIR": last_line(said),
    }
    configure = ["cmake", "-S", job.root, "-B", folder, "-G", "Ninja"]
    configure += [f"-D{name}={value}" for name, value in options.items()]
    for name, command in (
        ("configure", configure),
        ("compile", ["cmake", "--build", folder, "--parallel", str(os.cpu_count() or 1)]),
    ):
        code, said = job.run(name, command)
        if code != 0:
            raise Failed(f"{name}: {last_line(said)}")
    shutil.rmtree(job.package, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(job.root / "pynet", job.package / "pynet", ignore=ignored)
    for module in ("_core", "_cuda"):
        for path in folder.glob(f"{module}*.so"):
            shutil.copy2(path, job.package / "pynet")
    (job.package / "sitecustomize.py").write_text(WITHOUT_EDITABLE)
    code, said = job.run("import", [sys.executable, "-c", "import pynet._core, pynet._cuda"])
    if code != 0:
        raise Failed(f"import: {last_line(said)}")
    (job.folder / "sources.txt").write_text(compiled)
    return {"passed": True, "target": target}


# ---- tests --------------------------------------------------------------------------------------


def device_tests(root: Path) -> list[Path]:
    """Those that run on the device: they say so by what they import."""
    files = sorted((root / "tests").glob("test_*.py"))
    return [file for file in files if "from device_ops import" in file.read_text("utf-8")]


def pytest_command(job: Job, files: list[Path], report: Path) -> list[object]:
    """Whatever plugins Python has, and in the words of a NumPy that is newer than pynet."""
    command: list[object] = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--rootdir", job.root, "-c", job.root / "pyproject.toml"]
    command += ["-W", "default::DeprecationWarning", f"--junitxml={report}", *files]
    return command


def test(job: Job) -> Result:
    """Run the tests of all ops, layers and networks on the device; a skip is a failure."""
    job.module()
    report = job.folder / "test.xml"
    report.unlink(missing_ok=True)
    command = pytest_command(job, device_tests(job.root), report)
    if importlib.util.find_spec("xdist") is not None:
        workers = min(12, os.cpu_count() or 1)
        command += ["-p", "xdist.plugin", "-n", workers, "--dist", "worksteal"]
    variables = {"PYNET_CUDA_TESTS": "gpu", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    code, said = job.run("test", command, OPENBLAS_NUM_THREADS="1", **variables)
    if not report.exists():
        raise Failed(f"pytest: {last_line(said)}")
    found = parse.junit(report.read_text("utf-8"))
    return {"passed": code == 0 and parse.all_passed(found), **found}


# ---- compute-sanitizer ---------------------------------------------------------------------------


def sanitizer(job: Job) -> Result:
    """Run small tests under compute-sanitizer's four tools, side by side."""
    job.module()
    program = shutil.which("compute-sanitizer")
    if program is None:
        raise Failed("not run: compute-sanitizer is not on PATH")
    files = [job.root / "tests" / f"test_cuda_{name}.py" for name in SANITIZED_FILES]
    running = {tool: sanitized(job, program, tool, files) for tool in TOOLS}
    try:
        found = {tool: of_tool(job, tool, process) for tool, process in running.items()}
    finally:
        for process in running.values():
            process.stop()
    return {"passed": all(each["passed"] for each in found.values()), "tools": found}


def sanitized(job: Job, program: str, tool: str, files: list[Path]) -> Running:
    report = job.folder / f"{tool}.xml"
    report.unlink(missing_ok=True)
    ends = [f"--error-exitcode={FOUND_ERRORS}", "--print-limit=20"]
    command = [program, f"--tool={tool}", *ends, *pytest_command(job, files, report)]
    return job.start(
        *(tool, [*command, "-k", SANITIZED]),
        PYNET_CUDA_TESTS="gpu-small",
        PYNET_POOL="0",  # each array alone, so that its end is seen
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        OPENBLAS_NUM_THREADS="1",
    )


def of_tool(job: Job, tool: str, process: Running) -> Result:
    try:
        code, said = process.wait(job.until)
    except OverBudget as over:
        return {"passed": False, "stopped": "over the budget", **parse.sanitizer(over.text)}
    report = job.folder / f"{tool}.xml"
    tests = parse.junit(report.read_text("utf-8") if report.exists() else "")
    counted = parse.sanitizer(said)
    clean = code == 0 and counted["errors"] == 0 and parse.all_passed(tests)
    return {"passed": clean, "exit": code, **counted, "tests": tests}


# ---- benchmarks ----------------------------------------------------------------------------------


def table(job: Job) -> list[str]:
    """The names of all rows, from the pynet that is measured: it may not have been there before."""
    if not job.installed:
        sys.path.insert(0, str(job.package))
    return list(importlib.import_module("gpucheck.rows").TABLE)


def read_lines(files: list[Path]) -> list[Result]:
    """Whole lines: a process that broke off may have left a part of one."""
    texts = [file.read_text("utf-8") for file in files if file.exists()]
    lines = [line for text in texts for line in text.splitlines(keepends=True)]
    return [json.loads(line) for line in lines if line.endswith("\n")]


def bench(job: Job) -> Result:
    """Measure every row in processes of their own: one that breaks off takes one row with it."""
    job.module()
    names = table(job)
    wanted = [name for name in names if not job.rows or name.startswith(job.rows)]
    if not wanted:
        raise Failed(f"no row begins with {' or '.join(job.rows)}")
    files: list[Path] = []
    failed: dict[str, str] = {}
    rest, idle = wanted, 0
    while rest and (seconds := job.until - time.monotonic() - LEAST_ROWS_SECONDS) > 0:
        files.append(job.folder / f"bench{len(files)}.jsonl")
        files[-1].unlink(missing_ok=True)
        command = [sys.executable, "-m", MEASURE, files[-1], f"{seconds:.0f}", *rest]
        try:
            code, said = job.run("bench", command)
        except OverBudget:
            break
        known = {line["row"] for line in read_lines(files) if "row" in line}
        left = [name for name in rest if name not in known]
        if code == 0:
            break
        why = last_line(said) if code > 0 else f"ended by signal {-code}"
        idle = 0 if len(left) < len(rest) else idle + 1
        broken = left if idle == IDLE else left[:1]
        failed.update(dict.fromkeys(broken, why))
        rest = left[len(broken) :]
    lines = read_lines(files)
    results = [line for line in lines if "row" in line]
    results += [{"row": name, "failed": why} for name, why in failed.items()]
    there = {one["row"] for one in results}
    results += [{"row": n, "failed": "over the budget"} for n in wanted if n not in there]
    results += [one for one in job.before if one["row"] in names and one["row"] not in wanted]
    about = {key: value for line in lines if "row" not in line for key, value in line.items()}
    complete = not any("failed" in one for one in results)
    reached = [judged(target, results, names) for target in TARGETS]
    return {"passed": complete, **about, "rows": results, "targets": reached}


# ---- the ladder, the instructions ----------------------------------------------------------------


def ladder(job: Job) -> Result:
    """Check and time the kernels that are for reading."""
    path = job.folder / "ladder.json"
    path.unlink(missing_ok=True)
    script = job.root / "bench" / "cuda_ladder.py"
    code, said = job.run("ladder", [sys.executable, script, "--json", path])
    if code != 0 or not path.exists():
        raise Failed(last_line(said))
    return {"passed": True, "rows": json.loads(path.read_text("utf-8"))}


def sass(job: Job) -> Result:
    """Count the instructions of each kernel that tell how it computes."""
    module = job.module()
    if shutil.which("cuobjdump") is None:
        raise Failed("not run: cuobjdump is not on PATH")
    code, said = job.run("sass", ["cuobjdump", "--dump-sass", module])
    if code != 0:
        raise Failed(last_line(said))
    return {"passed": True, **parse.sass(said)}


STEPS: dict[str, tuple[Callable[[Job], Result], float]] = {  # and shares of the time
    "build": (build, 170),
    "test": (test, 110),
    "sanitizer": (sanitizer, 110),
    "bench": (bench, 150),
    "ladder": (ladder, 30),
    "sass": (sass, 20),
}
