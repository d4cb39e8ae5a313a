"""Splits in three parts and in k folds: sizes, shares, every sample once, randomness."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pynet.datasets import k_fold, train_val_test_split


def data(N, D=4, seed=0):
    """Samples that name themselves, and labels of unequal frequency."""
    rng = np.random.default_rng(seed)
    return np.arange(N), rng.choice(D, N, p=np.arange(1, D + 1) / (D * (D + 1) / 2))


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize(
    ("N", "ratios", "sizes"),
    [
        (10_000, (6, 2, 2), [6000, 2000, 2000]),
        (1000, (0.6, 0.2, 0.2), [600, 200, 200]),
        (11, (6, 2, 2), [7, 2, 2]),
        (14, (6, 2, 2), [8, 3, 3]),
        (3, (1, 1, 1), [1, 1, 1]),
        (4, (1, 1, 1), [2, 1, 1]),
        (60_000, (5, 1, 0), [50_000, 10_000, 0]),
        (1, (6, 2, 2), [1, 0, 0]),
    ],
)
def test_sizes(N, ratios, sizes, stratify):
    x, t = data(N)
    parts = train_val_test_split(x, t, ratios, stratify=stratify)
    assert [len(part[0]) for part in parts] == sizes
    for px, pt in parts:
        np.testing.assert_array_equal(pt, t[px])  # x and t stay together
    assert sorted(np.concatenate([px for px, _ in parts])) == list(range(N))


def test_shares_of_classes_in_three_parts():
    rng = np.random.default_rng(0)
    for seed in range(200):
        N = int(rng.integers(1, 120))
        x, t = data(N, int(rng.integers(1, 9)), seed)
        ratios = rng.uniform(0, 1, 3) if seed % 2 else (6, 2, 2)
        parts = train_val_test_split(x, t, ratios, stratify=True, seed=seed)
        assert sorted(np.concatenate([px for px, _ in parts])) == list(range(N))
        for px, pt in parts:
            for label in set(t):
                exact = np.sum(t == label) * len(px) / N
                assert abs(np.sum(pt == label) - exact) <= 1


@pytest.mark.parametrize("stratify", [False, True])
def test_k_fold(stratify):
    rng = np.random.default_rng(1)
    for seed in range(60):
        N = int(rng.integers(2, 90))
        k = int(rng.integers(2, min(N, 12) + 1))
        t = data(N, int(rng.integers(1, 6)), seed)[1]
        folds = k_fold(t, k, stratify=stratify, seed=seed)
        assert [len(test) for _, test in folds] == [N // k + (i < N % k) for i in range(k)]
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(N))
        for train, test in folds:
            assert sorted([*train, *test]) == list(range(N))
            for label in set(t) if stratify else ():
                exact = np.sum(t == label) * len(test) / N
                assert abs(np.sum(t[test] == label) - exact) <= 1


def test_a_split_that_is_not_stratified_may_leave_a_class_out():
    t = np.repeat([0, 1], [95, 5])
    found = [
        np.sum(train_val_test_split(t, t, seed=seed)[2][1]) for seed in range(50)
    ]  # stratified: always 1 of 20
    assert min(found) == 0 and max(found) > 1
    for seed in range(50):
        assert np.sum(train_val_test_split(t, t, seed=seed, stratify=True)[2][1]) == 1


def test_one_hot_rows_and_images():
    x, t = data(50)
    images = x.reshape(-1, 1, 1, 1) * np.ones((1, 1, 2, 2))
    a = train_val_test_split(images, np.eye(4)[t], stratify=True)
    b = train_val_test_split(x, t, stratify=True)
    for (ax, at), (bx, bt) in zip(a, b):
        np.testing.assert_array_equal(ax[:, 0, 0, 0], bx)
        np.testing.assert_array_equal(at.argmax(axis=1), bt)
    for one, other in zip(k_fold(np.eye(4)[t], 3, stratify=True), k_fold(t, 3, stratify=True)):
        np.testing.assert_array_equal(one[1], other[1])
    real = np.random.default_rng(0).standard_normal((50, 2))
    assert len(train_val_test_split(x, real)[0][1]) == 30 and len(k_fold(real, 5)) == 5


def test_the_seed_decides_and_np_random_is_left_alone():
    x, t = data(40)
    np.random.seed(3)
    random.seed(3)
    before = np.random.get_state()[1].tolist(), random.getstate()
    first = train_val_test_split(x, t, seed=1)[0][0].tolist()
    assert train_val_test_split(x, t, seed=1)[0][0].tolist() == first
    assert train_val_test_split(x, t, seed=2)[0][0].tolist() != first
    assert k_fold(t, 4, seed=1)[0][1].tolist() == k_fold(t, 4, seed=1)[0][1].tolist()
    assert k_fold(t, 4, seed=1)[0][1].tolist() != k_fold(t, 4, seed=2)[0][1].tolist()
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before
    asked = train_val_test_split(x, t, seed=None)[0][0].tolist()
    assert train_val_test_split(x, t, seed=None)[0][0].tolist() != asked
    np.random.seed(3)
    assert train_val_test_split(x, t, seed=None)[0][0].tolist() == asked


X, T = np.zeros((4, 2)), np.array([0, 1, 0, 1])
BAD = {
    "lengths": (lambda: train_val_test_split(X, T[:3]), ValueError, "t: expected one target"),
    "empty": (lambda: train_val_test_split(X[:0], T[:0]), ValueError, "t: expected one target"),
    "numbers": (lambda: train_val_test_split(1, 1), ValueError, "x: expected an array"),
    "two ratios": (
        lambda: train_val_test_split(X, T, (8, 2)),
        ValueError,
        "ratios: expected",
    ),
    "negative": (lambda: train_val_test_split(X, T, (8, 4, -2)), ValueError, "ratios: expected"),
    "zeros": (lambda: train_val_test_split(X, T, (0, 0, 0)), ValueError, "ratios: expected"),
    "nan": (lambda: train_val_test_split(X, T, (1, 1, np.nan)), ValueError, "ratios: expected"),
    "text": (lambda: train_val_test_split(X, T, "622"), ValueError, "ratios: expected"),
    "images as labels": (
        *(lambda: train_val_test_split(X, np.zeros((4, 2, 2)), stratify=True), ValueError),
        "t: expected labels",
    ),
    "seed": (lambda: train_val_test_split(X, T, seed=0.5), TypeError, "seed: expected an integer"),
    "seed -1": (lambda: train_val_test_split(X, T, seed=-1), ValueError, "seed: expected"),
    "one fold": (lambda: k_fold(T, 1), ValueError, "k: expected an integer from 2 to 4"),
    "too many folds": (lambda: k_fold(T, 5), ValueError, "got 5"),
    "half a fold": (lambda: k_fold(T, 2.5), ValueError, "got 2.5"),
    "no samples": (lambda: k_fold(3, 2), ValueError, "t: expected an array, got"),
    "fold seed": (lambda: k_fold(T, 2, seed="a"), TypeError, "seed: expected an integer or None"),
}


@pytest.mark.parametrize(("call", "error", "words"), BAD.values(), ids=BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=rf"^\[(train_val_test_split|k_fold)\] .*{words}"):
        call()
