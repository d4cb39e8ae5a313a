"""What the tools say: pytest, compute-sanitizer, cuobjdump."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import cuda_registers

NAMED = 20  # tests that are named in the evidence
COUNTED = ("HGMMA", "HMMA", "FFMA", "LDL", "STL")
MANY_FFMA = 32  # from so many on a kernel counts as one of products

MEMORY_ERRORS = re.compile(r"ERROR SUMMARY: (\d+) error")
RACES = re.compile(r"RACECHECK SUMMARY: (\d+) hazard")
FUNCTION = re.compile(r"^\s*Function : (\S+)")
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)")


def junit(text: str) -> dict[str, Any]:
    """Counts of a report of pytest's, and what failed or was skipped; zeros for no report."""
    counts: dict[str, Any] = {"tests": 0, "failures": 0, "skipped": 0, "names": []}
    if not text:
        return counts
    for case in ElementTree.fromstring(text).iter("testcase"):
        counts["tests"] += 1
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            counts["failures"] += 1
        elif "skipped" in kinds:
            counts["skipped"] += 1
        else:
            continue
        if len(counts["names"]) < NAMED:
            counts["names"].append(f"{case.get('classname')}::{case.get('name')}")
    return counts


def all_passed(found: dict[str, Any]) -> bool:
    """A skip is a failure, and so are no tests at all."""
    return found["tests"] > 0 and found["failures"] == 0 and found["skipped"] == 0


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
