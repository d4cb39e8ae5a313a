"""Every activation and its gradient against torch, on random shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pynet import layers

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

# The layer, its hyperparameters, and the same in torch: not its hardsigmoid and its celu with an
# alpha of 0.4, whose 1/6 and 1/alpha have 24 bits in float64 too.
PAIRS: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
    ("Identity", {}, nn.Identity()),
    ("Step", {}, lambda x: torch.heaviside(x.detach(), torch.zeros(1, dtype=x.dtype)) + 0 * x),
    ("Sigmoid", {}, torch.sigmoid),
    ("HardSigmoid", {}, lambda x: F.relu6(x + 3) / 6),
    ("LogSigmoid", {}, F.logsigmoid),
    ("Tanh", {}, torch.tanh),
    ("HardTanh", {}, F.hardtanh),
    ("HardTanh", {"low": -0.3, "high": 2}, lambda x: F.hardtanh(x, -0.3, 2.0)),
    ("TanhShrink", {}, F.tanhshrink),
    ("Softsign", {}, F.softsign),
    ("Relu", {}, F.relu),
    ("Relu6", {}, F.relu6),
    ("LeakyRelu", {}, F.leaky_relu),
    ("LeakyRelu", {"slope": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
    ("Elu", {}, F.elu),
    ("Elu", {"alpha": 0.3}, lambda x: F.elu(x, 0.3)),
    ("Selu", {}, F.selu),
    ("Celu", {}, F.celu),
    ("Celu", {"alpha": 0.5}, lambda x: F.celu(x, 0.5)),
    ("Gelu", {}, F.gelu),
    ("GeluTanh", {}, lambda x: F.gelu(x, approximate="tanh")),
    ("Silu", {}, F.silu),
    ("Swish", {"beta": 1.7}, lambda x: x * torch.sigmoid(1.7 * x)),
    ("HardSwish", {}, F.hardswish),
    ("Mish", {}, F.mish),
    ("Softplus", {}, F.softplus),
    ("Softplus", {"beta": 2.5}, lambda x: F.softplus(x, 2.5, 40.0)),
    ("HardShrink", {}, F.hardshrink),
    ("HardShrink", {"threshold": 1.2}, lambda x: F.hardshrink(x, 1.2)),
    ("SoftShrink", {}, F.softshrink),
    ("SoftShrink", {"threshold": 1.2}, lambda x: F.softshrink(x, 1.2)),
    ("Gaussian", {}, lambda x: torch.exp(-x * x)),
    ("Sinusoid", {}, torch.sin),
    ("Softmax", {}, lambda x: F.softmax(x, -1)),
    ("LogSoftmax", {}, lambda x: F.log_softmax(x, -1)),
    ("Softmin", {}, lambda x: F.softmin(x, -1)),
]
NAMES = [f"{name}{i}" for i, (name, *_) in enumerate(PAIRS)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(1, 8, rng.integers(1, 5)))


def compare(layer: Any, theirs: Callable[[Any], Any], x: np.ndarray, dout: np.ndarray) -> None:
    """Output and dx are torch's, to rounding."""
    t = torch.tensor(x, requires_grad=True)
    y = theirs(t)
    y.backward(torch.tensor(dout.reshape(y.shape)))
    double = x.dtype == np.float64
    limit = {"rtol": 1e-12 if double else 1e-5, "atol": 1e-12 if double else 2e-6}
    np.testing.assert_allclose(layer.forward(x), y.detach().numpy(), **limit)
    np.testing.assert_allclose(layer.backward(dout), t.grad.numpy(), **limit)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "numbers", "theirs"), PAIRS, ids=NAMES)
def test_equals_torch(name: str, numbers: dict[str, Any], theirs: Any, dtype: type) -> None:
    rng = np.random.default_rng(len(name))
    layer = getattr(layers, name)(**numbers)
    for _ in range(20):
        shape = random_shape(rng)
        x = (4 * rng.standard_normal(shape)).astype(dtype)
        compare(layer, theirs, x, rng.standard_normal(shape).astype(dtype))


def test_every_layer_of_the_family_is_compared() -> None:
    family = {cls.__name__ for cls in layers.ActivationLayer.__subclasses__()}
    assert family <= {name for name, *_ in PAIRS}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(8))
def test_prelu_equals_torch(seed: int, dtype: type) -> None:
    """Shared and per channel; the gradient of the slope too."""
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(2, 6, 2), *random_shape(rng)[:2])
    slope = rng.standard_normal(shape[1] if seed % 2 else 1).astype(dtype)
    layer, weight = layers.PRelu(slope), torch.tensor(slope, requires_grad=True)
    x, dout = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    compare(layer, lambda t: F.prelu(t, weight), x, dout)
    np.testing.assert_allclose(layer.dslope, weight.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_rrelu_equals_torch_in_test_mode(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(random_shape(rng))
    t = F.rrelu(torch.tensor(x), 0.1, 0.4, training=False)
    np.testing.assert_allclose(layers.RRelu(0.1, 0.4).forward(x, False), t.numpy(), rtol=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_maxout_equals_torch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    N, C, pieces = (int(n) for n in rng.integers(1, 6, 3))
    shape = (N, C * pieces, *rng.integers(1, 5, seed % 3))
    x = rng.standard_normal(shape)

    def theirs(t: Any) -> Any:
        return t.unflatten(1, (C, pieces)).amax(2)

    compare(layers.Maxout(pieces), theirs, x, rng.standard_normal((N, C, *shape[2:])))
