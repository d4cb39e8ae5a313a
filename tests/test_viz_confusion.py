"""The picture of a confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest

from pynet import metrics
from pynet.viz import save_confusion, style
from pynet.viz.confusion import draw_confusion


def test_every_count_is_in_its_cell(tmp_path):
    rng = np.random.default_rng(0)
    matrix = metrics.confusion_matrix(rng.integers(0, 4, 60), rng.integers(0, 4, 60))
    matrix[2, 1] = 0
    axes = style.new_figure(4, 4).subplots()
    draw_confusion(axes, matrix, ["cat", "dog", "cow", "hen"])
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    for (i, j), count in np.ndenumerate(matrix):
        assert texts[j, i] == (str(count) if count else "·")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "cow", "hen"]
    save_confusion(tmp_path / "a.png", matrix, title="Animals")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("matrix", "names", "words"),
    [
        (np.ones((2, 3), int), None, r"matrix: expected counts \(D, D\), got int64 \(2, 3\)"),
        (np.ones((2, 2)), None, "matrix: expected counts"),
        (np.zeros((0, 0), int), None, "matrix: expected counts"),
        (-np.ones((2, 2), int), None, "matrix: expected counts"),
        (3, None, "matrix: expected counts"),
        (np.ones((2, 2), int), ["a"], "names: expected 2, got 1"),
    ],
)
def test_bad_input(tmp_path, matrix, names, words):
    with pytest.raises(ValueError, match=rf"^\[confusion\] {words}"):
        save_confusion(tmp_path / "a.png", matrix, names)
    assert not list(tmp_path.iterdir())
