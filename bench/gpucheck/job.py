"""What the steps of a check work with: folders, environment, time."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpucheck.evidence import hash_of, hash_of_build
from gpucheck.process import Running

Result = dict[str, Any]


class Failed(Exception):
    """Why a step cannot go on."""


@dataclass
class Job:
    """What the steps work with. `until`: when the step's time is over, by time.monotonic."""

    root: Path
    gpu: Mapping[str, Any]
    installed: bool = False  # take the pynet that Python finds, not one built here
    rows: tuple[str, ...] = ()  # how the names of the rows begin that are measured
    before: Sequence[Result] = ()  # rows that an earlier run of the same sources measured
    until: float = 0.0

    @property
    def folder(self) -> Path:
        return self.root / "build" / "gpucheck"

    @property
    def package(self) -> Path:
        return self.folder / "package"

    @property
    def modules(self) -> Path:
        """What was compiled, and built.json about it: all that another machine needs of a build."""
        return self.folder / "modules"

    def env(self, **more: str) -> dict[str, str]:
        """Python finds what was built here first, and the checkout's tests and bench."""
        places = [] if self.installed else [self.package]
        places += [self.root / "bench"]
        known = os.environ.get("PYTHONPATH")
        path = [*map(str, places), *([known] if known else []), str(self.root)]
        kept = {name: value for name, value in os.environ.items() if name != "PYNET_CUDA_HOST"}
        return {**kept, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", **more}

    def start(self, name: str, command: Sequence[object], **more: str) -> Running:
        self.folder.mkdir(parents=True, exist_ok=True)
        return Running(command, self.folder / f"{name}.log", self.env(**more), self.folder)

    def run(self, name: str, command: Sequence[object], **more: str) -> tuple[int, str]:
        return self.start(name, command, **more).wait(self.until)

    # ---- what was built --------------------------------------------------------------------------

    def wanted(self, target: str) -> dict[str, str]:
        """What built.json has to say of modules for this target, these sources and this Python."""
        return {
            "target": target,
            "sources": hash_of(self.root),
            "all": hash_of_build(self.root),
            "python": str(sysconfig.get_config_var("EXT_SUFFIX")),
        }

    def built(self) -> dict[str, str]:
        """What is recorded of the modules that are there; nothing without them."""
        try:
            found = json.loads((self.modules / "built.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def assemble(self) -> None:
        """The package of the checkout, with the modules that were built in it."""
        shutil.rmtree(self.package, ignore_errors=True)
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(self.root / "pynet", self.package / "pynet", ignore=ignored)
        for path in self.modules.glob("_*.so"):
            shutil.copy2(path, self.package / "pynet")
        (self.package / "sitecustomize.py").write_text(WITHOUT_EDITABLE)

    def module(self) -> Path:
        """The file of pynet._cuda; Failed where it is not there, or of other sources."""
        if self.installed:
            found = importlib.util.find_spec("pynet._cuda")
            if found is None or found.origin is None:
                raise Failed("the installed pynet was built without CUDA")
            return Path(found.origin)
        modules = list(self.package.glob("pynet/_cuda*"))
        if not modules or not self.built():
            raise Failed("not built: run the step build first, or say --installed")
        if self.built().get("sources") != hash_of(self.root):
            raise Failed("the sources changed since they were built: run the step build again")
        return modules[0]


# An editable installation answers `import pynet` before any path is looked at; Python runs this
# file, which comes first on the path, as it starts.
WITHOUT_EDITABLE = """\
import sys

sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__]
"""
