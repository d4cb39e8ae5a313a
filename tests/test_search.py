"""Hyperparameter search: spaces, rules, rounds, determinism, and which data it sees."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trainer_cases import samples

from pynet.callbacks import Report
from pynet.networks import TwoLayerNet
from pynet.search import (
    Choice,
    IntRange,
    LogUniform,
    MedianRule,
    SuccessiveHalving,
    Uniform,
    search,
)
from pynet.trainer import Trainer

BACKENDS = ["builtin", "optuna"]
SPACE = {"lr": LogUniform(1e-4, 1.0), "decay": LogUniform(1e-8, 1e-2)}


def bowl(trial):
    """Best at lr = 0.01, decay = 1e-5, one power of 10 away costs 1 (lr) or 0.1 (decay)."""
    off = math.log10(trial["lr"]) + 2, math.log10(trial["decay"]) + 5
    return -(off[0] ** 2) - 0.1 * off[1] ** 2


# ---- spaces --------------------------------------------------------------------------------------


def test_log_ranges_give_each_power_of_ten_its_share():
    space, rng = LogUniform(1e-6, 1e-2), np.random.default_rng(0)
    values = np.array([space.at(rng.random()) for _ in range(4000)])
    assert 1e-6 <= values.min() and values.max() <= 1e-2
    shares = np.histogram(np.log10(values), bins=[-6, -5, -4, -3, -2])[0] / 4000
    np.testing.assert_allclose(shares, 0.25, atol=0.03)
    linear = np.array([Uniform(1e-6, 1e-2).at(rng.random()) for _ in range(4000)])
    assert np.mean(linear < 1e-3) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers(log):
    space, rng = IntRange(1, 4, log), np.random.default_rng(0)
    values = [space.at(rng.random()) for _ in range(4000)]
    counts = np.bincount(values)[1:] / 4000
    expected = np.diff(np.log([0.5, 1.5, 2.5, 3.5, 4.5])) if log else np.ones(4)
    np.testing.assert_allclose(counts, expected / expected.sum(), atol=0.03)
    assert (space.at(0.0), space.at(1 - 1e-16)) == (1, 4)


def test_grids():
    grid = LogUniform(1e-4, 1).grid(4)
    np.testing.assert_allclose(np.log10(grid), [-3.5, -2.5, -1.5, -0.5])
    assert Uniform(0, 1).grid(2) == [0.25, 0.75]
    assert IntRange(1, 3).grid(9) == [1, 2, 3]
    assert Choice("abc").grid(1) == ["a", "b", "c"]


def test_narrowing_is_in_the_own_scale():
    narrow = LogUniform(1e-4, 1).narrow([1e-3, 1e-2])  # a tenth of 4 powers of 10 on each side
    np.testing.assert_allclose([narrow.low, narrow.high], [10**-3.4, 10**-1.6])
    whole = LogUniform(1e-4, 1).narrow([1e-4, 1])
    np.testing.assert_allclose([whole.low, whole.high], [1e-4, 1])
    assert repr(Uniform(0, 10).narrow([4])) == "Uniform(3, 5)"
    whole = IntRange(0, 99).narrow([40, 50])
    assert (whole.low, whole.high) == (30, 60)
    assert Choice("abc").narrow(["c", "c", "b"]).values == ["b", "c"]
    assert IntRange(1, 3).narrow([2]).at(0.99) == 2


# ---- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["max", "min"])
def test_it_finds_the_bowl(backend, mode):
    sign = 1 if mode == "max" else -1
    result = search(
        lambda trial: sign * bowl(trial), SPACE, trials=40, mode=mode, backend=backend, seed=1
    )
    assert len(result.trials) == 40
    assert sign * result.best.value == max(sign * trial.value for trial in result.trials)
    assert sign * result.best.value > -0.25  # half a power of 10
    assert result.best_params == result.best.params


def test_rounds_narrow_around_the_best():
    one = search(bowl, SPACE, trials=45, seed=2)
    three = search(bowl, SPACE, trials=45, rounds=3, seed=2)
    widths = [math.log10(space["lr"].high / space["lr"].low) for space in three.spaces]
    assert widths[0] == pytest.approx(4) and widths[0] > widths[1] > widths[2]
    assert [trial.round for trial in three.trials] == [0] * 15 + [1] * 15 + [2] * 15
    for trial in three.trials:
        space = three.spaces[trial.round]["lr"]
        assert space.low <= trial.params["lr"] <= space.high
    assert three.space["lr"].low < 0.01 < three.space["lr"].high
    last = [trial.value for trial in three.trials[30:]]
    assert np.median(last) > np.median([trial.value for trial in one.trials[30:]])
    assert three.trials[:15] == one.trials[:15]


def test_the_grid():
    result = search(bowl, {**SPACE, "kind": Choice("ab")}, trials=20, method="grid")
    assert len(result.trials) == 18  # two kinds, three rates, three decays
    assert len({trial.params["lr"] for trial in result.trials}) == 3
    assert len({tuple(trial.params.values()) for trial in result.trials}) == 18
    random = search(bowl, SPACE, trials=18)
    assert len({trial.params["lr"] for trial in random.trials}) == 18  # why random is better


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_seed_gives_the_same_trials_and_np_random_stays(backend):
    def noisy(trial):
        return bowl(trial) + np.random.randn(1 + trial.number)[-1]

    before = np.random.get_state()[1].copy()
    space = {**SPACE, "width": IntRange(5, 50), "kind": Choice(["a", None])}
    runs = [search(noisy, space, trials=8, backend=backend, seed=s) for s in (3, 3, 4)]
    assert runs[0].trials == runs[1].trials
    assert [t.params for t in runs[0].trials] != [t.params for t in runs[2].trials]
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert isinstance(runs[0].best.params["width"], int)
    assert {trial.params["kind"] for trial in runs[0].trials} <= {"a", None}


def test_only_training_and_validation_data_are_seen():
    x, t = samples(100)
    seen = []

    def objective(trial):
        seen.append((trial.train, trial.validation))
        return 0.0

    search(objective, SPACE, trials=2, data=(x, t), validation=0.2)
    (train, held_out), again = seen
    assert len(train[0]) == 80 and len(held_out[0]) == 20
    rows = np.concatenate([train[0], held_out[0]])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, x))
    assert abs(held_out[1].mean() - t.mean()) < 0.1  # every class has its share
    np.testing.assert_array_equal(held_out[0], again[1][0])
    search(objective, SPACE, trials=1, data=(x, t), validation=(x[:5], t[:5]))
    assert len(seen[-1][0][0]) == 100 and len(seen[-1][1][0]) == 5
    search(objective, SPACE, trials=1)
    assert seen[-1] == (None, None)


# ---- trials that end early -----------------------------------------------------------------------


def test_the_median_rule_by_hand():
    rule = MedianRule(warmup_trials=3, warmup_steps=1)
    others = [{1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.4}, {1: 0.9, 2: 0.6}, {1: 0.0}]
    assert not rule.bad(1, {1: -1}, others)
    assert rule.bad(2, {1: 0.1, 2: 0.3}, others)  # the median of 0.2, 0.4, 0.6 is 0.4
    assert not rule.bad(2, {1: 0.5, 2: 0.3}, others)  # its best value counts
    assert not rule.bad(2, {1: 0.1, 2: 0.3}, others[:2])


def test_successive_halving_by_hand():
    rule = SuccessiveHalving(first=2, factor=2)
    others = [{2: 0.1, 4: 0.1}, {2: 0.2}, {2: 0.3, 4: 0.5}, {2: 0.4}]
    assert not rule.bad(1, {1: -1}, others) and not rule.bad(3, {3: -1}, others)
    assert rule.bad(2, {2: 0.25}, others) and not rule.bad(2, {2: 0.3}, others)
    assert rule.bad(4, {2: 0.9, 4: 0.4}, others) and not rule.bad(4, {4: 0.6}, others)
    assert not rule.bad(8, {8: 0.0}, others)  # nobody was there before


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rule", [MedianRule(), SuccessiveHalving()])
def test_bad_trials_end_early_and_the_best_is_kept(backend, rule):
    steps = []

    def objective(trial):
        for step in range(1, 10):
            steps.append(step)
            trial.report(step, bowl(trial) - 1 / step)
        return bowl(trial)

    result = search(objective, SPACE, trials=30, stop_bad=rule, backend=backend, seed=5)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert 5 < len(pruned) <= 28 and len(steps) < 0.8 * 270
    assert all(trial.value == list(trial.reports.values())[-1] for trial in pruned)
    assert result.best.state == "complete" and len(result.best.reports) == 9
    worst = min(trial.value for trial in result.ranked()[: len(result.ranked()) // 2])
    assert np.median([bowl(trial.params and trial) for trial in map(_Params, pruned)]) < worst


class _Params:
    def __init__(self, record):
        self.params = record.params

    def __getitem__(self, name):
        return self.params[name]


def test_a_search_with_a_trainer():
    x, t = samples(120)

    def objective(trial):
        net = TwoLayerNet(6, trial["width"], 3, 0.5)
        trainer = Trainer(
            *(net, *trial.train, None, None, 4, 20),
            optimizer_param={"lr": trial["lr"]},
            verbose=False,
            sampling="epoch",
            validation=trial.validation,
            callbacks=[Report(trial.report)],
        )
        trainer.train()
        return net.accuracy(*trial.validation)

    space = {"lr": LogUniform(1e-3, 1e9), "width": IntRange(2, 20, log=True)}
    result = search(objective, space, trials=20, data=(x, t), stop_bad=MedianRule(2), seed=1)
    states = {trial.state for trial in result.trials}
    assert states == {"complete", "pruned", "failed"}  # the highest rates diverge
    assert result.best.value > 0.7
    assert all(len(trial.reports) == 4 for trial in result.ranked())
    lines = str(result).splitlines()
    assert lines[0].split() == ["number", "round", "state", "value", "steps", "lr", "width"]
    assert lines[1].split()[0] == str(result.best.number) and len(lines) == 21


def test_nothing_succeeded():
    result = search(lambda trial: math.nan, SPACE, trials=4, rounds=2)
    assert {trial.state for trial in result.trials} == {"failed"}
    assert result.spaces[1] == SPACE  # nothing to narrow around
    with pytest.raises(ValueError, match=r"^\[SearchResult\] best: expected a complete trial"):
        _ = result.best
    assert str(result).count("failed") == 4


def test_other_errors_pass():
    with pytest.raises(KeyError):
        search(lambda trial: trial["rate"], SPACE, trials=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: search(bowl, {}), ValueError, r"\[search\] space: expected at least one"),
        (lambda: search(bowl, {"lr": 0.1}), TypeError, r"space\['lr'\]: expected Uniform, .*float"),
        (lambda: search(bowl, SPACE, trials=2, rounds=3), ValueError, "1 <= rounds <= trials"),
        (lambda: search(bowl, SPACE, keep=0), ValueError, "keep: expected a share above 0"),
        (lambda: search(bowl, SPACE, mode="best"), ValueError, "mode: expected max or min"),
        (lambda: search(bowl, SPACE, method="tpe"), ValueError, "method: expected random or grid"),
        (lambda: search(bowl, SPACE, backend="x"), ValueError, "backend: expected builtin or"),
        (lambda: search(bowl, SPACE, method="grid", rounds=2), ValueError, "rounds: expected 1"),
        (
            lambda: search(bowl, SPACE, method="grid", backend="optuna"),
            ValueError,
            "method: expected random with Optuna",
        ),
        (
            lambda: search(bowl, SPACE, data=(np.ones(3), np.ones(2))),
            ValueError,
            "data: expected a target for each of 3 samples, got 2",
        ),
        (lambda: LogUniform(0, 1), ValueError, r"\[LogUniform\] low: expected a number > 0, got 0"),
        (
            lambda: Uniform(1, 1),
            ValueError,
            r"\[Uniform\] low, high: expected finite numbers",
        ),
        (lambda: Uniform(0, math.inf), ValueError, "got 0 and inf"),
        (lambda: IntRange(3, 3), ValueError, r"\[IntRange\] low, high: expected low < high"),
        (lambda: IntRange(0, 3, log=True), ValueError, "expected 1 <= low < high, got 0 and 3"),
        (lambda: IntRange(0.5, 3), TypeError, "low: expected an integer, got 0.5"),
        (lambda: Choice([]), ValueError, r"\[Choice\] values: expected at least one"),
        (lambda: SuccessiveHalving(0), ValueError, "expected first >= 1 and factor >= 2"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
