"""All that needs a GPU, in one command of less than ten minutes.

    python -m pynet.gpucheck                     build, test, sanitizer, bench, ladder, sass
    python -m pynet.gpucheck --only build test   some steps: others of the same sources stand
    python -m pynet.gpucheck --only bench --rows gemm/tf32x3
    python -m pynet.gpucheck --installed         with the pynet that is installed
    python -m pynet.gpucheck --prebuild 9.0      without a GPU: only compile, for one of this kind
    python -m pynet.gpucheck --status            whether the sources changed since
    python -m pynet.gpucheck --table             what is recorded, as a page in Markdown

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
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gpucheck import driver, evidence, page, report
from gpucheck.job import Failed, Job, Result
from gpucheck.process import OverBudget, last_line
from gpucheck.steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 590.0
BUILD_MOST = 0.75  # of the time: without it there is nothing to be checked
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
    parser.add_argument(
        "--prebuild", type=capability, metavar="X.Y", help="the GPU's compute capability"
    )
    parser.add_argument("--status", action="store_true", help="only say what is recorded")
    parser.add_argument("--table", action="store_true", help="only print what is recorded")
    return parser.parse_args(argv)


def capability(text: str) -> list[int]:
    if re.fullmatch(r"\d+\.\d", text) is None:
        raise argparse.ArgumentTypeError(f"expected a compute capability like 9.0, got {text!r}")
    return [int(number) for number in text.split(".")]


def chosen(args: argparse.Namespace) -> list[str]:
    names = [name for name in STEPS if not args.only or name in args.only]
    return [name for name in names if not (args.installed and name == "build")]


def limit(name: str, behind: Sequence[str], left: float) -> float:
    """Seconds for a step, of those that are left: its share, or for the build what it needs.

    `behind`: the steps after it. What one leaves, they get.
    """
    if name == "build":
        return left * BUILD_MOST
    return left * STEPS[name][1] / sum(STEPS[each][1] for each in (name, *behind))


def step(name: str, job: Job) -> Result:
    """Run one, whatever happens in it."""
    begin = time.monotonic()
    try:
        found = STEPS[name][0](job)
    except Failed as error:
        found = {"passed": False, "why": str(error)}
    except OverBudget as over:
        said = last_line(over.text)
        found = {"passed": False, "why": f"over its share of the time: stopped after: {said}"}
    except Exception as error:  # the steps behind it are no worse for it
        traceback.print_exc()
        found = {"passed": False, "why": f"{type(error).__name__}: {error}"}
    found = json.loads(json.dumps(found).replace(str(job.root), "."))  # the same on any machine
    return {**found, "seconds": round(time.monotonic() - begin, 1)}


def prepare() -> None:
    """End as after Ctrl-C when asked to, and find programs in their usual folders too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    places = [Path(sys.executable).parent]  # cmake and ninja may be packages of this Python
    known = [Path(os.environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ]
    nvcc = shutil.which("nvcc")
    known += [Path(nvcc).resolve().parents[1]] if nvcc else []
    for toolkit in (*known, *sorted(Path("/usr/local").glob("cuda*"), reverse=True)):
        places += [toolkit / "bin", toolkit / "compute-sanitizer"]
    there = [str(place) for place in places if place.is_dir()]
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *dict.fromkeys(there)])


def said(*command: str) -> str | None:
    """What a program says, or None where it is not there or says nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def about(gpu: dict[str, Any]) -> evidence.Evidence:
    release = re.search(r"V(\d+\.\d+\.\d+)", said("nvcc", "--version") or "")
    versions = {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "nvcc": release[1] if release else None,
    }
    return {
        "sources": evidence.hash_of(ROOT),
        "commit": said("git", "rev-parse", "--short", "HEAD"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": gpu,
        "versions": versions,
    }


def prebuild(args: argparse.Namespace) -> int:
    """Compile here what a machine with a GPU then takes as it is: the folder `modules`."""
    prepare()
    job = Job(ROOT, {"compute_capability": args.prebuild}, until=time.monotonic() + 3600)
    found = step("build", job)
    print("\n".join(report.step("build", found)))
    if found["passed"]:
        print(f"  in {job.modules.relative_to(ROOT)}")
    return 0 if found["passed"] else 1


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    if args.status:
        print(evidence.status(args.evidence, ROOT))
        return 0
    if args.table:
        print(page.text(evidence.read(args.evidence), ROOT))
        return 0
    if args.prebuild:
        return prebuild(args)
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
    for place, name in enumerate(names):
        left = limit(name, names[place + 1 :], begin + args.seconds - time.monotonic())
        job.until = time.monotonic() + left
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
