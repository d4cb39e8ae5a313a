"""Every example runs and prints the figures that its docstring names.

A line of the docstring says what to expect, or which script of the chapter must have run before:

    expects: price 220                literal: these characters are in the output
    expects: test accuracy > 0.9      a line of the output begins so, and the number there is above
    after: train_convnet.py
"""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("ch*/*.py"))
NUMBER = r"([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)"


def said(path: Path, word: str) -> list[str]:
    """What the docstring's lines `word: ...` say."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return re.findall(rf"^{word}: (.+)$", text, re.M)


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def chain(path: Path) -> list[Path]:
    """A script and those that must run after it, which find its files."""
    followers = [p for p in SCRIPTS if p.parent == path.parent and said(p, "after") == [path.name]]
    return [path, *followers]


FIRST = [path for path in SCRIPTS if not said(path, "after")]


def missing(expected: str, output: str) -> str:
    """Why the output does not show what is expected of it, or nothing."""
    limit = re.fullmatch(rf"(.+) ([<>]) {NUMBER}", expected)
    if limit is None:
        return "" if expected in output else f"no {expected!r} in the output"
    label, sign, bound = limit.groups()
    found = re.search(rf"^{re.escape(label)} {NUMBER}", output, re.M)
    if found is None:
        return f"no line {label!r} with a number in the output"
    value = float(found[1])
    kept = value < float(bound) if sign == "<" else value > float(bound)
    return "" if kept else f"{label} is {value}, not {sign} {bound}"


@pytest.mark.parametrize("first", FIRST, ids=name_of)
def test_example(first, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYNET_DATA", raising=False)  # the same with and without MNIST at hand
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for path in chain(first):
        before = set(tmp_path.iterdir())
        monkeypatch.setattr(sys, "argv", [str(path)])
        runpy.run_path(str(path), run_name="__main__")
        output = capsys.readouterr().out
        complaints = [missing(expected, output) for expected in said(path, "expects")]
        assert not any(complaints), f"{name_of(path)}: {complaints}\n{output}"
        pictures = [p for p in set(tmp_path.iterdir()) - before if p.suffix == ".png"]
        assert len(pictures) == bool(re.search(r"save_(figure|curves)\(", path.read_text()))


def test_what_counts_as_printed():
    output = "price 220\ntest accuracy 0.93 of 449\nerror 2.5e-09\n"
    assert not missing("price 220", output) and missing("price 2.20", output)
    assert not missing("test accuracy > 0.9", output) and missing("test accuracy > 0.95", output)
    assert not missing("error < 1e-7", output) and missing("accuracy > 0.5", output)


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_each_is_short_and_names_a_figure(path):
    assert len(path.read_text().splitlines()) < 60
    assert said(path, "expects")
    for earlier in said(path, "after"):
        assert (path.parent / earlier) in FIRST


def test_the_readme_lists_them_in_order():
    listed = re.findall(r"\]\((ch\d\d/\w+\.py)\)", (EXAMPLES / "README.md").read_text())
    assert len(set(listed)) == len(listed)
    assert set(listed) == {name_of(path) for path in SCRIPTS}
    assert [name[:4] for name in listed] == sorted(name[:4] for name in listed)
    for name in listed:
        for earlier in said(EXAMPLES / name, "after"):
            assert listed.index(f"{name[:4]}/{earlier}") < listed.index(name)


def test_from_the_shell_with_a_place_for_the_picture(tmp_path):
    picture = tmp_path / "picture.png"
    script = str(EXAMPLES / "ch01" / "sine_curve.py")
    subprocess.run([sys.executable, script, str(picture)], check=True, cwd=ROOT)
    assert picture.read_bytes().startswith(b"\x89PNG")
