"""Every experiment runs, in quick form, and writes its picture and its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pynet.cli import main
from pynet.lab import CATALOG


@pytest.mark.parametrize("name", CATALOG)
def test_experiment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYNET_DATA", raising=False)  # the same with and without MNIST at hand
    assert main(["lab", name, "--quick", "--out", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((tmp_path / f"{name}.json").read_text())
    assert report["quick"] and report["numbers"]
    assert report["say"].count(". ") >= 1 and report["say"].endswith(".")
    assert report["say"] in capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOG)
    assert all(line.endswith("?") for line in lines)


def test_page() -> None:
    page = (Path(__file__).parent.parent / "docs" / "lab.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    assert [row[1].strip(" `") for row in rows] == list(CATALOG)
    assert [row[2].strip() for row in rows] == [entry.question for entry in CATALOG.values()]
    assert all(row[3].strip() for row in rows)  # what was seen


@pytest.mark.parametrize("names", [[], ["no-such"]])
def test_wrong_names(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", *names]) == 1
    assert "NAME: expected one of `pynet lab --list`" in capsys.readouterr().err
