"""The steps that run tests on the device: all of them, and small ones under compute-sanitizer."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from gpucheck import parse
from gpucheck.job import Failed, Job, Result
from gpucheck.process import OverBudget, Running, last_line, processors

TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
SANITIZED = "float32 and test_equals_reference or whole_numbers or one_kernel_makes"
SANITIZED_FILES = ("ops", "capture", "precision")
FOUND_ERRORS = 9  # the exit code that compute-sanitizer is asked for
TEST_SECONDS = 60.0  # a test that takes longer hangs
PLUGIN = "gpucheck.outcomes"

# Threads of NumPy's and the core's would only stand in each other's way.
VARIABLES = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYNET_NUM_THREADS": "1",
}

# An application that asks the driver what it knows gets errors that are none, and pynet looks at
# each answer itself. Importing takes its time before CUDA starts.
OPTIONS = ("--target-processes=all", "--report-api-errors=no", "--launch-timeout=0")


def device_tests(root: Path) -> list[Path]:
    """Those that run on the device: they say so by what they import."""
    files = sorted((root / "tests").glob("test_*.py"))
    return [file for file in files if "\nfrom device_ops import" in file.read_text("utf-8")]


def pytest_command(job: Job, files: list[Path]) -> list[object]:
    """Whatever plugins Python has, and in the words of a NumPy that is newer than pynet."""
    command: list[object] = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--rootdir", job.root, "-c", job.root / "pyproject.toml", "-p", PLUGIN]
    return [*command, "-W", "default::DeprecationWarning", *files]


def started(
    job: Job, name: str, command: list[object], variables: Mapping[str, str]
) -> tuple[Path, Running]:
    """The tests, and the file that gets a line for each."""
    outcomes = job.folder / f"{name}.jsonl"
    outcomes.unlink(missing_ok=True)
    more = {**VARIABLES, "GPUCHECK_OUTCOMES": str(outcomes), **variables}
    return outcomes, job.start(name, command, **more)


def read(outcomes: Path) -> Result:
    return parse.outcomes(outcomes.read_text("utf-8") if outcomes.exists() else "")


def test(job: Job) -> Result:
    """Run the tests of all ops, layers and networks on the device; a skip is a failure."""
    job.module()
    command = pytest_command(job, device_tests(job.root))
    if importlib.util.find_spec("xdist") is not None:
        workers = min(12, processors())
        command += ["-p", "xdist.plugin", "-n", workers, "--dist", "worksteal"]
    variables = {"PYNET_CUDA_TESTS": "gpu", "GPUCHECK_SECONDS": str(TEST_SECONDS)}
    outcomes, process = started(job, "test", command, variables)
    try:
        code, said = process.wait(job.until)
    except OverBudget:
        return {"passed": False, "stopped": "over the budget", **read(outcomes)}
    found = read(outcomes)
    if code != 0 and not found["tests"]:
        raise Failed(f"pytest: {last_line(said)}")
    return {"passed": code == 0 and parse.all_passed(found), **found}


# ---- compute-sanitizer ---------------------------------------------------------------------------


def sanitizer(job: Job) -> Result:
    """Run small tests under compute-sanitizer's four tools, side by side."""
    job.module()
    program = shutil.which("compute-sanitizer")
    if program is None:
        raise Failed("not run: compute-sanitizer is not on PATH")
    files = [job.root / "tests" / f"test_cuda_{name}.py" for name in SANITIZED_FILES]
    parts = 2 if processors() >= 2 * len(TOOLS) else 1
    running = [
        (tool, *sanitized(job, program, tool, files, f"{part}/{parts}"))
        for tool in TOOLS
        for part in range(parts)
    ]
    found: dict[str, list[Result]] = {tool: [] for tool in TOOLS}
    try:
        for tool, outcomes, process in running:
            found[tool].append(of_part(job, outcomes, process))
    finally:
        for _, _, process in running:
            process.stop()
    tools = {tool: together(each) for tool, each in found.items()}
    return {"passed": all(each["passed"] for each in tools.values()), "tools": tools}


def sanitized(
    job: Job, program: str, tool: str, files: list[Path], part: str
) -> tuple[Path, Running]:
    ends = [f"--error-exitcode={FOUND_ERRORS}", "--print-limit=20", *OPTIONS]
    command = [program, f"--tool={tool}", *ends, *pytest_command(job, files), "-k", SANITIZED]
    variables = {
        "PYNET_CUDA_TESTS": "gpu-small",
        "PYNET_POOL": "0",  # each array alone, so that its end is seen
        "GPUCHECK_PART": part,
    }
    return started(job, f"{tool}{part[0]}", command, variables)


def of_part(job: Job, outcomes: Path, process: Running) -> Result:
    try:
        code, said = process.wait(job.until)
    except OverBudget as over:
        found = {"passed": False, "stopped": "over the budget", **parse.sanitizer(over.text)}
        return {**found, "tests": read(outcomes)}
    tests, counted = read(outcomes), parse.sanitizer(said)
    clean = code == 0 and counted["errors"] == 0 and parse.all_passed(tests)
    if not clean and not counted["first"]:
        counted["first"] = [last_line(said)]
    return {"passed": clean, "exit": code, **counted, "tests": tests}


def together(parts: list[Result]) -> Result:
    """What a tool said of all parts of the tests."""
    errors = [part["errors"] for part in parts]
    said: Result = {
        "passed": all(part["passed"] for part in parts),
        "exits": [part.get("exit") for part in parts],
        "errors": None if None in errors else sum(errors),
        "first": [line for part in parts for line in part["first"]][:5],
        "tests": parse.added([part["tests"] for part in parts]),
    }
    stopped = [part["stopped"] for part in parts if "stopped" in part]
    return {**said, **({"stopped": stopped[0]} if stopped else {})}
