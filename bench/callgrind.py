"""Instructions of a training step, kernel by kernel: a figure that no noise can touch.

    python bench/callgrind.py BUILD/bench/cpp/pynet_step            compare with callgrind.json
    python bench/callgrind.py BUILD/bench/cpp/pynet_step --write    keep the counts as the new ones

One thread, instruction set avx2, counted by valgrind's callgrind. More instructions than were kept,
by more than the tolerance, is a failure; so is a kernel that is missing. The counts belong to the
compiler that is named beside them: with another one they are shown and not judged.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("callgrind.json")
TOLERANCE = 0.02


def count(program: Path) -> dict[str, int]:
    """Run the program under callgrind and read one file for each kernel."""
    environment = {**os.environ, "PYNET_ISA": "avx2", "PYNET_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            [*command, str(program), "count"], env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"callgrind failed:\n{done.stdout}{done.stderr}")
        texts = [path.read_text() for path in Path(folder).iterdir()]
    found = {}
    for text in texts:
        name = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE)
        total = re.search(r"^(?:summary|totals): (\d+)$", text, re.MULTILINE)
        if name and total:
            found[name[1]] = int(total[1])
    if not found:
        raise SystemExit(f"no counts from {program}")
    return dict(sorted(found.items()))


def compiler() -> str:
    """The compiler's name and major version: within it counts hardly move."""
    done = subprocess.run(
        [os.environ.get("CXX", "c++"), "--version"], capture_output=True, text=True, check=True
    )
    first = done.stdout.splitlines()[0]
    kind = "clang" if "clang" in first else "gcc"
    return f"{kind} {re.findall(r'[0-9]+[.][0-9.]+', first)[-1].split('.')[0]}"


def verdicts(kept: dict[str, int], now: dict[str, int], tolerance: float) -> dict[str, str]:
    """What is wrong, by kernel."""
    wrong = {}
    for name in sorted({*kept, *now}):
        if name not in now:
            wrong[name] = "is no longer counted"
        elif name not in kept:
            wrong[name] = "is new: keep its count with --write"
        elif now[name] > kept[name] * (1 + tolerance):
            wrong[name] = f"{100 * (now[name] / kept[name] - 1):.1f} % more instructions"
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=Path, help="pynet_step, built with PYNET_BUILD_BENCH")
    parser.add_argument("--write", action="store_true", help="keep the counts")
    args = parser.parse_args()

    now, by = count(args.program), compiler()
    if args.write:
        kept: dict[str, Any] = {"compiler": by, "tolerance": TOLERANCE, "instructions": now}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    kept = json.loads(KEPT.read_text())
    before = kept["instructions"]
    for name, instructions in now.items():
        change = f"{100 * (instructions / before[name] - 1):+.1f} %" if name in before else "new"
        print(f"{name:32} {instructions:>12,} {change:>8}")
    if kept["compiler"] != by:
        print(f"not judged: the counts kept are of {kept['compiler']}, these of {by}")
        return 0
    wrong = verdicts(before, now, kept["tolerance"])
    for name, what in wrong.items():
        print(f"{name}: {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
