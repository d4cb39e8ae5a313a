"""The steps of a check: each returns what goes into the evidence, with "passed" in it."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gpucheck import parse
from gpucheck.build import build
from gpucheck.device_tests import sanitizer, test
from gpucheck.job import Failed, Job, Result
from gpucheck.process import OverBudget, Stuck, last_line
from gpucheck.targets import TARGETS, judged

MEASURE = "gpucheck.measure"
IDLE = 3  # processes in succession without a row: the rest is given up
LEAST_ROWS_SECONDS = 5.0  # with less left, no further process begins
IMPORT_SECONDS = 150.0  # for torch, from a disk that has not been read yet
ROW_SECONDS = 60.0  # a row that takes longer hangs

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


def stuck(file: Path) -> Callable[[], bool]:
    """Whether no line came for longer than a row takes, the first one for longer than to import."""
    last = [time.monotonic(), 0]

    def is_stuck() -> bool:
        size = file.stat().st_size if file.exists() else 0
        if size != last[1]:
            last[:] = time.monotonic(), size
        return time.monotonic() - last[0] > (ROW_SECONDS if size else IMPORT_SECONDS)

    return is_stuck


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
        process = job.start(f"bench{len(files) - 1}", command)
        try:
            code, said = process.wait(job.until, stuck(files[-1]))
        except OverBudget:
            break
        except Stuck:
            code, said = 1, "no end in sight: stopped"
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
    try:
        found = parse.sass(said)
    except SystemExit as error:  # nothing there that demangles
        raise Failed(str(error)) from None
    return {"passed": found["kernels"] > 0, **found}


STEPS: dict[str, tuple[Callable[[Job], Result], float]] = {  # and shares of the time
    "build": (build, 200),
    "test": (test, 90),
    "sanitizer": (sanitizer, 90),
    "bench": (bench, 180),
    "ladder": (ladder, 20),
    "sass": (sass, 10),
}
