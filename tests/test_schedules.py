"""Schedules: their formulas, what they are composed of, and a rate that follows a plateau."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pynet import schedules as s
from pynet.optimizers import SGD
from pynet.trainer import Trainer

SHARES = np.linspace(0, 1, 41)


def half_cosine(done):
    return (1 + math.cos(math.pi * done)) / 2


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (s.constant, lambda d: 1.0),
        (s.cosine, half_cosine),
        (s.Cosine(0.2), lambda d: 0.2 + 0.8 * half_cosine(d)),
        (s.Step(0.5, (0.25, 0.5, 0.75)), lambda d: 0.5 ** min(int(4 * d), 3)),
        (s.Exponential(0.01), lambda d: math.exp(math.log(0.01) * d)),
        (s.InverseTime(4.0), lambda d: 1 / (1 + 4 * d)),
        (s.Polynomial(), lambda d: 1 - d),
        (s.Polynomial(2, 0.1), lambda d: 0.1 + 0.9 * (1 - d) ** 2),
        (s.CosineRestarts(4), lambda d: half_cosine(4 * d % 1) if d < 1 else 0.0),
        (
            s.CosineRestarts(2, growth=3.0, last=0.1),
            lambda d: 0.1 + 0.9 * half_cosine(4 * d if d < 0.25 else (d - 0.25) / 0.75),
        ),
        (
            s.OneCycle(0.3, 0.04, 0.0),
            lambda d: 1 - 0.96 * half_cosine(d / 0.3) if d < 0.3 else half_cosine((d - 0.3) / 0.7),
        ),
        (s.Warmup(0.2, first=0.1), lambda d: min(1.0, 0.1 + 0.9 * d / 0.2)),
        (
            s.Warmup(0.2, then=s.Polynomial(), first=0.0),
            lambda d: d / 0.2 if d < 0.2 else 1 - (d - 0.2) / 0.8,
        ),
    ],
    ids=lambda value: s.describe(value) if callable(value) else str(value),
)
def test_formula(schedule, formula):
    for done in SHARES:
        assert schedule(float(done)) == pytest.approx(formula(done), abs=1e-12)


@pytest.mark.parametrize("name", s.SCHEDULES)
def test_every_schedule_is_a_factor(name):
    schedule = s.SCHEDULES[name]
    factors = [schedule(float(done)) for done in SHARES]
    assert all(type(factor) is float and 0 <= factor <= 1 for factor in factors)
    assert max(factors) == pytest.approx(1)
    assert 0 <= schedule(1.0) <= 1 and schedule(0.0) == schedule(0)
    text = s.describe(schedule)
    if "(" in text:  # what a checkpoint stores says all there is
        assert eval(text, vars(s)) == schedule


def test_what_is_stored_of_a_schedule():
    nested = s.Warmup(0.1, then=s.Warmup(0.5, then=s.cosine))
    assert s.describe("cosine") == "cosine" == s.describe(s.cosine)
    assert s.describe(nested) == (
        "Warmup(share=0.1, then=Warmup(share=0.5, then=cosine, first=0.01), first=0.01)"
    )
    assert s.describe(s.Step(0.2)) == "Step(factor=0.2, at=(0.5, 0.75))"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: s.Cosine(-0.1), r"\[Cosine\] last: expected a finite number >= 0 and <= 1, got"),
        (lambda: s.Step(2.0), r"\[Step\] factor"),
        (lambda: s.Step(at=(0.5, 1.5)), r"\[Step\] at: .*, got 1.5"),
        (lambda: s.Exponential(0.0), r"\[Exponential\] last"),
        (lambda: s.InverseTime(math.inf), r"\[InverseTime\] rate"),
        (lambda: s.Polynomial(-1), r"\[Polynomial\] power"),
        (lambda: s.CosineRestarts(0), r"\[CosineRestarts\] cycles: expected at least 1"),
        (lambda: s.CosineRestarts(growth=0.5), r"\[CosineRestarts\] growth"),
        (lambda: s.OneCycle(up=math.nan), r"\[OneCycle\] up"),
        (lambda: s.Warmup(1.5), r"\[Warmup\] share"),
        (lambda: s.ReduceOnPlateau(factor=2.0), r"\[ReduceOnPlateau\] factor"),
        (lambda: s.ReduceOnPlateau(patience=-1), r"\[ReduceOnPlateau\] patience"),
        (lambda: s.ReduceOnPlateau(mode="low"), r"\[ReduceOnPlateau\] mode: .*, got 'low'"),
        (lambda: s.ReduceOnPlateau().update(math.nan), r"\[ReduceOnPlateau.update\] figure"),
    ],
)
def test_values_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def test_types_that_make_no_sense():
    for make in (
        lambda: s.Cosine("0.1"),
        lambda: s.Warmup(then="cosine"),
        lambda: s.Polynomial([]),
    ):
        with pytest.raises(TypeError, match=r"^\[\w+\] \w+: expected"):
            make()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_warm_up_of_nothing_and_of_everything(share):
    factors = [s.Warmup(share)(done) for done in (0.0, 0.5, 1.0)]
    assert factors == ([1, 1, 1] if share == 0 else pytest.approx([0.01, 0.505, 1]))


# ---- in a Trainer ------------------------------------------------------------------------------


class Net:
    def __init__(self):
        self.params = {"W": np.zeros(3)}
        self.rates = []

    def gradient(self, x, t):
        return {"W": np.ones(3)}

    def loss(self, x, t):
        return 1.0

    def accuracy(self, x, t):
        return 0.5


def trainer(schedule):
    x, t = np.zeros((40, 2)), np.zeros(40, int)
    return Trainer(Net(), x, t, x, t, 2, 10, SGD(0.5), verbose=False, schedule=schedule)


@pytest.mark.parametrize("schedule", [*s.SCHEDULES, s.Warmup(0.5, then=s.Step()), lambda d: d])
def test_the_rate_of_each_step(schedule):
    run = trainer(schedule)
    for step in range(run.max_iter):
        run.train_step()
        function = s.SCHEDULES[schedule] if isinstance(schedule, str) else schedule
        assert run.optimizer.lr == pytest.approx(0.5 * function(step / 8))


def test_resume_asks_for_the_same_schedule(tmp_path):
    path = tmp_path / "c.safetensors"
    one = trainer(s.Warmup(0.5))
    one.train_step()
    one.save(path)
    trainer(s.Warmup(0.5)).resume(path)
    for other in ("warmup", s.Warmup(0.25), s.Warmup(0.5, then=s.cosine)):
        with pytest.raises(ValueError, match=r"schedule: expected Warmup\(share=0.5, then=const"):
            trainer(other).resume(path)


def test_no_schedule():
    with pytest.raises(TypeError, match=r"^\[Trainer\] schedule: expected a name or a function"):
        trainer(0.1)


# ---- a plateau ---------------------------------------------------------------------------------


def test_reduce_on_plateau():
    plateau = s.ReduceOnPlateau(factor=0.5, patience=1, min_delta=0.1)
    figures = [1.0, 0.5, 0.45, 0.44, 0.43, 0.2, 0.2, 0.2, 0.2]
    factors = [plateau.update(figure) for figure in figures]
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_plateaus_of_an_accuracy_with_a_rest_and_an_end():
    plateau = s.ReduceOnPlateau(
        factor=0.1, patience=0, mode="max", cooldown=2, least=0.01, min_delta=0.0
    )
    factors = [plateau.update(0.5) for _ in range(9)]
    expected = [1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01]
    assert factors == pytest.approx(expected)
    assert plateau.update(0.6) == pytest.approx(0.01) and plateau.best == 0.6


def test_a_plateau_goes_on_from_its_state():
    figures = np.random.default_rng(0).standard_normal(60)
    one = s.ReduceOnPlateau(factor=0.9, patience=2, cooldown=1)
    for figure in figures[:30]:
        one.update(figure)
    two = s.ReduceOnPlateau(factor=0.9, patience=2, cooldown=1)
    two.set_state(one.state())
    rest = [one.update(figure) for figure in figures[30:]]
    assert rest == [two.update(figure) for figure in figures[30:]] and rest[-1] < rest[0]
    assert repr(one).startswith("ReduceOnPlateau(factor=0.9, patience=2, min_delta=0.0001, mode=")
