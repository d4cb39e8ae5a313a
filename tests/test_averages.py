"""Averages of the weights over the updates."""

from __future__ import annotations

import numpy as np
import pytest
from hook_cases import F64, both, grads_of, run, start

from pynet.optimizers import SGD, MovingAverage, StochasticAverage


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moving_average(flat, dtype):
    average = MovingAverage(0.9)
    optimizer, params = SGD(0.1).add_hook(average), start(flat, dtype=dtype)
    expected = None
    for step in range(20):
        optimizer.update(params, grads_of(step, flat, dtype=dtype))
        now = {key: p.astype(F64) for key, p in params.items()}
        expected = expected or now
        expected = {key: 0.9 * expected[key] + 0.1 * now[key] for key in now}
    for key, mean in average.average.items():
        assert mean.dtype == dtype
        np.testing.assert_allclose(mean, expected[key], rtol=1e-12 if dtype == F64 else 1e-5)


@both
def test_stochastic_average(flat):
    average = StochasticAverage(start=4, every=3)
    optimizer, params = SGD(0.1).add_hook(average), start(flat)
    seen = []
    for step in range(1, 15):
        optimizer.update(params, grads_of(step, flat))
        if step in (7, 10, 13):
            seen.append({key: p.copy() for key, p in params.items()})
    assert average.count == 3
    for key, mean in average.average.items():
        np.testing.assert_allclose(mean, np.mean([s[key] for s in seen], axis=0), rtol=1e-13)


@both
def test_the_average_is_applied_and_taken_back(flat):
    average = MovingAverage(0.5)
    params = run(SGD(0.1).add_hook(average), flat)
    before = {key: p.tobytes() for key, p in params.items()}
    arrays = dict(params)
    with pytest.raises(RuntimeError, match="inside"), average.applied(params):
        for key, p in params.items():
            assert p is arrays[key]
            np.testing.assert_array_equal(p, average.average[key])
        raise RuntimeError("inside")
    assert {key: p.tobytes() for key, p in params.items()} == before


def test_an_average_of_nothing_or_of_others():
    average = MovingAverage()
    with pytest.raises(ValueError, match=r"^\[MovingAverage.applied\] params: expected updates"):
        with average.applied(start(True)):
            pass
    params = {"x": 1.0}
    SGD(0.5).add_hook(average).update(params, {"x": 1.0})
    assert float(average.average["x"]) == 0.5
    with average.applied(params):
        assert params == {"x": 0.5}
    with pytest.raises(ValueError, match="expected those that were averaged, got 'W1'"):
        with average.applied(start(True)):
            pass


def test_the_average_in_a_network():
    """Noisy steps around a minimum: the mean of the weights is nearer to it than the last ones."""
    rng = np.random.default_rng(0)
    average = StochasticAverage(start=100)
    optimizer, params = SGD(0.5).add_hook(average), {"x": np.full(50, 5.0)}
    for _ in range(1000):
        optimizer.update(params, {"x": params["x"] + rng.standard_normal(50)})
    last = np.abs(params["x"]).mean()
    with average.applied(params):
        assert np.abs(params["x"]).mean() < 0.2 * last
