"""The optimizers against torch's: many steps from random parameters, with random settings.

Where the definitions differ, the mapping says how. The book adds 1e-7 to sqrt(v), torch's Adam adds
eps to sqrt(v / (1 - beta2^k)): the same when torch's eps is 1e-7 / sqrt(1 - beta2^k), step by step.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from pynet.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    ClipNorm,
    ClipValue,
    GradientDescent,
    Momentum,
    MovingAverage,
    NAdam,
    Nesterov,
    RMSprop,
    RProp,
    StochasticAverage,
    WeightDecay,
)
from pynet.params import GradStore, ParamStore

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

STEPS = 40
SHAPES = [{"W": (5, 3)}, {"W1": (7, 4), "b1": (4,), "W2": (2, 3, 3, 3)}, {"x": (1,), "W": (33, 2)}]


def books_eps(beta2):
    """Torch's eps of step k that is the book's."""
    return lambda k: 1e-7 / math.sqrt(1 - beta2**k)


def adams(rng):
    return {"lr": rng.uniform(0.001, 0.3), "beta1": rng.uniform(0, 0.95)} | {
        "beta2": rng.choice([0.9, 0.99, 0.999])
    }


def adam_of_torch(kind, n, **more):
    def make(params):
        group = {"lr": n["lr"], "betas": (n["beta1"], n["beta2"]), **more}
        return kind(params, **group)

    return make


# Each draws settings and returns ours, how to make torch's, and its eps at step k or None.
def sgd(rng):
    lr = rng.uniform(0.01, 0.5)
    return SGD(lr), lambda p: torch.optim.SGD(p, lr), None


def gradient_descent(rng):
    lr = rng.uniform(0.01, 0.5)
    return GradientDescent(lr), lambda p: torch.optim.SGD(p, lr), None


def momentum(rng):
    """Torch keeps v / -lr: the same for a constant rate."""
    lr, m = rng.uniform(0.01, 0.3), rng.uniform(0, 0.95)
    return Momentum(lr, m), lambda p: torch.optim.SGD(p, lr, momentum=m), None


def nesterov(rng):
    lr, m = rng.uniform(0.01, 0.3), rng.uniform(0.1, 0.95)
    return Nesterov(lr, m), lambda p: torch.optim.SGD(p, lr, momentum=m, nesterov=True), None


def weight_decay(rng):
    lr, m, rate = rng.uniform(0.01, 0.3), rng.uniform(0, 0.95), rng.uniform(0, 0.1)
    ours = Momentum(lr, m).add_hook(WeightDecay(rate))
    return ours, lambda p: torch.optim.SGD(p, lr, momentum=m, weight_decay=rate), None


def adagrad(rng):
    lr = rng.uniform(0.01, 0.5)
    return AdaGrad(lr), lambda p: torch.optim.Adagrad(p, lr, eps=1e-7), None


def rmsprop(rng):
    lr, rho = rng.uniform(0.001, 0.1), rng.uniform(0.5, 0.99)
    return RMSprop(lr, rho), lambda p: torch.optim.RMSprop(p, lr, alpha=rho, eps=1e-7), None


def adadelta(rng):
    lr, rho, eps = rng.uniform(0.5, 2), rng.uniform(0.5, 0.99), 10.0 ** rng.uniform(-7, -3)
    return AdaDelta(lr, rho, eps), lambda p: torch.optim.Adadelta(p, lr, rho=rho, eps=eps), None


def adam(rng):
    n = adams(rng)
    return Adam(**n), adam_of_torch(torch.optim.Adam, n), books_eps(n["beta2"])


def adam_l2(rng):
    n, rate = adams(rng), rng.uniform(0, 0.1)
    ours = Adam(**n).add_hook(WeightDecay(rate))
    return ours, adam_of_torch(torch.optim.Adam, n, weight_decay=rate), books_eps(n["beta2"])


def amsgrad(rng):
    n = adams(rng)
    return AMSGrad(**n), adam_of_torch(torch.optim.Adam, n, amsgrad=True), books_eps(n["beta2"])


def adamw(rng):
    n, rate = adams(rng), rng.uniform(0, 0.3)
    theirs = adam_of_torch(torch.optim.AdamW, n, weight_decay=rate)
    return AdamW(**n, weight_decay=rate), theirs, books_eps(n["beta2"])


def nadam(rng):
    """Torch's beta1 grows by 1 - 0.96^(k * decay) / 2: with a huge decay it is constant.

    Its product is kept in float32.
    """
    n = adams(rng)
    theirs = adam_of_torch(torch.optim.NAdam, n, momentum_decay=1e6)
    return NAdam(**n), theirs, books_eps(n["beta2"])


def rprop(rng):
    lr, etas = rng.uniform(0.01, 0.3), (rng.uniform(0.3, 0.9), rng.uniform(1.05, 1.5))
    least, most = 10.0 ** rng.uniform(-6, -3), rng.uniform(0.5, 5)
    ours = RProp(lr, *etas, least, most)
    return ours, lambda p: torch.optim.Rprop(p, lr, etas, (least, most)), None


RULES = [sgd, gradient_descent, momentum, nesterov, weight_decay, adagrad, rmsprop, adadelta]
RULES += [adam, adam_l2, amsgrad, adamw, nadam, rprop]


def draw(rng, shapes, scale=1.0):
    return {key: scale * rng.standard_normal(shape) for key, shape in shapes.items()}


def both_ways(ours, theirs, shapes, seed, flat, eps=None, before_step=None, rtol=1e-9):
    rng = np.random.default_rng(seed)
    arrays = draw(rng, shapes)
    target = draw(rng, shapes)
    params = ParamStore.of(arrays) if flat else {key: a.copy() for key, a in arrays.items()}
    tensors = {key: torch.tensor(a) for key, a in arrays.items()}
    other = theirs(list(tensors.values()))
    for k in range(1, STEPS + 1):
        noise = draw(rng, shapes, 0.3)  # the gradient of a quadratic bowl, and noise
        grads = {key: params[key] - target[key] + noise[key] for key in params}
        for key, tensor in tensors.items():
            tensor.grad = tensor - torch.tensor(target[key] - noise[key])
        if eps is not None:
            other.param_groups[0]["eps"] = eps(k)
        if before_step is not None:
            before_step(list(tensors.values()))
        other.step()
        ours.update(params, GradStore.of(grads) if flat else grads)
    for key, tensor in tensors.items():
        assert not np.allclose(params[key], arrays[key])
        np.testing.assert_allclose(params[key], tensor.numpy(), rtol=rtol, atol=rtol / 100)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "dict"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rule", RULES, ids=[rule.__name__ for rule in RULES])
def test_optimizer(rule, seed, flat):
    ours, theirs, eps = rule(np.random.default_rng(seed))
    rtol = 1e-6 if rule is nadam else 1e-9
    both_ways(ours, theirs, SHAPES[seed % len(SHAPES)], seed, flat, eps, rtol=rtol)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["value", "norm"])
def test_clipping(kind, seed):
    """Torch divides by norm + 1e-6 when it clips the norm."""
    limit = np.random.default_rng(seed).uniform(0.2, 3)

    def clip(tensors):
        if kind == "value":
            torch.nn.utils.clip_grad_value_(tensors, limit)
            return
        norm = math.sqrt(sum(float((tensor.grad**2).sum()) for tensor in tensors))
        torch.nn.utils.clip_grad_norm_(tensors, limit)
        if norm > limit:
            for tensor in tensors:
                tensor.grad *= (norm + 1e-6) / norm

    ours = Momentum(0.1).add_hook(ClipValue(limit) if kind == "value" else ClipNorm(limit))
    theirs = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
    both_ways(ours, theirs, SHAPES[seed % len(SHAPES)], seed, True, before_step=clip)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["moving", "mean"])
def test_averages(kind, seed):
    rng = np.random.default_rng(seed)
    decay = rng.uniform(0.5, 0.99)
    average = MovingAverage(decay) if kind == "moving" else StochasticAverage()
    rule = torch.optim.swa_utils.get_ema_avg_fn(decay) if kind == "moving" else None
    model = torch.nn.Linear(4, 3).double()
    theirs = torch.optim.swa_utils.AveragedModel(model, avg_fn=rule)
    params = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    optimizer = SGD(0.1).add_hook(average)
    for _ in range(30):
        grads = {name: rng.standard_normal(p.shape) for name, p in params.items()}
        optimizer.update(params, grads)
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(torch.tensor(params[name]))
        theirs.update_parameters(model)
    for name, p in theirs.module.named_parameters():
        np.testing.assert_allclose(average.average[name], p.detach().numpy(), rtol=1e-11)
