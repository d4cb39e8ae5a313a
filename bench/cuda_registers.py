"""Registers of the CUDA kernels, target by target: what a kernel may spill stands in a table.

    python bench/cuda_registers.py BUILD_LOG            compare with cuda_registers.json
    python bench/cuda_registers.py BUILD_LOG --write    keep what the log says as the new table

The log is that of a whole build of `_cuda` with -DCMAKE_CUDA_FLAGS=-Xptxas=-v. A kernel that spills
registers, or has a larger stack frame, than the table allows it is a failure; one that the table
does not have may do neither. Registers and shared memory are kept for the review of a change: a
kernel that takes more of them than before is shown and not judged.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

KEPT = Path(__file__).with_name("cuda_registers.json")
HEAD = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
SOURCE = re.compile(r"_GLOBAL__N__[0-9a-f]+_\d+_(\w+?)_cu_[0-9a-f]+")


class Use(NamedTuple):
    """What one kernel takes on one target: registers, and bytes of memory."""

    registers: int
    shared: int
    stack: int
    spilled: int  # stored and loaded


Table = dict[str, dict[str, Use]]  # by kernel and target


def demangled(names: list[str]) -> list[str]:
    tool = shutil.which("cu++filt") or shutil.which("c++filt")
    if tool is None:
        raise SystemExit("neither cu++filt nor c++filt (binutils) is on PATH")
    text = "\n".join(names)
    return subprocess.run(
        [tool], input=text, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def short(mangled: str, name: str) -> str:
    """The file and the template arguments that tell kernels apart, without what follows from them.

    A lambda is named by the function it stands in and its number there.
    """
    source = SOURCE.search(mangled)
    name = re.sub(r"\(anonymous namespace\)::|pynet::(cuda::)?|^void ", "", name)
    before = ""
    while before != name:  # from the inside out
        before = name
        name = re.sub(r"\([^()]*\)( const)?|, Port<[^<>]*>", "", name)
    name = re.sub(r"::\{lambda(#\d+)\}", r"\1", name)
    return (source[1] + ": " if source else "") + name.replace(" >", ">")


def read(log: str) -> Table:
    """Read the lines that ptxas writes for each kernel: its name, its frame, its registers."""
    found: dict[tuple[str, str], Use] = {}
    kernel, frame = None, (0, 0)
    for line in log.splitlines():
        if head := HEAD.search(line):
            kernel, frame = (head[1], head[2]), (0, 0)
        elif sizes := FRAME.search(line):
            frame = (int(sizes[1]), int(sizes[2]) + int(sizes[3]))
        elif (used := USED.search(line)) and kernel:
            found[kernel] = Use(int(used[1]), int(used[2] or 0), *frame)
            kernel = None
    mangled = sorted({name for name, _ in found})
    names = dict(zip(mangled, map(short, mangled, demangled(mangled))))
    table: Table = {}
    for (name, target), use in found.items():
        row = table.setdefault(names[name], {})
        row[target] = Use(*map(max, use, row.get(target, use)))  # of kernels of the same short name
    return {kernel: dict(sorted(row.items())) for kernel, row in sorted(table.items())}


def verdicts(kept: Table, now: Table) -> list[str]:
    """What is wrong: a target without kernels, memory beyond the table."""
    wrong = []
    everywhere = {target for row in kept.values() for target in row}
    built = {target for row in now.values() for target in row}
    for target in sorted(everywhere - built):
        wrong.append(f"{target}: no kernel was built for it")
    for kernel, row in now.items():
        for target, use in row.items():
            allowed = kept.get(kernel, {}).get(target, Use(0, 0, 0, 0))
            for what in ("spilled", "stack"):
                if getattr(use, what) > getattr(allowed, what):
                    wrong.append(
                        f"{kernel} on {target}: {getattr(use, what)} bytes {what}, "
                        f"allowed are {getattr(allowed, what)}"
                    )
    return wrong


def changes(kept: Table, now: Table) -> list[str]:
    """What a review wants to see: more registers or shared memory than before."""
    lines = []
    for kernel, row in now.items():
        for target, use in row.items():
            before = kept.get(kernel, {}).get(target, use)
            for what in ("registers", "shared"):
                if getattr(use, what) > getattr(before, what):
                    lines.append(
                        f"{kernel} on {target}: {getattr(before, what)} -> {getattr(use, what)} "
                        f"{what}"
                    )
    return lines


def load() -> Table:
    text = json.loads(KEPT.read_text())
    return {
        kernel: {target: Use(*use) for target, use in zip(text["targets"], row)}
        for kernel, row in text["kernels"].items()
    }


def save(table: Table) -> None:
    """Write one line for each kernel."""
    targets = sorted({target for row in table.values() for target in row})
    rows = ",\n".join(
        f"  {json.dumps(kernel)}: {json.dumps([row[target] for target in targets])}"
        for kernel, row in table.items()
    )
    KEPT.write_text(
        f'{{\n "targets": {json.dumps(targets)},\n'
        f' "columns": {json.dumps(Use._fields)},\n "kernels": {{\n{rows}\n }}\n}}\n'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log", type=Path, help="of a whole build with -Xptxas=-v")
    parser.add_argument("--write", action="store_true", help="keep the table")
    args = parser.parse_args()

    now = read(args.log.read_text(errors="replace"))
    if not now:
        raise SystemExit(f"{args.log} says nothing of kernels: build anew with -Xptxas=-v")
    if args.write:
        save(now)
    kept = load()
    for line in changes(kept, now):
        print(line)
    wrong = verdicts(kept, now)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(now)} kernels, {len(wrong)} beyond the table")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
