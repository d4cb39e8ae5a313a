"""The optimizers against their formulas, on every kind of dict they may meet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from optimizer_formulas import CASES, Formula

from pynet.optimizers import SGD, Adam, Momentum, Nesterov, RMSprop
from pynet.params import GradStore, ParamStore

every_optimizer = pytest.mark.parametrize(
    ("cls", "name", "options"), CASES, ids=[name for _, name, _ in CASES]
)
SHAPES = {"W1": (7, 5), "b1": (5,), "W2": (2, 3, 3, 3), "s": (1,)}


def draw(rng, dtype=np.float64):
    return {key: rng.standard_normal(shape).astype(dtype) for key, shape in SHAPES.items()}


@every_optimizer
@pytest.mark.parametrize("defaults", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formula(cls, name, options, defaults, dtype):
    rng = np.random.default_rng(0)
    options = {} if defaults else options
    params = draw(rng, dtype)
    formulas = {key: Formula(p) for key, p in params.items()}
    arrays = dict(params)
    optimizer = cls(**options)
    for _ in range(5):
        grads = draw(rng, dtype)
        optimizer.update(params, grads)
        for key, formula in formulas.items():
            getattr(formula, name)(grads[key].astype(np.float64), **options)
    rtol = 1e-12 if dtype == np.float64 else 1e-4
    for key, formula in formulas.items():
        assert params[key] is arrays[key], "updated in place"
        assert params[key].dtype == dtype
        np.testing.assert_allclose(params[key], formula.p, rtol=rtol, atol=rtol / 10)


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_stores_and_dicts_give_the_same_bits(cls, name, options, dtype):
    rng = np.random.default_rng(0)
    params = draw(rng, dtype)
    store = ParamStore.of(params)
    a, b = cls(**options), cls(**options)
    for _ in range(5):
        grads = draw(rng, dtype)
        flat = GradStore.fresh(store.layout)
        flat.update(grads)
        a.update(params, grads)
        b.update(store, flat)
    for key in SHAPES:
        np.testing.assert_array_equal(params[key], store[key])
        for state in cls.state_names:
            np.testing.assert_array_equal(getattr(a, state)[key], getattr(b, state)[key])
    assert not store.flat[store.layout.gaps].any(), "the gaps stay 0"


def count_calls(monkeypatch, op):
    from pynet import ops

    calls = []
    real = getattr(ops, op)
    monkeypatch.setattr(ops, op, lambda *args: calls.append(args[0].shape) or real(*args))
    return calls


@every_optimizer
def test_flat_stores_take_one_call(cls, name, options, monkeypatch):
    store = ParamStore.of(draw(np.random.default_rng(0)))
    op = "sgd" if name == "gradientdescent" else name
    calls = count_calls(monkeypatch, f"{op}_update")
    if not cls.elementwise:  # its rate is one for each parameter, and none for those of one axis
        plain = count_calls(monkeypatch, "momentum_update")
        cls().update(store, GradStore.zeros(store.layout))
        assert calls == [shape for shape in SHAPES.values() if len(shape) > 1]
        assert plain == [shape for shape in SHAPES.values() if len(shape) == 1]
        return
    cls().update(store, GradStore.zeros(store.layout))
    assert calls == [store.flat.shape]
    cls().update(store, dict(GradStore.zeros(store.layout)))
    assert len(calls) == 1 + len(SHAPES)


@every_optimizer
def test_a_flat_store_with_gradients_in_another_order(cls, name, options):
    rng = np.random.default_rng(0)
    params, grads = draw(rng), draw(rng)
    store = ParamStore.of(params)
    turned = GradStore.of({key: grads[key] for key in reversed(grads)})
    a, b = cls(**options), cls(**options)
    a.update(params, grads)
    b.update(store, turned)
    for key in SHAPES:
        np.testing.assert_array_equal(params[key], store[key])


@every_optimizer
def test_plain_numbers_are_put_back_into_the_dict(cls, name, options):
    params = {"x": -7.0, "y": 2}
    formulas = {key: Formula(p) for key, p in params.items()}
    optimizer = cls(**options)
    for _ in range(5):
        grads = {"x": params["x"] / 10.0, "y": 2.0 * params["y"]}
        for key, formula in formulas.items():
            getattr(formula, name)(np.float64(grads[key]), **options)
        optimizer.update(params, grads)
    for key, formula in formulas.items():
        assert isinstance(params[key], float)
        assert params[key] == pytest.approx(float(formula.p), rel=1e-12)


@every_optimizer
def test_a_missing_gradient_is_a_key_error_and_nothing_has_moved(cls, name, options):
    rng = np.random.default_rng(0)
    for params in (draw(rng), ParamStore.of(draw(rng))):
        before = {key: p.copy() for key, p in params.items()}
        grads = draw(rng)
        del grads["s"]
        optimizer = cls(**options)
        with pytest.raises(KeyError, match=rf"\[{cls.__name__}.update\] grads: expected .*'s'"):
            optimizer.update(params, grads)
        for key in SHAPES:
            np.testing.assert_array_equal(params[key], before[key])
        assert getattr(optimizer, "iter", 0) == 0
        optimizer.update(params, draw(rng))
        assert all((params[key] != before[key]).any() for key in SHAPES)


@every_optimizer
def test_extra_gradients_are_ignored(cls, name, options):
    rng = np.random.default_rng(0)
    params, grads = draw(rng), draw(rng)
    twin = {key: p.copy() for key, p in params.items()}
    cls(**options).update(params, grads)
    cls(**options).update(twin, {**grads, "loss": 3.0, "W9": np.ones(4)})
    for key in SHAPES:
        np.testing.assert_array_equal(params[key], twin[key])


@every_optimizer
def test_a_gradient_of_another_shape_is_refused_and_nothing_has_moved(cls, name, options):
    rng = np.random.default_rng(0)
    params, grads = draw(rng), draw(rng)
    before = {key: p.copy() for key, p in params.items()}
    grads["s"] = np.ones(3)
    with pytest.raises(ValueError, match=r"grads\['s'\]: expected shape \(1,\) .*, got \(3,\)"):
        cls(**options).update(params, grads)
    for key in SHAPES:
        np.testing.assert_array_equal(params[key], before[key])


@every_optimizer
def test_arrays_in_any_memory_order(cls, name, options):
    rng = np.random.default_rng(0)
    plain, grads = draw(rng), draw(rng)
    base = np.zeros((10, 14))
    odd = {
        "W1": base[::2, ::2].T,
        "b1": plain["b1"][::-1].copy()[::-1],
        "W2": np.asfortranarray(plain["W2"]),
        "s": plain["s"].copy(),
    }
    odd["W1"][...] = plain["W1"]
    arrays = dict(odd)
    a, b = cls(**options), cls(**options)
    for _ in range(3):
        a.update(plain, grads)
        b.update(odd, {key: np.asfortranarray(g) for key, g in grads.items()})
    for key in SHAPES:
        assert odd[key] is arrays[key]
        np.testing.assert_array_equal(odd[key], plain[key])
    np.testing.assert_array_equal(base[::2, ::2].T, plain["W1"])


def test_float16_parameters_are_computed_in_float32_and_rounded():
    p = np.ones(3, np.float16)
    params = {"W": p}
    SGD(lr=0.5).update(params, {"W": np.array([1, 2, 3], np.float16)})
    assert params["W"] is p and p.dtype == np.float16
    assert p.tolist() == [0.5, 0, -0.5]


def test_integer_arrays_are_refused():
    with pytest.raises(TypeError, match=r"\[SGD.update\] params\['W'\]: expected floats, got int"):
        SGD().update({"W": np.arange(3)}, {"W": np.ones(3)})


def test_float64_gradients_of_float32_parameters():
    p = np.ones(3, np.float32)
    Momentum(lr=1).update({"W": p}, {"W": np.full(3, 0.25)})
    assert p.dtype == np.float32 and p.tolist() == [0.75] * 3


@every_optimizer
def test_state_is_made_at_the_first_update_and_keyed_like_params(cls, name, options):
    optimizer = cls(**options)
    assert all(getattr(optimizer, state) is None for state in cls.state_names)
    rng = np.random.default_rng(0)
    for params in (draw(rng), ParamStore.of(draw(rng))):
        optimizer = cls(**options)
        optimizer.update(params, draw(rng))
        for state in cls.state_names:
            value = getattr(optimizer, state)
            assert list(value) == list(SHAPES)
            assert all(value[key].shape == SHAPES[key] for key in SHAPES)


@every_optimizer
def test_prepared_state_can_be_filled_in(cls, name, options):
    rng = np.random.default_rng(0)
    steps = [draw(rng) for _ in range(6)]
    through, stopped = ParamStore.of(steps[0]), ParamStore.of(steps[0])
    a, b, c = cls(**options), cls(**options), cls(**options)
    for grads in steps[1:]:
        a.update(through, grads)
    for grads in steps[1:3]:
        b.update(stopped, grads)
    c.prepare(stopped)
    for state in cls.state_names:
        for key in SHAPES:
            getattr(c, state)[key][...] = getattr(b, state)[key]
    if hasattr(c, "iter"):
        c.iter = b.iter
    for grads in steps[3:]:
        c.update(stopped, grads)
    np.testing.assert_array_equal(through.flat, stopped.flat)


@every_optimizer
def test_constructor_arguments_are_attributes_and_may_change(cls, name, options):
    optimizer = cls(**options)
    assert {key: getattr(optimizer, key) for key in options} == options
    params, grads = {"W": np.zeros(2)}, {"W": np.ones(2)}
    optimizer.lr = 0.0
    optimizer.update(params, grads)
    assert not params["W"].any()
    assert repr(optimizer).startswith(f"{cls.__name__}(lr=0")


@pytest.mark.parametrize(("cls", "name", "options"), CASES[:6], ids=[c[1] for c in CASES[:6]])
def test_defaults_are_the_books(cls, name, options):
    defaults = {"lr": 0.001 if cls is Adam else 0.01, "momentum": 0.9, "decay_rate": 0.99}
    defaults |= {"beta1": 0.9, "beta2": 0.999}
    optimizer = cls()
    for key in options:
        assert getattr(optimizer, key) == defaults[key]


@every_optimizer
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-9])
def test_values_that_make_no_sense_are_refused(cls, name, options, value):
    for key in options:
        with pytest.raises(ValueError, match=rf"\[{cls.__name__}\] {key}: expected .*, got"):
            cls(**{key: value})
        optimizer = cls()
        before = getattr(optimizer, key)
        with pytest.raises(ValueError):
            setattr(optimizer, key, value)
        assert getattr(optimizer, key) == before


@pytest.mark.parametrize(
    ("cls", "key"),
    [(Momentum, "momentum"), (Nesterov, "momentum"), (RMSprop, "decay_rate")]
    + [(Adam, "beta1"), (Adam, "beta2")],
)
def test_decay_rates_are_below_1(cls, key):
    with pytest.raises(ValueError, match="< 1, got 1"):
        cls(**{key: 1.0})


def test_a_learning_rate_is_a_number():
    for value in ("0.1", None, [0.1]):
        with pytest.raises(TypeError, match=r"\[SGD\] lr: expected a number, got"):
            SGD(lr=value)
    assert SGD(lr=np.float32(0.5)).lr == 0.5


def test_adam_counts_once_per_update():
    optimizer = Adam()
    assert optimizer.iter == 0
    params = draw(np.random.default_rng(0))
    for _ in range(3):
        optimizer.update(params, draw(np.random.default_rng(1)))
    assert optimizer.iter == 3


def test_a_stateful_optimizer_serves_one_network():
    optimizer = Momentum()
    optimizer.update({"W": np.ones(2)}, {"W": np.ones(2)})
    with pytest.raises(KeyError, match=r"\[Momentum.update\] params: expected those of the first"):
        optimizer.update({"V": np.ones(2)}, {"V": np.ones(2)})
    with pytest.raises(ValueError, match=r"\[Momentum.update\] v\['W'\]: expected shape"):
        optimizer.update({"W": np.ones(3)}, {"W": np.ones(3)})


def test_star_import_brings_np():
    scope: dict = {}
    exec("from pynet.optimizers import *", scope)
    assert scope["np"] is np
    assert {"SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"} <= scope.keys()
