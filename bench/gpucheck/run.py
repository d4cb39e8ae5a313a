"""All that needs a GPU, in one command of less than ten minutes.

    python -m pynet.gpucheck                     build, test, sanitizer, bench, ladder, sass
    python -m pynet.gpucheck --only build test   some steps: others of the same sources stand
    python -m pynet.gpucheck --only bench --rows gemm/tf32x3
    python -m pynet.gpucheck --installed         with the pynet that is installed
    python -m pynet.gpucheck --status            whether the sources changed since

Writes gpu-evidence.json. A step that is over its share of the time is stopped and has failed.
Exit status: 0 all chosen steps passed, 1 a step failed, 2 wrong arguments, 3 no GPU here, 4 no
checkout. Targets that are missed are shown and fail nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gpucheck import driver, evidence, report
from gpucheck.process import OverBudget
from gpucheck.steps import STEPS, Failed, Job, Result

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 590.0
NO_GPU = 3


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pynet.gpucheck",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=list(STEPS), metavar="STEP", help="some steps")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="of the step bench")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for all chosen steps ({SECONDS:.0f})"
    )
    parser.add_argument("--installed", action="store_true", help="no build: the installed pynet")
    parser.add_argument("--evidence", type=Path, default=ROOT / evidence.NAME, metavar="FILE")
    parser.add_argument("--status", action="store_true", help="only say what is recorded")
    return parser.parse_args(argv)


def chosen(args: argparse.Namespace) -> list[str]:
    names = [name for name in STEPS if not args.only or name in args.only]
    return [name for name in names if not (args.installed and name == "build")]


def limits(names: Sequence[str], seconds: float) -> dict[str, float]:
    """When each step has to be done, in seconds from the beginning: what one leaves, others get."""
    whole = sum(STEPS[name][1] for name in names)
    ends, passed = {}, 0.0
    for name in names:
        passed += STEPS[name][1]
        ends[name] = seconds * passed / whole
    return ends


def step(name: str, job: Job) -> Result:
    """Run one, whatever happens in it."""
    begin = time.monotonic()
    try:
        found = STEPS[name][0](job)
    except Failed as error:
        found = {"passed": False, "why": str(error)}
    except OverBudget:
        found = {"passed": False, "why": "over its share of the time: stopped"}
    found = json.loads(json.dumps(found).replace(str(job.root), "."))  # the same on any machine
    return {**found, "seconds": round(time.monotonic() - begin, 1)}


def prepare() -> None:
    """End as after Ctrl-C when asked to, and find CUDA's programs in their usual folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if shutil.which("nvcc") is None:
        folders = sorted(Path("/usr/local").glob("cuda*/bin"))
        os.environ["PATH"] = os.pathsep.join([*map(str, folders[-1:]), os.environ["PATH"]])


def first_line(*command: str) -> str | None:
    """Of what a program says, or None where it is not there."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else None


def about(gpu: dict[str, Any]) -> evidence.Evidence:
    release = re.search(r"[Vv]?(\d+\.\d+\.\d+)", first_line("nvcc", "--version") or "")
    versions = {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "nvcc": release[1] if release else first_line("nvcc", "--version"),
    }
    return {
        "sources": evidence.hash_of(ROOT),
        "commit": first_line("git", "rev-parse", "--short", "HEAD"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": gpu,
        "versions": versions,
    }


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    if args.status:
        print(evidence.status(args.evidence, ROOT))
        return 0
    try:
        gpu = driver.find()
    except driver.NoGpu as why:
        print(f"pynet.gpucheck: {why}", file=sys.stderr)
        return NO_GPU
    names, begin = chosen(args), time.monotonic()
    prepare()
    print(f"{gpu['name']}, driver {gpu['driver']}: {', '.join(names)}", flush=True)
    record = {**about(gpu), "steps": {}}
    before = evidence.standing(evidence.read(args.evidence), record)
    measured = before.get("bench", {}).get("rows", [])
    job = Job(ROOT, gpu, args.installed, tuple(args.rows), measured)
    for name, end in limits(names, args.seconds).items():
        job.until = begin + end
        left = job.until - time.monotonic()
        print(f"[{time.monotonic() - begin:4.0f} s] {name}, at most {left:.0f} s", flush=True)
        record["steps"][name] = step(name, job)
        print("\n".join(report.step(name, record["steps"][name])), flush=True)
        evidence.write(args.evidence, {**record, "steps": {**before, **record["steps"]}})
        if name == "build" and not record["steps"][name]["passed"]:
            break  # what is there is of other sources
    passed = all(found["passed"] for found in record["steps"].values())
    print(f"[{time.monotonic() - begin:4.0f} s] written: {args.evidence.name}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
