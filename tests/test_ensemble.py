"""Ensembles: averages of probabilities, votes, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from trainer_cases import samples

from pynet.ensemble import Ensemble
from pynet.networks import TwoLayerNet


class Says:
    """Predicts the same row for every sample, or what a function of x gives."""

    def __init__(self, row):
        self.row = np.array(row, float)

    def predict(self, x):
        return np.tile(self.row, (len(x), 1))


def test_average_and_vote_by_hand():
    """Two weak votes for class 1 against a strong one for class 0."""
    members = [Says([0.9, 0.1, 0]), Says([0.4, 0.5, 0.1]), Says([0.4, 0.5, 0.1])]
    x = np.zeros((2, 1))
    average = Ensemble(members, probabilities=True)
    vote = Ensemble(members, "vote")
    np.testing.assert_allclose(average.predict(x), [[1.7 / 3, 1.1 / 3, 0.2 / 3]] * 2)
    np.testing.assert_allclose(vote.predict(x), [[1 / 3, 2 / 3, 0]] * 2)
    assert average.accuracy(x, [0, 1]) == vote.accuracy(x, [0, 1]) == 0.5
    assert average.accuracy(x, [0, 0]) == vote.accuracy(x, [[0, 1, 0]] * 2) == 1
    assert len(vote) == 3


def test_the_scores_of_networks_become_probabilities():
    x, t = samples(30)
    nets = [TwoLayerNet(6, 5, 3, 1.0, dtype=np.float64) for _ in range(3)]
    expected = np.zeros((30, 3))
    for net in nets:
        scores = np.exp(net.predict(x))
        expected += scores / scores.sum(axis=1, keepdims=True) / 3
    ensemble = Ensemble(nets)
    np.testing.assert_allclose(ensemble.predict(x), expected, rtol=1e-12)
    np.testing.assert_allclose(ensemble.predict(x).sum(axis=1), 1)
    assert ensemble.accuracy(x, t, batch_size=7) == np.mean(expected.argmax(axis=1) == t)


def test_one_member_is_itself():
    x, t = samples(30)
    net = TwoLayerNet(6, 5, 3, 1.0)
    for combine in ("average", "vote"):
        assert Ensemble([net], combine).accuracy(x, t) == net.accuracy(x, t)


def test_independent_errors_are_outvoted():
    """Five members, each wrong on its own fifth of the samples: together they are never wrong."""
    t = np.arange(100) % 4

    class Wrong:
        def __init__(self, i):
            self.i = i

        def predict(self, x):
            rows = np.eye(4)[t[x[:, 0]]]
            wrong = x[:, 0] % 5 == self.i
            rows[wrong] = np.roll(rows[wrong], 1, axis=1)
            return rows

    x = np.arange(100)[:, None]
    members = [Wrong(i) for i in range(5)]
    for combine in ("average", "vote"):
        assert Ensemble(members[:1], combine).accuracy(x, t) == 0.8
        assert Ensemble(members, combine).accuracy(x, t) == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Ensemble([]), ValueError, r"\[Ensemble\] networks: expected at least one"),
        (lambda: Ensemble([Says([1]), 3]), TypeError, r"networks\[1\]: expected an object with"),
        (
            lambda: Ensemble([Says([1])], "median"),
            ValueError,
            "combine: expected one of average, vote",
        ),
        (
            lambda: Ensemble([Says([1, 2]), Says([1, 2, 3])]).predict(np.zeros((4, 1))),
            ValueError,
            r"networks\[1\]: expected scores of shape \(4, 2\), got \(4, 3\)",
        ),
        (
            lambda: Ensemble([Says([1, 2])]).accuracy(np.zeros((4, 1)), [0]),
            ValueError,
            "t: expected one label for each of 4 samples",
        ),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
