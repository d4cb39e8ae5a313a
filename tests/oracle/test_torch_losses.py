"""Losses and their gradients against torch, on random shapes, with and without weights.

torch leaves the mean over weighted samples to the caller, except for class weights of class
numbers; elsewhere the tests say by what its own mean differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from pynet import losses

torch = pytest.importorskip("torch")
F = pytest.importorskip("torch.nn.functional")


class Pair(NamedTuple):
    layer: Callable[..., losses.LossLayer]
    each: Callable[[Any, Any], Any]  # torch's losses, before any mean
    x: str
    t: str
    mean: bool = False  # over the outputs of a sample; else their sum


def _multi_class_hinge(x, t):
    return F.multi_margin_loss(x, t, reduction="none") * x.shape[1]


def _squared_hinge(x, t):
    return torch.clamp(1 - t * x, min=0) ** 2


def _kl(x, t):
    return F.kl_div(x, t, reduction="none")


PAIRS = {
    "squared error": Pair(
        losses.IdentityWithLoss,
        lambda x, t: F.mse_loss(x, t, reduction="none") / 2,
        *("real", "real"),
    ),
    "mean squared error": Pair(
        losses.MeanSquaredError,
        lambda x, t: F.mse_loss(x, t, reduction="none"),
        *("real", "real", True),
    ),
    "mean absolute error": Pair(
        losses.MeanAbsoluteError,
        lambda x, t: F.l1_loss(x, t, reduction="none"),
        *("real", "real", True),
    ),
    "huber": Pair(
        losses.Huber,
        lambda x, t: F.huber_loss(x, t, reduction="none"),
        *("real", "real", True),
    ),
    "huber 0.4": Pair(
        lambda **k: losses.Huber(0.4, **k),
        lambda x, t: F.huber_loss(x, t, reduction="none", delta=0.4),
        *("real", "real", True),
    ),
    "log cosh": Pair(
        losses.LogCosh, lambda x, t: torch.log(torch.cosh(x - t)), "real", "real", True
    ),
    "softmax": Pair(
        losses.SoftmaxWithLoss,
        lambda x, t: F.cross_entropy(x, t, reduction="none"),
        *("real", "labels"),
    ),
    "softmax, smoothed": Pair(
        lambda **k: losses.SoftmaxWithLoss(label_smoothing=0.15, **k),
        lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=0.15),
        *("real", "labels"),
    ),
    "softmax, soft": Pair(
        losses.SoftmaxWithLoss,
        lambda x, t: F.cross_entropy(x, t, reduction="none"),
        *("real", "rows"),
    ),
    "cross entropy": Pair(
        losses.CrossEntropy,
        lambda x, t: F.nll_loss(torch.log(x), t, reduction="none"),
        *("rows", "labels"),
    ),
    "nll": Pair(
        losses.NegativeLogLikelihood,
        lambda x, t: F.nll_loss(x, t, reduction="none"),
        *("log rows", "labels"),
    ),
    "kl": Pair(losses.KullbackLeibler, _kl, "log rows", "rows"),
    "sigmoid": Pair(
        losses.SigmoidWithLoss,
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"),
        *("real", "shares"),
    ),
    "binary": Pair(
        losses.BinaryCrossEntropy,
        lambda x, t: F.binary_cross_entropy(x, t, reduction="none"),
        *("shares", "shares"),
    ),
    "hinge": Pair(losses.Hinge, lambda x, t: torch.clamp(1 - t * x, min=0), "real", "signs", True),
    "squared hinge": Pair(losses.SquaredHinge, _squared_hinge, "real", "signs", True),
    "multi-class hinge": Pair(losses.MultiClassHinge, _multi_class_hinge, "real", "labels"),
}

DRAW = {
    "real": lambda rng, N, D: 3 * rng.standard_normal((N, D)),
    "rows": lambda rng, N, D: rng.dirichlet(np.ones(D), N),
    "log rows": lambda rng, N, D: np.log(rng.dirichlet(np.ones(D), N)),
    "shares": lambda rng, N, D: rng.uniform(0.01, 0.99, (N, D)),
    "signs": lambda rng, N, D: rng.choice([-1.0, 1.0], (N, D)),
    "labels": lambda rng, N, D: rng.integers(0, D, N),
}


def drawn(name, seed):
    pair = PAIRS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    N, D = int(rng.integers(1, 40)), int(rng.integers(2, 20))
    return pair, rng, DRAW[pair.x](rng, N, D), DRAW[pair.t](rng, N, D)


def compare(layer, x, t, sample_weight, theirs, dx, rtol=1e-11):
    assert layer.forward(x, t, sample_weight=sample_weight) == pytest.approx(theirs, rel=rtol)
    np.testing.assert_allclose(layer.backward(), dx, rtol=rtol, atol=rtol / len(x))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "sample weights"])
@pytest.mark.parametrize("name", PAIRS)
def test_loss_and_gradient(name, weighted, seed):
    pair, rng, x, t = drawn(name, seed)
    w = rng.uniform(0.1, 3, len(x)) if weighted else None
    tx = torch.tensor(x, requires_grad=True)
    each = pair.each(tx, torch.tensor(t))
    if each.ndim == 2:
        each = each.mean(dim=1) if pair.mean else each.sum(dim=1)
    weights = torch.ones(len(x), dtype=torch.float64) if w is None else torch.tensor(w)
    theirs = (weights * each).sum() / weights.sum()
    theirs.backward()
    compare(pair.layer(), x, t, w, theirs.item(), tx.grad.numpy())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "name", ["softmax", "softmax, smoothed", "softmax, soft", "cross entropy", "nll"]
)
def test_class_weights(name, seed):
    """torch's own weighted mean; with soft rows it divides by N instead of the weights."""
    pair, rng, x, t = drawn(name, seed)
    w = rng.uniform(0.1, 3, x.shape[1])
    tx, tt, tw = torch.tensor(x, requires_grad=True), torch.tensor(t), torch.tensor(w)
    if name == "nll":
        theirs = F.nll_loss(tx, tt, tw)
    elif name == "cross entropy":
        theirs = F.nll_loss(torch.log(tx), tt, tw)
    else:
        smoothing = 0.15 if "smoothed" in name else 0.0
        theirs = F.cross_entropy(tx, tt, tw, label_smoothing=smoothing)
    if "soft" in name and t.ndim == 2:
        theirs = theirs * len(x) / float((t @ w).sum())
    theirs.backward()
    compare(pair.layer(class_weight=w), x, t, None, theirs.item(), tx.grad.numpy())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["multi-class hinge", "sigmoid"])
def test_class_weights_that_torch_divides_by_n(name, seed):
    pair, rng, x, t = drawn(name, seed)
    tx = torch.tensor(x, requires_grad=True)
    if name == "sigmoid":
        t = np.round(t)
        w = np.array([1.0, rng.uniform(0.1, 3)])
        theirs = F.binary_cross_entropy_with_logits(
            tx, torch.tensor(t), reduction="sum", pos_weight=torch.tensor(w[1:])
        ) / (x.shape[1] * len(x))
        theirs = theirs * x.shape[1] / np.mean(1 - t + w[1] * t)
    else:
        w = rng.uniform(0.1, 3, x.shape[1])
        theirs = F.multi_margin_loss(tx, torch.tensor(t), weight=torch.tensor(w))
        theirs = theirs * x.shape[1] / np.mean(w[t])
    theirs.backward()
    compare(pair.layer(class_weight=w), x, t, None, theirs.item(), tx.grad.numpy())


@pytest.mark.parametrize("name", PAIRS)
def test_float32(name):
    pair, _, x, t = drawn(name, 7)
    x = x.astype(np.float32)
    target = t if t.dtype.kind == "i" else t.astype(np.float32)
    tx = torch.tensor(x, requires_grad=True)
    each = pair.each(tx, torch.tensor(target))
    theirs = each.sum() / (x.size if pair.mean else len(x))
    theirs.backward()
    layer = pair.layer()
    # torch's log(cosh) cancels for small errors
    assert layer.forward(x, target) == pytest.approx(theirs.item(), rel=2e-6)
    assert layer.backward().dtype == np.float32
    np.testing.assert_allclose(layer.backward(), tx.grad.numpy(), rtol=2e-5, atol=1e-6)
