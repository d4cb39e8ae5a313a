"""A matrix product in seven steps, from plain loops to tensor cores: each one's speed on your GPU.

    python bench/cuda_ladder.py                     a table for 1024, 2048 and 4096
    python bench/cuda_ladder.py --sizes 512 8192
    python bench/cuda_ladder.py --check             only whether each is right

The kernels are in bench/cuda/ladder.h, to be read from top to bottom. Needs nvcc. The times are the
least of ten, by CUDA events, on random numbers.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(__file__).with_name("cuda") / "ladder.cu"


def build(program: Path) -> None:
    """Compile for the GPU of this machine."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise SystemExit("nvcc is not on PATH: the CUDA toolkit brings it")
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    command = [nvcc, "-O3", "-std=c++17", "--expt-relaxed-constexpr", "-arch=native", *include]
    defines = ["-DPYNET_CUDA_MODULE", "-DPYNET_ISA=cuda"]
    subprocess.run([*command, *defines, SOURCE, "-o", program], check=True)


def table(rows: list[dict[str, Any]]) -> str:
    """Return what the program says as a table, each kernel beside the one before."""
    text = [f"{'kernel':<24}{'size':>6}{'ms':>10}{'GFLOP/s':>10}{'factor':>9}"]
    before: dict[int, float] = {}
    for row in sorted(rows, key=lambda row: row["size"]):
        size, speed = row["size"], row["gflops"]
        factor = f"{speed / before[size]:8.2f}x" if size in before else ""
        before[size] = speed
        text.append(f"{row['kernel']:<24}{size:>6}{row['ms']:>10.3f}{speed:>10.0f}{factor:>9}")
    return "\n".join(text)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096], metavar="N")
    parser.add_argument("--check", action="store_true", help="only whether each kernel is right")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times here as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "ladder"
        build(program)
        if subprocess.run([program, "check"]).returncode != 0:
            return 1
        print("all kernels are right")
        if not options.check:
            command = [program, "time", *map(str, options.sizes)]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows = [json.loads(line) for line in found.stdout.splitlines()]
            print(table(rows))
            if options.json:
                options.json.write_text(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
