"""What the experiments about losses find, where the notes state it."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.lab import CATALOG, Lab


def test_accuracy_has_no_derivative_and_the_loss_has(monkeypatch):
    """Accuracy stays where it was when a weight moves a little, the loss does not."""
    monkeypatch.delenv("PYNET_DATA", raising=False)
    numbers = CATALOG["accuracy-as-target"].run(Lab(quick=True, quiet=True)).numbers
    assert numbers["derivative_not_0"]["accuracy"] == 0
    assert numbers["derivative_not_0"]["loss"] >= 0.5 * numbers["weights"]
    assert numbers["start"]["loss"] != numbers["after_0.01"]["loss"]
    steps = {round(100 * a, 6) for a in numbers["accuracy"]}
    assert all(step == round(step) for step in steps)  # whole percents of 100 images
    assert len(set(numbers["loss"])) == len(numbers["path"]) > len(steps)


def test_the_curves_of_the_losses():
    numbers = CATALOG["losses"].run(Lab(quick=True, quiet=True)).numbers
    e = np.array(numbers["squared"]["x"])
    assert numbers["squared"]["loss"] == pytest.approx(e**2, abs=1e-14)
    assert numbers["absolute"]["slope"] == pytest.approx(np.sign(e))
    assert np.abs(numbers["log-cosh"]["slope"]).max() < 1
    m = np.array(numbers["hinge"]["x"])
    assert numbers["hinge"]["loss"] == pytest.approx(np.maximum(1 - m, 0))
    assert numbers["logistic"]["loss"] == pytest.approx(np.log(1 + np.exp(-m)))
