"""Metrics: equal to scikit-learn's on random data, edge cases, bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from pynet import metrics

SEEDS = range(6)


def drawn(seed):
    """Labels and scores of 2 to 8 classes; the small ones lack some."""
    rng = np.random.default_rng(seed)
    N, D = int(rng.integers(5, 200)), int(rng.integers(2, 9))
    return rng, rng.integers(0, D, N), np.round(rng.standard_normal((N, D)), 1), D


@pytest.mark.parametrize("seed", SEEDS)
def test_counts(seed):
    _, t, y, D = drawn(seed)
    said = y.argmax(axis=1)
    assert metrics.accuracy(t, y) == metrics.accuracy(t, said) == sk.accuracy_score(t, said)
    assert metrics.accuracy(np.eye(D)[t], y) == sk.accuracy_score(t, said)
    want = sk.confusion_matrix(t, said, labels=range(D))
    np.testing.assert_array_equal(metrics.confusion_matrix(t, y), want)
    np.testing.assert_array_equal(metrics.confusion_matrix(t, said, classes=D), want)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("average", [None, "macro", "weighted", "micro"])
def test_precision_recall_f1(average, seed):
    _, t, y, D = drawn(seed)
    said = y.argmax(axis=1)
    if seed % 2:
        said[:] = t[0]  # the other classes are never said
    every = range(D) if average is None else None
    rows = np.eye(D)[said]
    for ours, theirs in (
        (metrics.precision, sk.precision_score),
        (metrics.recall, sk.recall_score),
        (metrics.f1, sk.f1_score),
    ):
        want = theirs(t, said, average=average, zero_division=0, labels=every)
        np.testing.assert_allclose(ours(t, rows, average), want, rtol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_binary(seed):
    rng = np.random.default_rng(seed)
    t, y = rng.integers(0, 2, 30), rng.integers(0, 2, 30)
    if seed == 0:
        t[:] = 0  # no positive sample
    if seed == 1:
        y[:] = 0
    for ours, theirs in (
        (metrics.precision, sk.precision_score),
        (metrics.recall, sk.recall_score),
        (metrics.f1, sk.f1_score),
    ):
        want = theirs(t, y, average="binary", zero_division=0)
        assert ours(t, y, "binary") == pytest.approx(want, rel=1e-14)
    assert metrics.f1([0, 0], [0, 0], "binary") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_top_k_accuracy(seed):
    _, t, y, D = drawn(seed)  # rounded scores: many are equal
    for k in range(1, D):
        want = sk.top_k_accuracy_score(t, y if D > 2 else y[:, 1] - y[:, 0], k=k, labels=range(D))
        if D > 2 or not (y[:, 0] == y[:, 1]).any():
            assert metrics.top_k_accuracy(t, y, k) == want
    assert metrics.top_k_accuracy(t, y, D) == 1
    assert metrics.top_k_accuracy(np.eye(D)[t], y, 1) <= metrics.top_k_accuracy(t, y, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_roc_auc(seed):
    rng, t, y, D = drawn(seed)
    t[:D] = range(D) if len(t) >= D else t[:D]  # every class is there
    rows = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    if len(t) > D:
        if D > 2:
            for average in ("macro", "weighted"):
                want = sk.roc_auc_score(t, rows, average=average, multi_class="ovr")
                assert metrics.roc_auc(t, rows, average) == pytest.approx(want, rel=1e-13)
                assert metrics.roc_auc(np.eye(D)[t], rows, average) == pytest.approx(want)
        each = [sk.roc_auc_score(t == c, y[:, c]) for c in range(D)]
        np.testing.assert_allclose(metrics.roc_auc(t, y, None), each, rtol=1e-13)
    b = rng.integers(0, 2, 50)
    s = np.round(rng.standard_normal(50) + b, 1)
    assert metrics.roc_auc(b, s) == pytest.approx(sk.roc_auc_score(b, s), rel=1e-13)
    assert metrics.roc_auc(b, s[:, None]) == metrics.roc_auc(b[:, None], s)


def test_roc_auc_by_hand():
    assert metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert metrics.roc_auc([0, 1], [1.0, 1.0]) == 0.5
    for t in ([0, 0], [1, 1]):
        with pytest.raises(ValueError, match=r"^\[roc_auc\] t: expected samples of class 1 and"):
            metrics.roc_auc(t, [0.1, 0.2])
    with pytest.raises(ValueError, match="expected samples of class 2"):
        metrics.roc_auc([0, 1, 1], np.eye(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", SEEDS)
def test_log_loss(seed, dtype):
    rng, t, y, D = drawn(seed)
    rows = np.exp(3 * y) / np.exp(3 * y).sum(axis=1, keepdims=True)
    rows[0] = np.eye(D)[(t[0] + 1) % D]  # certain, and wrong
    rows = rows.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sums of float32 rows
        want = sk.log_loss(t, rows, labels=range(D))
    rtol = 2e-6 if dtype == np.float32 else 1e-12
    assert metrics.log_loss(t, rows) == pytest.approx(want, rel=rtol)
    b, p = rng.integers(0, 2, 40), rng.uniform(size=40).astype(dtype)
    want = sk.log_loss(b, p, labels=[0, 1])
    assert metrics.log_loss(b, p) == pytest.approx(want, rel=rtol)


@pytest.mark.parametrize("seed", SEEDS)
def test_regression(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(2, 60)), int(rng.integers(1, 5)))
    t, y = rng.standard_normal(shape), rng.standard_normal(shape)
    if seed % 2:
        t[:, 0] = 3  # a constant target
    if seed == 3:
        y[:, 0] = 3
    assert metrics.mean_squared_error(t, y) == pytest.approx(sk.mean_squared_error(t, y))
    assert metrics.mean_absolute_error(t, y) == pytest.approx(sk.mean_absolute_error(t, y))
    assert metrics.r2(t, y) == pytest.approx(sk.r2_score(t, y), rel=1e-12)
    assert metrics.r2(t[:, 0], y[:, :1]) == pytest.approx(sk.r2_score(t[:, 0], y[:, 0]), rel=1e-12)


def test_by_hand():
    t, y = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]
    np.testing.assert_array_equal(metrics.confusion_matrix(t, y), [[2, 1, 0], [1, 1, 0], [1, 0, 0]])
    assert metrics.accuracy(t, y) == 0.5
    np.testing.assert_allclose(metrics.precision(t, y, None), [0.5, 0.5, 0])
    np.testing.assert_allclose(metrics.recall(t, y, None), [2 / 3, 0.5, 0])
    np.testing.assert_allclose(metrics.f1(t, y, None), [4 / 7, 0.5, 0])
    assert metrics.f1(t, y, "micro") == 0.5
    # class 1 is said and never there: it counts in the mean, class 2 does not
    assert metrics.f1([0, 0, 3], [0, 1, 3]) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert sk.f1_score([0, 0, 3], [0, 1, 3], average="macro") == pytest.approx((2 / 3 + 1) / 3)
    assert metrics.r2([1, 2, 3], [2, 2, 2]) == 0 and metrics.r2([1, 2], [1, 2]) == 1


NAN = [0.0, np.nan]
BAD = {
    "lengths": (metrics.accuracy, ([0, 1], [0, 1, 1]), ValueError, "a label for each of 3"),
    "empty": (metrics.accuracy, ([], []), ValueError, "y: expected shape"),
    "number": (metrics.f1, (1, 1), ValueError, "y: expected shape"),
    "text": (metrics.recall, (["a"], ["b"]), TypeError, "expected real numbers"),
    "ragged": (metrics.recall, ([0, 1], [[1], [1, 2]]), TypeError, "y: expected an array"),
    "share of a class": (metrics.accuracy, ([0, 1], [0.5, 1]), ValueError, "y: expected class num"),
    "negative label": (
        metrics.accuracy,
        ([-1, 1], [0, 1]),
        ValueError,
        "t: expected class numbers",
    ),
    "label out of range": (
        metrics.accuracy,
        ([0, 2], np.eye(2)),
        ValueError,
        "expected labels 0 to 1",
    ),
    "no one-hot": (metrics.accuracy, (np.ones((2, 2)), np.eye(2)), ValueError, "one-hot rows"),
    "other classes": (metrics.accuracy, (np.eye(3)[:2], np.eye(2)), ValueError, "of 2 classes"),
    "not finite": (metrics.accuracy, ([0, 1], NAN), ValueError, "y: expected finite numbers"),
    "few classes": (metrics.confusion_matrix, ([0, 2], [0, 1], 2), ValueError, "classes: expected"),
    "average": (metrics.f1, ([0, 1], [0, 1], "mean"), ValueError, "average: expected None"),
    "binary of 3": (metrics.f1, ([0, 1], [0, 2], "binary"), ValueError, "for 3 classes"),
    "k 0": (metrics.top_k_accuracy, ([0, 1], np.eye(2), 0), ValueError, "k: expected an integer"),
    "k 3": (metrics.top_k_accuracy, ([0, 1], np.eye(2), 3), ValueError, "from 1 to 2, got 3"),
    "k of classes": (metrics.top_k_accuracy, ([0, 1], [0, 1]), ValueError, r"y: expected scores"),
    "auc of 3 labels": (metrics.roc_auc, ([0, 2], [0.1, 0.2]), ValueError, "labels 0 to 1"),
    "auc micro": (metrics.roc_auc, ([0, 1], [0, 1], "micro"), ValueError, "average: expected"),
    "no probability": (
        metrics.log_loss,
        ([0, 1], [0, 1.5]),
        ValueError,
        "probabilities from 0",
    ),
    "sums": (metrics.log_loss, ([0, 1], np.full((2, 2), 0.3)), ValueError, "rows of sum 1"),
    "regression shapes": (metrics.r2, ([1, 2], [1, 2, 3]), ValueError, r"y: expected shape \(2,\)"),
    "no broadcasting": (
        *(metrics.mean_squared_error, (np.ones((3, 2)), np.ones(3))),
        *(ValueError, r"y: expected shape \(3, 2\)"),
    ),
    "one sample": (metrics.r2, ([1], [1]), ValueError, "at least 2 samples"),
    "inf": (metrics.mean_absolute_error, ([1, 2], [1, np.inf]), ValueError, "finite numbers"),
}


@pytest.mark.parametrize(("f", "arguments", "error", "words"), BAD.values(), ids=BAD)
def test_bad_input(f, arguments, error, words):
    with pytest.raises(error, match=rf"^\[{f.__name__}\] .*{words}"):
        f(*arguments)
