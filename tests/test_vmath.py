"""How exact the kernels' exp, log, sigmoid, tanh and sin are, in units in the last place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pynet import _core

Function = Callable[[np.ndarray], np.ndarray]
DTYPES = (np.float32, np.float64)
INF, NAN = np.inf, np.nan


@pytest.fixture(autouse=True, params=_core.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[None]:
    before, threads = _core.isa(), _core.num_threads()
    _core.set_isa(request.param)
    yield
    _core.set_isa(before)
    _core.set_num_threads(threads)


# ---- the functions, through the ops that show them unchanged -----------------------------------


def exp(x: np.ndarray) -> np.ndarray:
    """log_softmax_backward gives dout - exp(y) sum(dout): with dout = (0, -1) that is exp(y)."""
    rows = np.stack([x, np.zeros_like(x)], axis=1)
    dout = np.tile(np.array([0, -1], x.dtype), (len(x), 1))
    return np.ascontiguousarray(_core.log_softmax_backward(dout, rows)[:, 0])


def log1p_exp(x: np.ndarray) -> np.ndarray:
    """The loss of one positive score with label 1: log(1 + exp(-x))."""
    one = np.ones(1, x.dtype)
    return np.array([_core.sigmoid_cross_entropy(v, one)[0] for v in x[:, None]], x.dtype)


def expm1(x: np.ndarray) -> np.ndarray:
    return _core.activation(x, "elu", 1.0, 1.0)  # for x <= 0, else x


def exact_expm1(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def sin(x: np.ndarray) -> np.ndarray:
    return _core.activation(x, "sinusoid")


def cos(x: np.ndarray) -> np.ndarray:
    return _core.activation_backward(np.ones_like(x), x, "sinusoid")


def exact_sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def exact_log1p_exp(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(-x))


def samples(dtype: type, low: float, high: float, n: int) -> np.ndarray:
    """Evenly spread numbers, random ones, and random magnitudes down to the smallest."""
    rng = np.random.default_rng(7)
    tiny = np.log(float(np.finfo(dtype).tiny))
    size = np.exp(rng.uniform(tiny, np.log(high), n)) * rng.choice([-1, 1], n)
    near = rng.uniform(max(low, -3), 3, n)
    x = np.concatenate([np.linspace(low, high, n), rng.uniform(low, high, n), near, size])
    return np.ascontiguousarray(x[(x >= low) & (x <= high)].astype(dtype))


def ulps(actual: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distances in units in the last place; where the exact result is not normal, 0 is right."""
    info = np.finfo(actual.dtype)
    rounded = exact.astype(actual.dtype)
    normal = (np.abs(exact) >= info.tiny) & np.isfinite(rounded)
    assert np.all(np.abs(actual[np.abs(exact) < info.tiny]) <= info.tiny)
    unit = np.spacing(np.abs(rounded[normal])).astype(exact.dtype)
    return np.abs(actual[normal].astype(exact.dtype) - exact[normal]) / unit


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "exact", "range32", "range64", "bound"),
    [
        (exp, np.exp, (-87.3, 88.7), (-708.3, 709.7), 1.25),
        (_core.sigmoid, exact_sigmoid, (-87.3, 40), (-708.3, 60), 2.0),
        (_core.tanh, np.tanh, (-12, 12), (-25, 25), 2.75),
        (expm1, exact_expm1, (-100, 1), (-800, 1), 1.5),
        (sin, np.sin, (-1e4, 1e4), (-1e6, 1e6), 2.75),
        (cos, np.cos, (-1e4, 1e4), (-1e6, 1e6), 2.75),
    ],
    ids=["exp", "sigmoid", "tanh", "expm1", "sin", "cos"],
)
def test_ulps(
    function: Function,
    exact: Function,
    range32: tuple[float, float],
    range64: tuple[float, float],
    bound: float,
    dtype: type,
) -> None:
    wide = np.float64 if dtype is np.float32 else np.longdouble
    if np.finfo(wide).eps > np.finfo(dtype).eps / 100:
        pytest.skip("long double is double here: nothing to compare with")
    x = samples(dtype, *(range32 if dtype is np.float32 else range64), 50_000)
    assert ulps(function(x), exact(x.astype(wide))).max() < bound


@pytest.mark.parametrize("dtype", DTYPES)
def test_ulps_of_log1p_exp(dtype: type) -> None:
    x = np.abs(samples(dtype, 0, 30, 500))
    wide = np.float64 if dtype is np.float32 else np.longdouble
    exact = exact_log1p_exp(x.astype(wide))
    assert (np.abs(log1p_exp(x) - exact) / exact).max() < 2.5 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_of_every_sum(dtype: type) -> None:
    """A row of n equal scores has the log probability -log(n)."""
    for n in [*range(2, 70), 127, 128, 129, 1000, 4096, 70_000]:
        y = _core.log_softmax(np.full(n, 3.0, dtype))
        assert np.all(y == y[0])
        assert abs(float(y[0]) + np.log(n)) <= np.spacing(np.log(dtype(n)))


# ---- special values ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype: type) -> None:
    far = 1e4 if dtype is np.float32 else 1e6
    big = float(np.finfo(dtype).max)
    x = np.array([0, -0.0, INF, -INF, NAN, far, -far, big, -big], dtype)
    table = {
        exp: [1, 1, INF, 0, NAN, INF, 0, INF, 0],
        _core.sigmoid: [0.5, 0.5, 1, 0, NAN, 1, 0, 1, 0],
        _core.tanh: [0, -0.0, 1, -1, NAN, 1, -1, 1, -1],
        _core.relu: [0, 0, INF, 0, NAN, far, 0, big, 0],
        expm1: [0, 0, INF, -1, NAN, far, -1, big, -1],
    }
    for function, expected in table.items():
        y = function(x)
        np.testing.assert_array_equal(y, np.array(expected, dtype))
        assert np.array_equal(np.signbit(y[:4]), np.signbit(np.array(expected[:4]))), function
    assert exact_log1p_exp(x[2:3])[0] == log1p_exp(x[2:3])[0] == 0
    assert np.isnan(log1p_exp(x[4:5])[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_ends_of_the_range_of_exp(dtype: type) -> None:
    info = np.finfo(dtype)
    last, first = np.log(info.max), np.log(info.tiny)
    step = dtype(4) * np.spacing(last)
    ends = exp(np.array([last - step, last + step, first + step, first - step], dtype))
    assert info.max / 1.01 < ends[0] <= info.max and ends[1] == INF
    assert info.tiny <= ends[2] < info.tiny * 1.01 and ends[3] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_sine_of_what_is_far_out(dtype: type) -> None:
    """It loses digits with its argument; it never leaves its range."""
    info = np.finfo(dtype)
    x = np.exp(np.linspace(0, np.log(float(info.max)) - 1, 100_001)).astype(dtype)
    for function in (sin, cos):
        assert np.all(np.abs(function(x)) <= 1) and np.all(np.abs(function(-x)) <= 1)
    x = x[x < 1e4]
    np.testing.assert_array_equal(sin(x), -sin(-x))
    np.testing.assert_array_equal(cos(x), cos(-x))
    assert np.isnan(sin(np.array([INF, -INF, NAN], dtype))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["sigmoid", "tanh"])
def test_symmetry_and_order(op: str, dtype: type) -> None:
    """tanh is odd; neither leaves its range; sums of opposite sigmoids are 1."""
    function = getattr(_core, op)
    x = np.sort(np.abs(samples(dtype, 0, 100, 20_000)))
    up, down = function(x), function(-x)
    assert np.all(up <= 1) and np.all(down >= (-1 if op == "tanh" else 0))
    if op == "tanh":
        np.testing.assert_array_equal(up, -down)
    else:
        np.testing.assert_allclose(up + down, 1, rtol=np.finfo(dtype).eps)


# ---- where an element lies does not matter -----------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "function", [_core.sigmoid, _core.tanh, exp], ids=["sigmoid", "tanh", "exp"]
)
def test_same_bits_in_whole_vectors_and_tails(function: Function, dtype: type) -> None:
    x = np.random.default_rng(3).standard_normal(130).astype(dtype) * 5
    whole = function(x)
    for n in range(1, 70):
        np.testing.assert_array_equal(function(x[:n].copy()), whole[:n])
        np.testing.assert_array_equal(function(x[n:]), whole[n:])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["relu", "sigmoid", "tanh"])
def test_same_bits_for_every_number_of_threads(op: str, dtype: type) -> None:
    x = np.random.default_rng(4).standard_normal(150_001).astype(dtype) * 5
    _core.set_num_threads(1)
    alone = getattr(_core, op)(x)
    for threads in (2, 3, 4, 7, 16):
        _core.set_num_threads(threads)
        np.testing.assert_array_equal(getattr(_core, op)(x), alone)


@pytest.mark.parametrize("op", ["relu", "sigmoid", "tanh"])
def test_in_place_and_added(op: str) -> None:
    x = np.random.default_rng(5).standard_normal((33, 5)).astype(np.float32)
    y = getattr(_core, op)(x)
    place = x.copy()
    assert getattr(_core, op)(place, out=place) is place
    np.testing.assert_array_equal(place, y)
    backward = getattr(_core, op + "_backward")
    dx, total = backward(x, y), np.ones_like(x)
    assert backward(x, y, out=total, add=True) is total
    np.testing.assert_array_equal(total, 1 + dx)
    with pytest.raises(ValueError, match=rf"\[{op}_backward\] out: expected an array to add to"):
        backward(x, y, add=True)
    with pytest.raises(ValueError, match=rf"\[{op}_backward\] dout: expected shape \(33, 5\)"):
        backward(x[:1], y)


def test_relu_backward_passes_where_y_is_nan() -> None:
    dout, y = np.array([1, 2, 3, 4], np.float32), np.array([NAN, 0, -0.0, 5], np.float32)
    np.testing.assert_array_equal(_core.relu_backward(dout, y), [1, 0, 0, 4])
    np.testing.assert_array_equal(dout, [1, 2, 3, 4])
