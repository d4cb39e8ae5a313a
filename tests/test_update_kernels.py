"""The optimizers' kernels: the book's formulas to the bit, in place, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pynet import _core, reference

DTYPES = (np.float32, np.float64)
# name: how many arrays of state, the numbers
RULES: dict[str, tuple[int, tuple[float, ...]]] = {
    "sgd_update": (0, (0.1,)),
    "momentum_update": (1, (0.1, 0.9)),
    "nesterov_update": (1, (0.1, 0.9)),
    "adagrad_update": (1, (0.01,)),
    "rmsprop_update": (1, (0.01, 0.99)),
    "adam_update": (2, (0.001, 0.9, 0.999)),
    "adamw_update": (2, (0.001, 0.9, 0.999, 0.1)),
    "nadam_update": (2, (0.001, 0.9, 0.999)),
    "amsgrad_update": (3, (0.001, 0.9, 0.999)),
    "adadelta_update": (2, (0.5, 0.9, 1e-6)),
    "rprop_update": (2, (1e-3, 1.5, 0.5, 1.2)),
    "lars_update": (1, (0.01, 0.9, 0.1, 0.5)),
    "average_update": (0, (0.1,)),
}
COUNTING = ("adam_update", "adamw_update", "nadam_update", "amsgrad_update")
# Their rate, a power or one of norms, may differ from NumPy's in a bit.
ROUNDED = (*COUNTING, "lars_update")


@pytest.fixture(autouse=True, params=_core.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[None]:
    before, threads = _core.isa(), _core.num_threads()
    _core.set_isa(request.param)
    yield
    _core.set_isa(before)
    _core.set_num_threads(threads)


def arrays(op: str, dtype: Any, shape: tuple[int, ...], zero: bool = False) -> list[np.ndarray]:
    """p, g and the state."""
    rng = np.random.default_rng(1)
    made = [rng.standard_normal(shape).astype(dtype) for _ in range(2)]
    for _ in range(RULES[op][0]):
        state = np.zeros(shape) if zero else np.abs(rng.standard_normal(shape))
        made.append(state.astype(dtype))
    return made


def numbers(op: str, iter: int) -> tuple[float, ...]:
    return RULES[op][1] + ((iter,) if op in COUNTING else ())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", RULES)
def test_the_formula_to_the_bit(op: str, dtype: Any) -> None:
    """Ten steps from fresh state: the same operations in the same order as NumPy's."""
    mine, book = arrays(op, dtype, (13, 77), zero=True), arrays(op, dtype, (13, 77), zero=True)
    if op == "rprop_update":
        mine[3][...] = book[3][...] = 0.1
    for step in range(1, 11):
        grad = np.random.default_rng(step).standard_normal((13, 77)).astype(dtype)
        getattr(_core, op)(mine[0], grad, *mine[2:], *numbers(op, step))
        getattr(reference, op)(book[0], grad, *book[2:], *numbers(op, step))
    for a, b in zip(mine, book):
        if op in ROUNDED and dtype is np.float64:
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("op", RULES)
def test_same_bits_for_every_number_of_threads_and_place(op: str) -> None:
    first = arrays(op, np.float32, (50_003,))
    alone = [a.copy() for a in first]
    _core.set_num_threads(1)
    getattr(_core, op)(alone[0], *alone[1:], *numbers(op, 3))
    for threads in (2, 3, 4, 7, 16):
        again = [a.copy() for a in first]
        _core.set_num_threads(threads)
        getattr(_core, op)(again[0], *again[1:], *numbers(op, 3))
        for a, b in zip(again, alone):
            np.testing.assert_array_equal(a, b)
    if op == "lars_update":  # the norms are those of the whole
        return
    for n in (1, 2, 3, 5, 8, 17, 31, 64):
        part = [a[-n:].copy() for a in first]
        getattr(_core, op)(part[0], *part[1:], *numbers(op, 3))
        for a, b in zip(part, alone):
            np.testing.assert_array_equal(a, b[-n:])


@pytest.mark.parametrize("iter", [1, 2, 3, 10, 1000, 123_457, 2**40])
def test_rate_of_adam(iter: int) -> None:
    """With m = g and v = 0 = g the step is 0; with m = g = 1, v = 1 it is the rate itself."""
    p, ones = np.zeros(5), np.ones(5)
    _core.adam_update(p, ones, ones.copy(), ones.copy(), 0.5, 0.9, 0.999, iter)
    rate = 0.5 * np.sqrt(1 - 0.999**iter) / (1 - 0.9**iter)
    np.testing.assert_allclose(p, -rate / (1 + 1e-7), rtol=1e-12)


def test_gradient_of_another_type_follows_p() -> None:
    for dtype in DTYPES:
        p = np.ones((2, 3), dtype)
        _core.sgd_update(p, np.arange(6).reshape(3, 2).T.astype(np.int64), 0.5)
        np.testing.assert_array_equal(p, 1 - 0.5 * np.arange(6).reshape(3, 2).T)
    scalar = np.array(2.0)
    _core.sgd_update(scalar, np.array(1.0), 0.5)
    assert scalar == 1.5


P = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"p": [1.0, 2.0]}, TypeError, r"p: expected a NumPy array"),
        ({"p": np.ones((2, 3), np.int64)}, TypeError, r"p: expected dtype float32, got int64"),
        ({"p": np.ones((3, 2), np.float32).T}, ValueError, r"p: expected an aligned C-contiguous"),
        ({"g": np.ones(6)}, ValueError, r"g: expected shape \(2, 3\) like p, got \(6,\)"),
        ({"g": np.ones((2, 3), complex)}, TypeError, r"g: expected real numbers"),
        ({"g": P}, ValueError, r"p: expected memory apart from the inputs"),
        ({"m": np.ones((2, 3))}, TypeError, r"m: expected dtype float32, got float64"),
        ({"m": None}, TypeError, r"m: expected an array, got None"),
        ({"v": np.ones((2, 4), np.float32)}, ValueError, r"v: expected shape \(2, 3\)"),
        ({"m": P}, ValueError, r"m: expected memory apart from the other outputs"),
        ({"lr": np.inf}, ValueError, r"lr: expected a finite number"),
        ({"lr": "fast"}, TypeError, r"lr: expected a number"),
        ({"beta1": 1.0}, ValueError, r"beta1: expected a number in 0 <= ... < 1, got 1.0"),
        ({"beta2": -0.1}, ValueError, r"beta2: expected a number in 0 <= ... < 1, got -0.1"),
        ({"iter": 0}, ValueError, r"iter: expected an integer of at least 1, got 0"),
        ({"iter": 1.5}, TypeError, r"iter: expected an integer"),
    ],
)
def test_refusals(change: dict[str, Any], error: type[Exception], message: str) -> None:
    def fresh() -> np.ndarray:
        return np.ones((2, 3), np.float32)

    given = {"p": P, "g": fresh(), "m": fresh(), "v": fresh()}
    call = {**given, "lr": 0.1, "beta1": 0.9, "beta2": 0.999, "iter": 1, **change}
    with pytest.raises(error, match=r"^\[adam_update\] " + message):
        _core.adam_update(**call)
    for name in ("p", "m", "v"):
        if name not in change:
            np.testing.assert_array_equal(given[name], 1)  # nothing has been changed


def test_read_only_parameters_are_refused() -> None:
    p = np.ones(3, np.float32)
    p.flags.writeable = False
    with pytest.raises(ValueError, match=r"^\[sgd_update\] p: expected a writable array"):
        _core.sgd_update(p, np.ones(3, np.float32), 0.1)
