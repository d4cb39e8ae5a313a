"""The activations as functions and layers: values, slopes, limits, what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient
from layer_cases import FAMILY, draw

import pynet
from pynet import activations as A
from pynet import layers
from pynet.activations import ACTIVATIONS
from pynet.layers import Affine, IdentityWithLoss, Maxout, PRelu, RRelu, Sequential
from pynet.networks import Network
from pynet.optimizers import Adam

every_function = pytest.mark.parametrize("name", ACTIVATIONS)
MORE = {"PRelu", "RRelu", "Softmax", "LogSoftmax", "Softmin", "Maxout"}


# ---- the family --------------------------------------------------------------------------------


def test_there_are_at_least_26() -> None:
    names = {cls.function.name for cls in FAMILY.values()} | {"relu", "sigmoid", "tanh", "rrelu"}
    assert names == set(ACTIVATIONS)
    assert all(hasattr(layers, name) for name in MORE)
    assert len(ACTIVATIONS) >= 26 and len(ACTIVATIONS) + len(MORE - {"RRelu"}) >= 32


@every_function
def test_the_slope_is_that_of_the_function(name: str) -> None:
    f = ACTIVATIONS[name]
    x = np.linspace(-6.9, 7.3, 60)  # on no kink
    error = gradient_error(f.grad(x), numerical_gradient(lambda: float(f(x).sum()), x))
    assert error < 1e-7
    np.testing.assert_allclose([f(v) for v in x], f(x), rtol=1e-15)  # numbers as well
    assert f.grad(x.astype(np.float32)).dtype == f(x.astype(np.float32)).dtype == np.float32


@every_function
def test_far_out_it_goes_where_the_function_goes(name: str) -> None:
    """No overflow to NaN: the value at infinity is the limit of those on the way there."""
    f = ACTIVATIONS[name]
    for dtype in (np.float32, np.float64):
        for sign in (1, -1):
            far = sign * np.array([1e2, 1e4, 1e20, np.finfo(dtype).max, np.inf], dtype)
            y, slope = f(far[:-1]), f.grad(far[:-1])
            assert np.isfinite(slope).all() and not np.isnan(y).any()
            if name != "sinusoid":
                limit = y[-1] if abs(y[-1]) < 100 else np.sign(y[-1]) * np.inf
                assert f(far)[-1] == limit and f.grad(far)[-1] == slope[-1]
    assert np.isnan(f(np.array([np.nan]))).all()
    assert np.isnan(f.grad(np.array([np.nan]))).all() or name == "relu"  # dout where not y <= 0


VALUES: list[tuple[str, float, float]] = [  # literal: from the textbooks and papers
    ("sigmoid", 1.0, 0.731),
    ("sigmoid", 2.0, 0.880797),
    ("tanh", 0.0, 0.0),
    ("step", 0.0, 0.0),
    ("step", 0.1, 1.0),
    ("relu", -3.0, 0.0),
    ("relu", 3.0, 3.0),
    ("relu6", 7.0, 6.0),
    ("leaky_relu", -1.0, -0.01),
    ("rrelu", -24.0, -5.5),
    ("elu", -1.0, -0.632121),
    ("selu", -1.0, -1.111331),
    ("selu", 1.0, 1.050701),
    ("celu", -1.0, -0.632121),
    ("gelu", 1.0, 0.841345),
    ("gelu_tanh", 1.0, 0.841192),
    ("silu", 1.0, 0.731059),
    ("hard_swish", 1.0, 0.666667),
    ("mish", 1.0, 0.865098),
    ("softplus", 0.0, 0.693147),
    ("log_sigmoid", 0.0, -0.693147),
    ("hard_sigmoid", 1.0, 0.666667),
    ("hard_tanh", 2.0, 1.0),
    ("tanh_shrink", 1.0, 0.238406),
    ("softsign", -1.0, -0.5),
    ("hard_shrink", 0.4, 0.0),
    ("soft_shrink", 2.0, 1.5),
    ("gaussian", 1.0, 0.367879),
    ("sinusoid", np.pi / 2, 1.0),
]


@pytest.mark.parametrize(("name", "x", "y"), VALUES)
def test_values(name: str, x: float, y: float) -> None:
    assert ACTIVATIONS[name](x) == pytest.approx(y, abs=5.5e-4 if y == 0.731 else 1e-6)


def test_slopes_of_the_textbook() -> None:
    assert A.sigmoid.grad(0.0) == 0.25
    assert A.tanh.grad(0.0) == 1
    assert A.relu.grad(np.array([-1.0, 1.0])).tolist() == [0, 1]
    assert A.leaky_relu.grad(np.array([-1.0, 1.0]), 0.2).tolist() == [0.2, 1]


def test_hyperparameters_by_position_and_name() -> None:
    x = np.linspace(-3, 3, 7)
    np.testing.assert_array_equal(A.elu(x, 0.5), A.elu(x, alpha=0.5))
    np.testing.assert_array_equal(A.hard_tanh(x, high=2.0), np.clip(x, -1, 2))
    np.testing.assert_array_equal(A.silu(x), A.swish(x, 1.0))
    layer = layers.Elu(0.5)
    layer.alpha = 2.0  # read at each call
    np.testing.assert_array_equal(layer.forward(x), A.elu(x, 2.0))
    assert repr(layer) == "Elu(alpha=2)" and repr(layers.Mish()) == "Mish()"
    assert repr(A.elu) == "elu(x, alpha=1): x where x > 0, else alpha (exp(x) - 1)"


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("Elu", {"alpha": "1"}, TypeError, r"alpha: expected a number, got '1'"),
    ("Elu", {"alpha": np.inf}, ValueError, r"alpha: expected a finite number, got inf"),
    ("Elu", {"beta": 1}, TypeError, r"hyperparameters: expected alpha, each once, got beta=1"),
    ("Mish", {"beta": 1}, TypeError, r"hyperparameters: expected none, each once, got beta=1"),
    ("Celu", {"alpha": 0}, ValueError, r"alpha: expected a number above 0, got 0"),
    ("Softplus", {"beta": -1.0}, ValueError, r"beta: expected a number above 0, got -1.0"),
    ("HardTanh", {"low": 2}, ValueError, r"low: expected at most high, 1.0, got 2"),
    ("RRelu", {"lower": 0.5}, ValueError, r"lower: expected at most upper, 0.333\d+, got 0.5"),
    ("Maxout", {"pieces": 0}, ValueError, r"pieces: expected at least 1, got 0"),
]


@pytest.mark.parametrize(("name", "numbers", "error", "message"), REFUSED)
def test_refused(name: str, numbers: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=rf"^\[{name}\] {message}$"):
        getattr(layers, name)(**numbers)


def test_an_unknown_name_is_told_all() -> None:
    with pytest.raises(ValueError, match=r"\[activation\] name: expected one of celu, .*got 'x'"):
        pynet.ops.activation(np.ones(3), "x")
    for name in ("relu6", "silu", "selu"):  # numbers of another rule
        assert name not in inspect.getdoc(pynet.ops.activation)


# ---- rectifiers with slopes of their own -------------------------------------------------------


def test_prelu_is_leaky_relu_with_its_slope() -> None:
    x = draw(3, 4, 2)
    np.testing.assert_array_equal(PRelu(np.array([0.2])).forward(x), A.leaky_relu(x, 0.2))
    slope = np.array([0.1, 0.2, -0.3, 4.0])
    y = PRelu(slope).forward(x)
    for c in range(4):
        np.testing.assert_array_equal(y[:, c], A.leaky_relu(x[:, c], slope[c]))
    np.testing.assert_array_equal(y, A.prelu(x, slope))
    for shape in ((3, 5), (4,)):
        with pytest.raises(ValueError, match=r"\[PRelu.forward\] x: expected shape \(N, 4, ...\)"):
            PRelu(slope).forward(draw(*shape))


def test_prelu_learns_its_slopes_in_a_network() -> None:
    """|x| is a rectifier with slope -1, and only so."""
    np.random.seed(0)
    net = Network([Affine.sized(1), PRelu.sized()], IdentityWithLoss(), input_dim=(1,))
    x = np.linspace(-1, 1, 41, dtype=np.float32)[:, None]
    optimizer = Adam(lr=0.03)
    for _ in range(800):
        optimizer.update(net.params, net.gradient(x, np.abs(x)))
    assert net.params["slope1"] == pytest.approx(-1, abs=0.02)


def test_rrelu_draws_its_slopes_as_dropout_draws_masks() -> None:
    x = -np.ones((200, 100), np.float32)
    pynet.seed(3)
    layer = RRelu(0.1, 0.4)
    first, second = -layer.forward(x), -layer.forward(x)
    assert 0.1 <= first.min() < 0.101 and 0.399 < first.max() < 0.4
    assert first.mean() == pytest.approx(0.25, abs=2e-3)
    assert first.std() == pytest.approx(0.3 / np.sqrt(12), abs=2e-3)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    pynet.seed(3)
    np.testing.assert_array_equal(-RRelu(0.1, 0.4).forward(x), first)
    twin = RRelu(0.1, 0.4)  # the next layer: other numbers
    assert (-twin.forward(x) != first).mean() > 0.99
    twin.dropout_number, twin.dropout_step = layer.dropout_number, 1  # as from a checkpoint
    np.testing.assert_array_equal(-twin.forward(x), second)
    np.testing.assert_array_equal(-layer.forward(x, False), np.full_like(x, 0.25))
    pynet.seed(0)


# ---- maxout ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 5), (3, 12, 2, 3), (1, 6, 1, 1, 2)])
@pytest.mark.parametrize("pieces", [1, 2, 3, 6])
def test_maxout_takes_the_largest_of_each_group(shape: tuple[int, ...], pieces: int) -> None:
    x = draw(*shape)
    groups = x.reshape(shape[0], shape[1] // pieces, pieces, *shape[2:])
    layer = Maxout(pieces)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, groups.max(axis=2))
    np.testing.assert_array_equal(A.maxout(x, pieces), y)
    winners = groups == y[:, :, None]
    np.testing.assert_array_equal(layer.backward(y), (winners * y[:, :, None]).reshape(shape))
    for bad in (np.ones((2, 7)), np.ones(6), np.ones((2, 0))):
        if pieces > 1 or bad.shape[-1:] != (7,):
            with pytest.raises(ValueError, match=r"\[Maxout.forward\] x: expected shape"):
                layer.forward(bad)


def test_maxout_of_two_lines_is_the_absolute_value() -> None:
    net = Sequential(Affine(np.array([[1.0, -1.0]]), np.zeros(2)), Maxout(2))
    x = draw(50, 1)
    np.testing.assert_array_equal(net(x), np.abs(x))


@pytest.mark.parametrize(
    ("target", "pieces", "limit"), [(np.abs, 2, 0.01), (np.square, 8, 0.05)], ids=["abs", "square"]
)
def test_maxout_learns_convex_functions(target: Any, pieces: int, limit: float) -> None:
    """Goodfellow et al., figure 1: |x| from two lines, x^2 from several."""
    np.random.seed(1)
    body = [Affine.sized(pieces, init=1.0), Maxout(pieces)]
    net = Network(body, IdentityWithLoss(), input_dim=(1,))
    x = np.linspace(-1, 1, 101, dtype=np.float32)[:, None]
    optimizer = Adam(lr=0.02)
    for _ in range(1500):
        optimizer.update(net.params, net.gradient(x, target(x)))
    assert np.abs(net.predict(x) - target(x)).max() < limit
