"""Callbacks that change the rate or the weights: on a plateau, and averages."""

from __future__ import annotations

import numpy as np
import pytest
from trainer_cases import samples, scripted

from pynet.callbacks import LambdaCallback, ReduceRateOnPlateau, UseAverage
from pynet.networks import MultiLayerNetExtend
from pynet.optimizers import Momentum, MovingAverage, StochasticAverage
from pynet.schedules import ReduceOnPlateau
from pynet.trainer import Trainer

VALUES = [1, 2, 2, 2, 3, 3, 3, 3, 3]


def plateau():
    return ReduceRateOnPlateau("score", ReduceOnPlateau(0.5, patience=1, mode="max"))


def watched(values, callback, **options):
    """A run and the list of its learning rates."""
    seen = []
    look = LambdaCallback(step=lambda run: seen.append(run.optimizer.lr))
    return (*scripted(values, [callback, look], **options), seen)


def test_the_rate_falls_on_a_plateau():
    """The factor holds for the steps after the epoch."""
    callback = plateau()
    _, trainer, seen = watched(VALUES, callback)
    trainer.train()
    expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]  # epochs 3 and 4, then 6 and 7 are no better
    assert seen == [rate for rate in expected for _ in range(2)]
    assert trainer.rate_factor == 0.125

    trainer.current_iter = 0  # a new run begins with the whole rate
    callback.begin(trainer)
    assert trainer.rate_factor == 1 and callback.rule.current == 1


def test_the_rate_falls_within_a_schedule():
    _, trainer, seen = watched([1] * 9, plateau(), schedule="cosine")
    trainer.train()
    for step, rate in enumerate(seen):
        factor = 0.5 ** max((step // 2 - 1) // 2, 0)
        assert rate == pytest.approx(factor * 0.5 * (1 + np.cos(np.pi * step / 18)))
    assert ReduceRateOnPlateau("mae error").rule.mode == "min"


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_resumed_run_goes_on_with_the_rate(tmp_path, schedule):
    _, whole, expected = watched(VALUES, plateau(), schedule=schedule)
    whole.train()
    _, one, _ = watched(VALUES, plateau(), schedule=schedule)
    for _ in range(10):
        one.train_step()
    one.save(tmp_path / "c")
    _, two, seen = watched(VALUES[5:], plateau(), schedule=schedule)
    two.resume(tmp_path / "c")
    assert two.rate_factor == 0.5
    two.train()
    assert seen == expected[10:]


@pytest.mark.parametrize("average", [MovingAverage(0.5), StochasticAverage()])
def test_the_average_of_the_weights_is_used(average):
    x, t = samples(40)
    np.random.seed(0)
    net = MultiLayerNetExtend(6, [5], 3, use_batchnorm=True)
    weights = []
    trainer = Trainer(
        *(net, x, t, None, None, 2, 10, Momentum(0.1).add_hook(average)),
        verbose=False,
        sampling="epoch",
        callbacks=[
            LambdaCallback(step=lambda run: weights.append(np.array(run.network.params["W1"]))),
            UseAverage(average),
        ],
    )
    trainer.train()
    mean = weights[0].astype(float)
    for i, W in enumerate(weights[1:], 2):
        rate = 0.5 if isinstance(average, MovingAverage) else 1 / i
        mean += rate * (W - mean)
    np.testing.assert_allclose(net.params["W1"], mean, rtol=1e-5, atol=1e-7)
    assert (net.params["W1"] != weights[-1]).any()
