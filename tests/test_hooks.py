"""Hooks, parameter groups and averages: what happens at an update beside the rule itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hook_cases import both, grads_of, run, same, start

from pynet.networks import TwoLayerNet
from pynet.optimizers import (
    LARS,
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    ClipNorm,
    ClipValue,
    Freeze,
    Hook,
    Momentum,
    MovingAverage,
    ParameterGroups,
    StochasticAverage,
    WeightDecay,
)
from pynet.trainer import Trainer

# ---- changes of the gradient -------------------------------------------------------------------


@both
def test_weight_decay_is_l2_in_the_gradient(flat):
    hooked = run(Momentum(0.1).add_hook(WeightDecay(0.3)), flat)
    same(hooked, run(Momentum(0.1), flat, change=lambda p, g: g + 0.3 * p))


@both
def test_weight_decay_of_the_weights_alone(flat):
    params, twin = start(flat), start(flat)
    optimizer, plain = Adam(0.1).add_hook(WeightDecay(0.3, "W*")), Adam(0.1)
    for step in range(3):
        grads = grads_of(step, flat)
        before = {key: g.copy() for key, g in grads.items()}
        optimizer.update(params, grads)
        for key in grads:
            np.testing.assert_array_equal(grads[key], before[key], "the caller's, not written to")
            if key.startswith("W"):
                grads[key] += 0.3 * twin[key]
        plain.update(twin, grads)
    same(params, twin)


def test_decoupled_decay_is_something_else():
    """With AdamW the decay does not pass through Adam's division by sqrt(v)."""
    zero = {"W": np.zeros(2)}
    params = {"W": np.array([2.0, 200.0])}
    AdamW(lr=0.1, weight_decay=0.5).update(params, zero)
    np.testing.assert_allclose(params["W"], [1.9, 190.0])
    params = {"W": np.array([2.0, 200.0])}
    Adam(lr=0.1).add_hook(WeightDecay(0.5)).update(params, zero)
    np.testing.assert_allclose(params["W"], [1.9, 199.9], rtol=1e-6)


@both
def test_clip_value(flat):
    hooked = run(SGD(0.1).add_hook(ClipValue(0.5)), flat)
    same(hooked, run(SGD(0.1), flat, change=lambda p, g: np.clip(g, -0.5, 0.5)))


@both
@pytest.mark.parametrize("limit", [0.5, 1000.0])
def test_clip_norm(flat, limit):
    norms = [
        math.sqrt(sum(float((g**2).sum()) for g in grads_of(step, flat).values()))
        for step in range(3)
    ]
    params, twin = start(flat), start(flat)
    optimizer, plain = SGD(1.0).add_hook(ClipNorm(limit)), SGD(1.0)
    for step, norm in enumerate(norms):
        before = {key: p.copy() for key, p in params.items()}
        optimizer.update(params, grads_of(step, flat))
        moved = math.sqrt(sum(float(((params[k] - before[k]) ** 2).sum()) for k in params))
        assert moved == pytest.approx(min(norm, limit))
        factor = min(1.0, limit / norm)
        plain.update(twin, {key: g * factor for key, g in grads_of(step, flat).items()})
    same(params, twin)


def test_clip_norm_below_the_limit_keeps_the_bits():
    same(run(SGD(0.1).add_hook(ClipNorm(1e9)), True), run(SGD(0.1), True), exact=True)


@both
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_clip_norm_refuses_what_is_not_finite(flat, value):
    optimizer, params = Adam().add_hook(ClipNorm(1.0)), start(flat)
    grads = grads_of(0, flat)
    grads["b1"][0] = value
    with pytest.raises(ValueError, match=r"^\[ClipNorm\] grads: expected a finite norm, got"):
        optimizer.update(params, grads)
    same(params, start(flat), exact=True)
    assert optimizer.iter == 0 and optimizer.m is None


@both
def test_hooks_act_in_their_order(flat):
    first = SGD(0.1).add_hook(ClipValue(0.1)).add_hook(WeightDecay(0.3))
    same(
        run(first, flat),
        run(SGD(0.1), flat, change=lambda p, g: np.clip(g, -0.1, 0.1) + 0.3 * p),
    )
    second = SGD(0.1).add_hook(WeightDecay(0.3)).add_hook(ClipValue(0.1))
    same(
        run(second, flat),
        run(SGD(0.1), flat, change=lambda p, g: np.clip(g + 0.3 * p, -0.1, 0.1)),
    )


# ---- freezing ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_parameters_keep_their_bits_and_their_state(flat, name):
    optimizer = OPTIMIZERS[name](lr=0.1)
    params = run(optimizer, flat)  # so that momentum would carry them on
    before = {key: p.tobytes() for key, p in params.items()}
    states = [{k: v.tobytes() for k, v in s.items()} for s in optimizer.states]
    optimizer.add_hook(Freeze(("W1", "b*")))
    grads = grads_of(9, flat)
    grads["b1"][...] = np.nan  # not even looked at
    optimizer.update(params, grads)
    assert [key for key in params if params[key].tobytes() != before[key]] == ["W2"]
    for state, kept in zip(optimizer.states, states):
        assert all(state[key].tobytes() == kept[key] for key in ("W1", "b1", "b2"))
    optimizer.hooks = ()
    for step in (10, 11):  # rprop may wait for one
        optimizer.update(params, grads_of(step, flat))
    assert all(p.tobytes() != before[key] for key, p in params.items())


@both
def test_frozen_parameters_do_not_count_in_the_norm(flat):
    optimizer = SGD(1.0).add_hook(Freeze("W*")).add_hook(ClipNorm(0.5))
    before, params = start(flat), start(flat)
    optimizer.update(params, grads_of(0, flat))
    moved = math.sqrt(sum(float(((params[k] - before[k]) ** 2).sum()) for k in ("b1", "b2")))
    assert moved == pytest.approx(0.5)


def test_frozen_numbers():
    params = {"x": 1.0, "y": 2}
    SGD(1.0).add_hook(Freeze("x")).update(params, {"x": 1.0, "y": 1.0})
    assert params == {"x": 1.0, "y": 1.0}


@pytest.mark.parametrize("hook", [Freeze("W9"), WeightDecay(0.1, ("W*", "w*"))])
def test_a_pattern_that_fits_nothing_is_refused(hook):
    params = start(True)
    with pytest.raises(ValueError, match=r"names: expected one of W1, b1, W2, b2, got '[wW][9*]'"):
        Momentum().add_hook(hook).update(params, grads_of(0, True))
    same(params, start(True), exact=True)


@both
@pytest.mark.parametrize("grouped", [False, True])
def test_frozen_from_the_first_update_and_thawed_later(flat, grouped):
    """State and averages are made for all parameters, the frozen ones among them."""
    average = MovingAverage(0.5)
    optimizer = ParameterGroups({"W*": Momentum(), "*": Adam()}) if grouped else Momentum()
    optimizer.add_hook(Freeze("W1")).add_hook(average)
    params = run(optimizer, flat)
    np.testing.assert_array_equal(average.average["W1"], start(flat)["W1"])
    optimizer.hooks = ()
    before = params["W1"].copy()
    optimizer.update(params, grads_of(9, flat))
    np.testing.assert_array_equal(params["W1"], before - 0.01 * grads_of(9, flat)["W1"])


# ---- what is refused changes nothing -----------------------------------------------------------


class Bad(Hook):
    def before(self, params, grads):
        return {**grads, "W2": np.ones(7)}


@both
def test_a_hook_that_returns_nonsense(flat):
    params = start(flat)
    with pytest.raises(ValueError, match=r"\[Momentum.update\] grads\['W2'\]: expected shape"):
        Momentum().add_hook(Bad()).update(params, grads_of(0, flat))
    same(params, start(flat), exact=True)


@both
def test_a_refused_update_leaves_averages_and_groups_alone(flat):
    average = MovingAverage()
    rules = {"W*": Momentum(), "*": Adam().add_hook(ClipNorm(1.0))}
    groups = ParameterGroups(rules).add_hook(average)
    params, grads = start(flat), grads_of(0, flat)
    grads["b2"][0] = np.inf
    with pytest.raises(ValueError, match="ClipNorm"):
        groups.update(params, grads)
    same(params, start(flat), exact=True)
    assert average.average is None and average.updates == 0 and rules["W*"].v is None


def test_arguments_are_checked():
    for make in (lambda v: WeightDecay(v), lambda v: ClipNorm(v), lambda v: ClipValue(v)):
        for value in (-1.0, math.nan, math.inf):
            with pytest.raises(ValueError, match="expected a finite number >= 0"):
                make(value)
        with pytest.raises(TypeError, match="expected a number"):
            make("1")
    with pytest.raises(ValueError, match=r"\[MovingAverage\] decay: .* < 1, got 1"):
        MovingAverage(1.0)
    with pytest.raises(ValueError, match=r"\[StochasticAverage\] every: .* >= 1"):
        StochasticAverage(every=0)
    with pytest.raises(TypeError, match=r"\[Freeze\] names: expected names"):
        Freeze([3])
    with pytest.raises(TypeError, match=r"\[SGD.add_hook\] hook: expected one of"):
        SGD().add_hook(lambda params, grads: None)
    assert repr(WeightDecay(0.1)) == "WeightDecay(rate=0.1)"
    assert repr(Freeze(("W1", "b*"))) == "Freeze(W1, b*)"


# ---- groups ------------------------------------------------------------------------------------


@both
def test_groups_are_their_optimizers(flat):
    groups = ParameterGroups({"W2": LARS(0.3), "W*": Adam(0.1), "*": Momentum(0.2, 0.5)})
    params = run(groups, flat)
    for key, optimizer in [("W1", Adam(0.1)), ("W2", LARS(0.3)), ("b2", Momentum(0.2, 0.5))]:
        alone = {key: start(False)[key]}
        for step in range(3):
            optimizer.update(alone, {key: grads_of(step, False)[key]})
        np.testing.assert_array_equal(params[key], alone[key])


@both
def test_a_group_without_optimizer_stays(flat):
    params = run(ParameterGroups({"W*": SGD(0.1), "b*": None}), flat)
    for key, before in start(flat).items():
        assert (params[key].tobytes() == before.tobytes()) == key.startswith("b")


def test_the_rate_of_groups_is_a_factor():
    groups = ParameterGroups({"W*": SGD(0.1), "*": SGD(0.4)})
    groups.lr = 0.5
    params, twin = start(True), start(True)
    groups.update(params, grads_of(0, True))
    ParameterGroups({"W*": SGD(0.05), "*": SGD(0.2)}).update(twin, grads_of(0, True))
    same(params, twin, exact=True)
    assert groups.groups["W*"].lr == 0.1


def test_groups_of_plain_numbers():
    params = {"x": 1.0, "y": 2}
    ParameterGroups({"x": SGD(0.5), "y": SGD(1.0)}).update(params, {"x": 1.0, "y": 1.0})
    assert params == {"x": 0.5, "y": 1.0}


def test_groups_that_do_not_fit():
    with pytest.raises(ValueError, match=r"names that fit one of W\*, got 'b1'"):
        ParameterGroups({"W*": SGD()}).update(start(True), grads_of(0, True))
    with pytest.raises(ValueError, match=r"groups: expected one of W1, .*, got 'V\*'"):
        ParameterGroups({"V*": SGD(), "*": SGD()}).update(start(True), grads_of(0, True))
    with pytest.raises(TypeError, match=r"groups: expected optimizers by pattern"):
        ParameterGroups({"W*": "sgd"})
    with pytest.raises(TypeError, match=r"groups: expected optimizers by pattern"):
        ParameterGroups({"W*": None})
    rule = SGD()
    with pytest.raises(ValueError, match="got one twice"):
        ParameterGroups({"W*": rule, "b*": rule})


# ---- checkpoints -------------------------------------------------------------------------------

MADE = {
    "hooks": lambda: (
        Adam(0.02)
        .add_hook(WeightDecay(0.01, "W*"))
        .add_hook(ClipNorm(0.5))
        .add_hook(Freeze("b1"))
        .add_hook(MovingAverage(0.9))
    ),
    "groups": lambda: ParameterGroups(
        {"W1": Momentum(0.1).add_hook(StochasticAverage(2)), "W2": Adam(), "*": SGD(0.1)}
    ).add_hook(MovingAverage(0.8)),
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("at", [0, 3])
def test_resume_gives_the_same_bits(tmp_path, kind, at):
    def trainer(seed):
        np.random.seed(seed)
        rng = np.random.default_rng(0)
        x, t = rng.standard_normal((40, 4)), rng.integers(0, 2, 40)
        net = TwoLayerNet(4, 3, 2, 0.5)
        return Trainer(
            *(net, x, t, x, t, 5, 10, MADE[kind]()), verbose=False, schedule="warmup-cosine"
        )

    def everything(trainer):
        parts = [trainer.network.params.flat.tobytes()]
        for path, part in trainer.optimizer.parts():
            parts.append((path, part.numbers))
            for state in part.states:
                parts.append({k: v.tobytes() for k, v in sorted(state.items())})
        return parts

    one, two = trainer(0), trainer(1)
    for step in range(8):
        if step == at:
            one.save(tmp_path / "c.safetensors")
        one.train_step()
    two.resume(tmp_path / "c.safetensors")
    for _ in range(8 - at):
        two.train_step()
    assert everything(one) == everything(two)


def test_resume_with_other_hooks_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 4)), rng.integers(0, 2, 40)

    def trainer(optimizer):
        return Trainer(TwoLayerNet(4, 3, 2), x, t, x, t, 5, 10, optimizer, verbose=False)

    trainer(SGD().add_hook(Freeze("W1"))).save(tmp_path / "c.safetensors")
    for other in (SGD(), SGD().add_hook(Freeze("W2")), ParameterGroups({"*": SGD()})):
        with pytest.raises(ValueError, match=r"optimizer: expected SGD \+ Freeze\(W1\) like the"):
            trainer(other).resume(tmp_path / "c.safetensors")
