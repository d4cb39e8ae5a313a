"""The README's Python runs as it stands there, one block after the other, as a reader would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pynet

ROOT = Path(__file__).resolve().parent.parent


def test_the_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.random.seed(0)
    pynet.seed(0)
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    for i, block in enumerate(blocks):
        exec(compile(block, f"README.md, block {i + 1}", "exec"), names)
    printed = capsys.readouterr().out
    accuracies = [float(number) for number in re.findall(r"^0\.\d+$", printed, re.M)]
    assert len(accuracies) == 2 and min(accuracies) > 0.96  # "about 0.98"
    assert names["step"].replays > 0 and names["losses"][-1] < 0.5
    assert names["price"].value == pytest.approx(220) and names["apple"].grad == pytest.approx(2.2)
    assert (tmp_path / "apples.svg").exists()
