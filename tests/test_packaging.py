"""What surrounds the code: a light import, one version, and the messages of dev.py."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import pynet

ROOT = Path(__file__).resolve().parent.parent
CUDA = ROOT / "cmake" / "cuda.cmake"
OPTIONAL = ["matplotlib", "PIL", "pooch", "sklearn", "scipy", "pandas", "torch", "onnx", "requests"]


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with changes (None removes), and without a sanitizer's preload."""
    merged = {**os.environ, "LD_PRELOAD": None, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def load_dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pynet_dev", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dev() -> ModuleType:
    return load_dev()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what dev.py reads before it builds, and a space in its name."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("dev.py", "pyproject.toml", "CMakeLists.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def run_dev(checkout: Path, *arguments: str, **changes: str | None) -> tuple[int, list[str]]:
    """Run dev.py from another folder; return its status and the lines it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, str(checkout / "dev.py"), *arguments],
        cwd=checkout.parent,
        env=environment(**changes),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr.splitlines()


# ---- the package ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["import pynet", "from pynet import *", "import pynet.cli"])
def test_import_is_light(tmp_path: Path, code: str) -> None:
    code += "; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, stdout=subprocess.PIPE
    )
    modules = json.loads(done.stdout)
    assert "pynet" in modules
    assert [name for name in modules if name.split(".")[0] in OPTIONAL] == []


def test_one_version() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = re.search(r'^version = "(.*?)"', text, re.M)
    assert declared is not None
    assert pynet.__version__ == declared.group(1) == metadata.version("pynet")
    assert f"## {declared.group(1)}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# ---- what dev.py says when something is missing --------------------------------------------------


@pytest.mark.parametrize(
    ("found", "todo"),
    [([], "install a newer Python"), (["python3.11", "python3.9"], "run it with python3.11")],
)
def test_too_old_python(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, found: list[str], todo: str
) -> None:
    monkeypatch.setattr(dev.shutil, "which", lambda name: name if name in found else None)
    dev.check_python((3, 10, 0))
    with pytest.raises(dev.Stop) as stopped:
        dev.check_python((3, 9, 18))
    assert str(stopped.value).startswith("needs Python 3.10 or newer, this is 3.9.18: " + todo)


@pytest.mark.parametrize("compiler", [None, "no-such-compiler -O2"])
def test_missing_compiler(checkout: Path, compiler: str | None) -> None:
    (checkout.parent / "empty").mkdir()
    status, lines = run_dev(checkout, "test", PATH=str(checkout.parent / "empty"), CXX=compiler)
    assert status == 1
    assert len(lines) == 1
    assert "no C++ compiler" in lines[0] and "install one" in lines[0] and "CXX" in lines[0]
    assert not (checkout / ".venv").exists()


def test_missing_venv_module(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.check_venv()
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(dev.Stop, match="sudo apt install python3-venv"):
        dev.check_venv()


def test_missing_headers(dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dev.check_headers()
    monkeypatch.setattr(dev.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    with pytest.raises(dev.Stop, match="python3-dev"):
        dev.check_headers()


def test_missing_network(checkout: Path) -> None:
    closed = "http://127.0.0.1:9/simple"
    status, lines = run_dev(
        checkout,
        "test",
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL=closed,
        PIP_EXTRA_INDEX_URL=None,
        PIP_FIND_LINKS=None,
        PIP_NO_CACHE_DIR="1",
        PIP_RETRIES="0",
    )
    assert status == 1
    told = [line for line in lines if not line.endswith(" ...") and ": done in " not in line]
    assert len(told) == 1
    assert "pip cannot reach the package index" in told[0] and "PIP_INDEX_URL" in told[0]


def test_a_build_for_gpus_is_announced(
    dev: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It takes minutes, and CMake's words about it go into the log."""
    dev.LOG, dev.ROOT = str(tmp_path / "log"), str(tmp_path)
    words = re.findall(r'"(pynet: the module for GPUs is built too.*)"', CUDA.read_text())
    code = f"import time; print('  --', {words[0]!r}, flush=True); time.sleep(1.5)"
    dev.run_logged("compiling", [sys.executable, "-c", code])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[1] == words[0] and "PYNET_CUDA=OFF" in lines[1]


def test_foreign_environment_is_left_alone(checkout: Path) -> None:
    mine = checkout / ".venv" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("keep me")
    status, lines = run_dev(checkout, "demo")
    assert status == 1
    assert len(lines) == 1 and "was not made by dev.py" in lines[0]
    assert mine.read_text() == "keep me"


def test_fingerprint_sees_what_an_install_depends_on(dev: ModuleType, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CMakeLists.txt", "dev.py", "csrc/cpu/x.cpp", "pynet/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    dev.ROOT = str(tmp_path)
    seen = [dev.fingerprint()]
    for name, changes in [
        ("pynet/x.py", False),
        ("pynet/new.py", True),
        ("csrc/cpu/x.cpp", True),
        ("csrc/new.h", True),
    ]:
        (tmp_path / name).write_text("2")
        seen.append(dev.fingerprint())
        assert (seen[-1] != seen[-2]) == changes, name


def test_unknown_verb_shows_the_usage(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(checkout / "dev.py"), "tset"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "dev.py demo" in done.stdout and "dev.py test" in done.stdout
