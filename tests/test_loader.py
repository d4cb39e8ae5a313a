"""Batches: every sample once per epoch, another order every epoch, how many there are."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.loader import Sampler, batches


def numbered(N):
    return np.arange(N)[:, None], np.arange(N)


def epoch(loader):
    return [t.tolist() for _, t in loader]


@pytest.mark.parametrize(
    ("N", "batch_size", "count"),
    [(20, 20, 1), (20, 1, 20), (10_000, 100, 100), (60_000, 1, 60_000), (60_000, 1000, 60)]
    + [(10, 4, 3), (3, 100, 1)],
)
def test_batches_in_an_epoch(N, batch_size, count):
    """20 samples: 1 update or 20; 10,000 in hundreds: 100; 60,000: 60,000 or 60."""
    x, t = numbered(N)
    assert len(batches(x, t, batch_size)) == count
    assert sum(1 for _ in batches(x, t, batch_size)) == count


@pytest.mark.parametrize("seed", [None, 7])
def test_every_sample_once_per_epoch_in_another_order(seed):
    np.random.seed(0)
    x, t = numbered(23)
    loader = batches(x, t, 5, seed=seed)
    orders = [sum(epoch(loader), []) for _ in range(3)]
    for order in orders:
        assert sorted(order) == list(range(23)) != order
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert [len(each) for each in epoch(loader)] == [5, 5, 5, 5, 3]
    assert [len(each) for each in epoch(batches(x, t, 5, drop_last=True))] == [5, 5, 5, 5]
    for rows, labels in loader:
        np.testing.assert_array_equal(rows[:, 0], labels)


def test_a_loop_that_is_left_early_is_not_continued():
    loader = batches(*numbered(12), 4, seed=0)
    next(iter(loader))
    assert sorted(sum(epoch(loader), [])) == list(range(12))


def test_with_replacement():
    found = epoch(batches(*numbered(50), 20, replacement=True, seed=1))
    assert [len(each) for each in found] == [20, 20, 20]
    assert len(set(sum(found, []))) < 50  # 60 draws from 50 hit all of them once in a million years


def test_without_shuffling():
    assert epoch(batches(*numbered(5), 2, shuffle=False)) == [[0, 1], [2, 3], [4]]


def test_a_seed_gives_the_same_orders_and_leaves_the_global_one():
    before = np.random.get_state()[1].copy()
    one, two = (batches(*numbered(30), 7, seed=3) for _ in range(2))
    assert [epoch(one), epoch(one)] == [epoch(two), epoch(two)]
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_the_samplers_of_the_trainer():
    np.random.seed(0)
    expected = np.random.choice(250, 100)  # the book's line
    np.random.seed(0)
    book = Sampler(250, 100, "replacement")
    np.testing.assert_array_equal(book.draw(0), expected)
    assert book.iter_per_epoch == 2.5
    assert Sampler(250, 100, "epoch").iter_per_epoch == 3
    full = Sampler(250, 100, "full")
    assert (full.batch_size, full.iter_per_epoch, full.draw(5)) == (250, 1, slice(None))


@pytest.mark.parametrize(
    ("t", "options", "message"),
    [
        (np.arange(4), {}, "t: expected one target for each of 5 samples, got 4"),
        (np.arange(5), {"batch_size": 0}, "batch_size: expected at least 1, got 0"),
    ],
)
def test_bad_arguments(t, options, message):
    with pytest.raises(ValueError, match=rf"^\[batches\] {message}"):
        batches(np.zeros((5, 2)), t, **options)
