"""gpu-evidence.json: what a run on a GPU found, and for which sources."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

NAME = "gpu-evidence.json"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
LISTED = re.compile(r"\$\{csrc\}/(\S+\.cpp)")
OF_CORE = re.compile(r"(#if defined\(PYNET_CUDA_MODULE\)\n.*?)#else\n.*?(#endif)", re.DOTALL)

Evidence = dict[str, Any]


def sources(root: Path) -> list[Path]:
    """The files that pynet._cuda is compiled from: csrc/cuda, what it shares, what they include."""
    csrc = root / "csrc"
    rules = [root / "cmake" / "cuda.cmake", root / "cmake" / "cuda_sources.cmake"]
    listed = [csrc / name for name in LISTED.findall(rules[1].read_text("utf-8"))]
    cuda = [path for path in (csrc / "cuda").rglob("*") if path.suffix in (".h", ".cu", ".cpp")]
    found, waiting = set(), [*cuda, *listed]
    while waiting:
        path = waiting.pop().resolve()
        if path in found or not path.is_file():
            continue
        found.add(path)
        text = OF_CORE.sub(r"\1\2", path.read_text("utf-8"))
        for name in INCLUDE.findall(text):
            waiting += [folder / name for folder in (path.parent, csrc, csrc / "include")]
    return sorted(found) + rules


def hash_of(root: Path) -> str:
    """Of those files, by their places in the checkout."""
    return _hash(root, sources(root.resolve()))


def hash_of_build(root: Path) -> str:
    """Of all that the core and the CUDA module are compiled from, and how."""
    found = [root / "CMakeLists.txt", root / "pyproject.toml"]
    for folder in ("cmake", "csrc"):
        found += [path for path in (root / folder).rglob("*") if path.is_file()]
    return _hash(root, sorted(path.resolve() for path in found))


def _hash(root: Path, paths: list[Path]) -> str:
    """The same wherever the checkout lies, and however its lines end."""
    root = root.resolve()
    sum_ = hashlib.sha256()
    for path in paths:
        sum_.update(path.relative_to(root).as_posix().encode() + b"\0")
        sum_.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return sum_.hexdigest()


def read(path: Path) -> Evidence | None:
    """What is recorded; None where nothing is, or nothing that can be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and {"sources", "device", "date", "steps"} <= found.keys()
    return found if whole else None


def write(path: Path, evidence: Evidence) -> None:
    """All of it or nothing: a run that is stopped leaves the file as it was."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(evidence, file, indent=1)
            file.write("\n")
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def standing(before: Evidence | None, now: Evidence) -> dict[str, Any]:
    """Steps of an earlier run, which stand if that had the same sources on the same kind of GPU."""
    if before is None or any(before[key] != now[key] for key in ("sources", "device")):
        return {}
    return dict(before["steps"])


def status(path: Path, root: Path) -> str:
    """What is recorded of the sources in the checkout, in one line."""
    found = read(path)
    if found is None:
        return "no run on a GPU is recorded"
    where = f"{found['device'].get('name')}, {found['date'][:10]}"
    if found["sources"] != hash_of(root):
        return f"CUDA sources changed since the last run on a GPU ({where})"
    failed = [name for name, step in found["steps"].items() if not step.get("passed")]
    said = f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(found['steps'])}"
    return f"CUDA sources are those of the last run on a GPU ({where}; {said})"
