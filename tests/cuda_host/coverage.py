"""Which lines of the kernels no test has run, by gcov; exit status 1 if there are any.

    cmake -S tests/cuda_host -B build/cuda_host -DPYNET_HOST_KINDS=coverage
    cmake --build build/cuda_host
    PYNET_CUDA_HOST=build/cuda_host/coverage pytest tests/test_cuda_ops.py
    python tests/cuda_host/coverage.py build/cuda_host

A line of a template counts as run when one of its instances has run it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[2] / "csrc" / "cuda"


def line_counts(build: Path) -> dict[Path, Counter[int]]:
    """How often each line of the kernels was run."""
    notes = sorted(build.glob("**/csrc/cuda/*.gcno"))
    command = ["gcov", "--json-format", "--stdout", *notes]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    counts: dict[Path, Counter[int]] = {}
    for unit in map(json.loads, output.splitlines()):
        for file in unit["files"]:
            path = Path(unit["current_working_directory"], file["file"]).resolve()
            if path.parent == KERNELS:
                lines = counts.setdefault(path, Counter())
                for line in file["lines"]:
                    lines[line["line_number"]] += line["count"]
    return counts


def main(build: Path) -> int:
    counts = line_counts(build)
    missed = [
        (path, n)
        for path in sorted(counts)
        for n, count in sorted(counts[path].items())
        if not count
    ]
    for path, number in missed:
        text = path.read_text("utf-8").splitlines()[number - 1]
        print(f"{path.name}:{number}: {text.strip()}")
    total = sum(map(len, counts.values()))
    print(f"{total - len(missed)} of {total} lines in {len(counts)} files were run")
    return 1 if missed or not total else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
