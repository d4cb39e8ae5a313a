"""What the tools say: pytest, compute-sanitizer, cuobjdump."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import cuda_registers

NAMED = 40  # reasons that are named in the evidence
SLOWEST = 5
WORSE = {"passed": 1, "skipped": 2, "failed": 3}
COUNTED = ("HGMMA", "HMMA", "FFMA", "LDL", "STL")
MANY_FFMA = 32  # from so many on a kernel counts as one of products

MEMORY_ERRORS = re.compile(r"ERROR SUMMARY: (\d+) error")
RACES = re.compile(r"RACECHECK SUMMARY: (\d+) hazard")
FUNCTION = re.compile(r"^\s*Function : (\S+)")
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)")


def outcomes(text: str) -> dict[str, Any]:
    """Counts of what outcomes.py wrote, and what failed or was skipped, with its reason.

    `collected` tests were there to be run. A line that broke off is none.
    """
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    worst: dict[str, dict[str, Any]] = {}  # of the phases of a test
    for line in lines:
        if "test" in line and WORSE[line["outcome"]] >= WORSE.get(
            worst.get(line["test"], {}).get("outcome", ""), 0
        ):
            worst[line["test"]] = line
    of = Counter(line["outcome"] for line in worst.values())
    wrong = [line for line in worst.values() if line["outcome"] != "passed"]
    slow = sorted(worst.values(), key=lambda line: -line.get("seconds", 0.0))[:SLOWEST]
    return {
        "collected": max((line.get("collected", 0) for line in lines), default=0),
        "tests": len(worst),
        "failures": of["failed"],
        "skipped": of["skipped"],
        "names": named(wrong),
        "slowest": [f"{line['test']}: {line.get('seconds', 0.0):.1f} s" for line in slow],
    }


def named(wrong: list[dict[str, Any]]) -> list[str]:
    """Each reason with the first test that it stopped, those of most tests first."""
    of: dict[str, list[str]] = {}
    for line in wrong:
        of.setdefault(line.get("why", ""), []).append(line["test"])
    most = sorted(of.items(), key=lambda each: -len(each[1]))[:NAMED]
    return [f"{tests[0]}{others(len(tests) - 1)}: {why}" for why, tests in most]


def others(count: int) -> str:
    return f" and {count} more" if count else ""


def added(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several parts of the tests."""
    numbers = ("collected", "tests", "failures", "skipped")
    whole: dict[str, Any] = {kind: sum(part[kind] for part in parts) for kind in numbers}
    return {**whole, "names": [name for part in parts for name in part["names"]][:NAMED]}


def all_passed(found: dict[str, Any]) -> bool:
    """A skip is a failure, and so are no tests at all, or some that were not run."""
    ran = 0 < found["tests"] == found["collected"]
    return ran and found["failures"] == 0 and found["skipped"] == 0


def sanitizer(text: str) -> dict[str, Any]:
    """How many errors compute-sanitizer counted: None where it did not come to the end."""
    found = MEMORY_ERRORS.findall(text) or RACES.findall(text)
    reports = [line for line in text.splitlines() if line.startswith("========= ")]
    first = [
        line.removeprefix("========= ").strip()[:200]
        for line in reports
        if "SUMMARY" not in line and "COMPUTE-SANITIZER" not in line
    ]
    errors = sum(map(int, found)) if found else None
    return {"errors": errors, "first": first[:5] if errors != 0 else []}


def sass(text: str) -> dict[str, Any]:
    """Instructions of each kernel that multiplies matrices or uses local memory, and of all."""
    kernels: dict[str, Counter[str]] = {}
    current: Counter[str] = Counter()
    for line in text.splitlines():
        if head := FUNCTION.match(line):
            current = kernels.setdefault(head[1], Counter())
        elif (found := INSTRUCTION.match(line)) and found[1] in COUNTED:
            current[found[1]] += 1
    mangled = list(kernels)
    names = map(cuda_registers.short, mangled, cuda_registers.demangled(mangled) if mangled else [])
    total: Counter[str] = Counter()
    shown: dict[str, dict[str, int]] = {}
    for name, each in zip(names, kernels.values()):
        total += each
        if each["FFMA"] >= MANY_FFMA or any(each[i] for i in COUNTED if i != "FFMA"):
            shown[name] = {i: max(each[i], shown.get(name, {}).get(i, 0)) for i in COUNTED}
    whole = {i: total[i] for i in COUNTED}
    return {
        "kernels": len(kernels),
        "instructions": whole,
        "by_kernel": dict(sorted(shown.items())),
    }
