"""examples/linear_svm.py, beside scikit-learn's machine with the same target."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

SCRIPT = Path(__file__).resolve().parent.parent / "examples" / "linear_svm.py"


def test_linear_svm(capsys):
    made = runpy.run_path(str(SCRIPT))
    out = capsys.readouterr().out
    assert len(SCRIPT.read_text().splitlines()) < 60
    assert "separable set: errors 0 of 200" in out
    found = re.search(r"^3 against 8: test accuracy (\d\.\d+) of 90 images$", out, re.M)
    assert float(found[1]) > 0.95

    # C sum(hinge) + |W|^2 / 2 is lambda/2 |W|^2 + mean(hinge) with C = 1 / (lambda N).
    x, t = made["train"]
    theirs = SVC(kernel="linear", C=1 / (1e-3 * len(t)), tol=1e-6).fit(x, t)
    ours = made["svm"].params
    value = {}
    for name, W, b in (
        ("ours", ours["W1"][:, 0], ours["b1"]),
        ("theirs", theirs.coef_[0], theirs.intercept_),
    ):
        hinge = np.maximum(0, 1 - t * (x @ W + b)).mean()
        value[name] = hinge + 0.5e-3 * float(W @ W)
    assert value["theirs"] <= value["ours"] * (1 + 1e-6)  # the minimum
    assert value["ours"] < 1.05 * value["theirs"], value
