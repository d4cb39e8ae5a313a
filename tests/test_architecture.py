"""The rules of the house that a machine can check: docs/architecture.md gives the reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pynet"
CSRC = ROOT / "csrc"

# Each level may import those before it, and modules of its own level.
LEVELS = [
    {"_types", "_core", "checks", "rng"},
    {"reference"},
    {"backend"},
    {"ops", "serialization", "devices"},
    {
        *("functions", "gradient", "util", "initializers", "datasets", "loader", "metrics"),
        *("activations", "perceptron"),
    },
    {"layers", "losses", "params", "penalties", "optimizers", "schedules"},
    {"networks", "viz"},
    {"diagnosis", "progress", "graph", "ensemble", "callbacks", "recording"},
    {"resume", "trainer", "rate_finder"},
    {"search"},
    {"lab", "bench"},
    {"cli", "gpucheck"},
]
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def sources() -> list[Path]:
    own = [*python_files(), *ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")]
    return own + [p for p in CSRC.rglob("*") if p.suffix in (".h", ".cpp", ".cu", ".cuh")]


def module_of(path: Path) -> str:
    """The first name below pynet: layers for pynet/layers/affine.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """The modules below pynet that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "pynet":
            names = [f"pynet.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            if name.startswith("pynet."):
                yield name.split(".")[1]


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    module = module_of(path)
    if module in ("__init__", "__main__"):
        return
    assert module in LEVEL_OF, f"{module} has no place in LEVELS"
    for name in imports(path):
        if name in LEVEL_OF:  # a constant or function of pynet itself otherwise
            assert LEVEL_OF[name] <= LEVEL_OF[module], f"{module} imports {name}, a level above it"


def test_only_backend_knows_the_core() -> None:
    users = {str(p.relative_to(PACKAGE)) for p in python_files() if "_core" in set(imports(p))}
    assert users <= {"backend.py"}


@pytest.mark.parametrize("optional", ["matplotlib", "PIL", "pooch", "IPython", "sklearn", "optuna"])
def test_optional_packages_are_imported_inside_functions(optional: str) -> None:
    for path in python_files():
        if path.parent == PACKAGE / "bench" / "peers":
            continue  # each is loaded in a process of its own, for the package it measures
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert optional not in ast.unparse(node), f"{path} imports {optional} at its top"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def without_cuda(text: str) -> str:
    """The text as it is compiled for _core: files that _cuda shares say what is other there."""
    return re.sub(r"#if defined\(PYNET_CUDA_MODULE\)\n.*?#(else|endif)", "", text, flags=re.DOTALL)


def test_headers_go_one_way() -> None:
    """include <- runtime <- python; cpu -> rules -> include; cuda may know all but cpu."""
    allowed = {
        "include": {"pynet"},
        "runtime": {"pynet", "runtime"},
        "rules": {"pynet", "rules", "cpu"},
        "cpu": {"pynet", "rules", "cpu"},
        "python": {"pynet", "python"},
        "cuda": {"pynet", "rules", "runtime", "python", "cuda"},
    }
    for path in (p for p in sorted(CSRC.rglob("*")) if p.suffix in (".h", ".cpp", ".cu")):
        folder = path.relative_to(CSRC).parts[0]
        for name in re.findall(r'#include "(.+?)"', without_cuda(path.read_text())):
            if "/" in name:
                assert name.split("/")[0] in allowed[folder], f"{path} includes {name}"


def test_kernels_include_no_standard_library() -> None:
    """An inline function compiled for two instruction sets would be shared by the linker."""
    allowed = {"cstddef", "cstdint", "immintrin.h", "arm_neon.h"}
    for path in [*CSRC.glob("cpu/*"), *CSRC.glob("include/pynet/*")]:
        if path.name in ("runtime.h", "recording.h"):  # not for kernels
            continue
        found = set(re.findall(r"#include <(.+?)>", path.read_text()))
        assert found <= allowed, f"{path} includes {found - allowed}"
        for name in ("runtime.h", "recording.h"):
            assert name not in path.read_text(), f"{path} includes {name}"


def test_public_functions_have_docstrings() -> None:
    for path in python_files():
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree) or path.name == "__main__.py", f"{path} has no docstring"
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
            if public:
                assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"
