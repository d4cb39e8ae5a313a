"""Bad input to layers, losses, optimizers and networks: a clear error, and the object works on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_inputs import no_numbers
from layer_cases import F32, F64, LAYERS, draw

import pynet
from pynet.layers import (
    ActivationLayer,
    Affine,
    BatchNormalization,
    Concat,
    Convolution,
    Dropout,
    IdentityWithLoss,
    Pooling,
    Relu,
    Reshape,
    Residual,
    Sequential,
    SigmoidWithLoss,
    SoftmaxWithLoss,
)
from pynet.networks import MultiLayerNet, Network, SimpleConvNet, TwoLayerNet
from pynet.optimizers import OPTIMIZERS

FORM = r"\[[\w.]+\] [\w\[\]', ]+: expected .+, got .+"
ERRORS = (ValueError, TypeError, IndexError, MemoryError)


def refused(call: Callable[[], Any], errors: Any = ERRORS) -> None:
    with pytest.raises(errors) as caught:
        call()
    assert re.fullmatch(FORM, str(caught.value).strip('"'), re.DOTALL), caught.value


ANY_RANK = ("Relu", "Sigmoid", "Tanh", "Dropout", "ChannelDropout", "Flatten", "Reshape")
ANY_RANK += ("LayerNormalization", "GroupNormalization", "LocalResponseNormalization")
ANY_RANK += ("PRelu", "RRelu", "Softmax", "LogSoftmax", "Softmin", "Maxout")

# ---- layers ------------------------------------------------------------------------------------

every_layer = pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)


@every_layer
def test_a_layer(make: Any, shape: tuple[int, ...]) -> None:
    def run(layer: Any) -> list[bytes]:
        layer.dropout_step = 0
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(y))
        grads = [getattr(layer, "d" + name) for name in layer.param_names]
        return [a.tobytes() for a in (y, dx, *grads)]

    x = draw(*shape)
    layer = make(F64)
    right = run(layer)
    y = layer.forward(x)
    for bad in no_numbers(x).values():
        refused(lambda bad=bad: layer.forward(bad), (TypeError, ValueError))
    for axis in range(x.ndim):
        empty = x.take([], axis)
        if not isinstance(layer, Reshape):
            refused(lambda empty=empty: layer.forward(empty), ValueError)
    for bad in [*no_numbers(y).values(), y[:-1], y[:, :1], np.concatenate([y, y]), y[0]]:
        refused(lambda bad=bad: layer.backward(bad), (TypeError, ValueError))
    if type(layer).__name__ not in ANY_RANK and not isinstance(layer, ActivationLayer):
        wrong_rank = [x[0], F64(1)]
        if type(layer).__name__ != "Affine":
            wrong_rank += [x[None], x[..., None, None, None]]
        for bad in wrong_rank:
            refused(lambda bad=bad: layer.forward(bad), ValueError)
    assert run(layer) == right


@pytest.mark.parametrize("loss", [SoftmaxWithLoss, SigmoidWithLoss, IdentityWithLoss])
def test_a_loss(loss: Any) -> None:
    x, t = draw(4, 5), np.eye(5)[:4]
    layer = loss()
    refused(layer.backward)
    right = layer.forward(x, t), layer.backward().tobytes()
    for bad in no_numbers(x).values():
        refused(lambda bad=bad: layer.forward(bad, t))
        refused(lambda bad=bad: layer.forward(x, bad))
    for bad_t in (t[:3], t[:, :4], np.eye(6)[:4], t[None], np.zeros((4, 1), int), 1.5):
        refused(lambda bad_t=bad_t: layer.forward(x, bad_t))
    for scale in (np.nan, np.inf, "1", None, 1j):
        refused(lambda scale=scale: layer.backward(scale))
    assert (layer.forward(x, t), layer.backward().tobytes()) == right


@pytest.mark.parametrize(
    "bad", [draw(3, 3), draw(3, 3, 2, 9), draw(0, 2, 5, 5), draw(3, 0, 5, 5), np.full((1, 1), "a")]
)
def test_a_layer_without_sizes_takes_none_from_bad_input(bad: np.ndarray) -> None:
    for layer in (
        Convolution.sized(4, 3),
        Convolution.sized(6, 3, groups=3),
        Sequential(Convolution.sized(4, 3), Relu(), Pooling(2, 2), Affine.sized(5)),
    ):
        refused(lambda layer=layer: layer.forward(bad))
        good = draw(3, 3 if getattr(layer, "groups", 1) == 3 else 2, 5, 5)
        assert layer.forward(good).shape[0] == 3
    for other in (Affine.sized(5), BatchNormalization.sized()):
        for x in (draw(0, 3), draw(3, 0), F64(1), np.full((3, 7), 1j)):
            refused(lambda other=other, x=x: other.forward(x))
        assert other.forward(draw(3, 4)).shape[0] == 3


def test_a_network_without_sizes_takes_none_from_bad_input() -> None:
    conv = Convolution.sized(4, 3)
    net = Network(Sequential(conv, Pooling(3, 3), Convolution.sized(2, 3), Affine.sized(5)))
    for bad in (draw(2, 3, 6, 6), draw(2, 3), draw(2, 3, 16, 2), np.full((2, 3, 20, 20), None)):
        refused(lambda bad=bad: net.predict(bad))
        assert not conv.built and net.input_dim is None
    assert net.predict(draw(2, 1, 20, 20)).shape == (2, 5) and net.input_dim == (1, 20, 20)
    refused(lambda: net.predict(draw(2, 3, 20, 20)))
    assert net.gradient(draw(2, 1, 20, 20), np.array([1, 2])).keys() == net.params.keys()


@pytest.mark.parametrize("option", ["stride", "pad", "dilation", "groups"])
@pytest.mark.parametrize("value", [0, -1, 2**31, 2**64])
def test_options_of_a_convolution(option: str, value: int) -> None:
    if (option, value) == ("pad", 0):
        return
    layer = Convolution(draw(4, 2, 3, 3), draw(4), **{option: value})
    refused(lambda: layer.forward(draw(2, 2, 6, 6)))
    setattr(layer, option, 1)
    assert layer.forward(draw(2, 2, 6, 6)).shape[1] == 4
    refused(
        lambda: Network(
            Sequential(Convolution.sized(4, 3, **{option: value}), Affine.sized(2)),
            input_dim=(2, 6, 6),
        )
    )


@pytest.mark.parametrize("window", [(0, 2), (2, -1), (9, 9)])
def test_windows_of_pooling(window: tuple[int, int]) -> None:
    layer = Pooling(*window, stride=1)
    refused(lambda: layer.forward(draw(1, 1, 4, 4)))
    refused(lambda: layer.describe((1, 1, 4, 4)))
    refused(lambda: Pooling(2, 2, stride=0).describe((1, 1, 4, 4)))
    layer.pool_h = layer.pool_w = 2
    assert layer.forward(draw(1, 1, 4, 4)).shape == (1, 1, 3, 3)


def test_containers_and_ratios() -> None:
    x = draw(3, 4)
    for layer in (
        Residual(Affine(draw(4, 5), draw(5))),
        Concat(Affine(draw(4, 5), draw(5)), Affine(draw(3, 5), draw(5))),
        Sequential(Affine(draw(4, 5), draw(5)), Affine(draw(4, 5), draw(5))),
    ):
        refused(lambda layer=layer: layer.forward(x), ValueError)
    good = Sequential(Residual(Affine(draw(4, 4), draw(4))), Relu())
    right = good.forward(x).tobytes()
    refused(lambda: good.forward(draw(3, 5)), ValueError)
    refused(lambda: good.backward(draw(3, 5)), ValueError)
    assert good.forward(x).tobytes() == right
    for ratio in (-0.1, 1.1, np.nan, np.inf):
        refused(lambda ratio=ratio: Dropout(ratio), ValueError)


# ---- optimizers --------------------------------------------------------------------------------

RULES = list(OPTIMIZERS.values())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, "0.1", None, 1j, 10**400])
def test_hyperparameters(rule: Any, value: Any) -> None:
    optimizer = rule()
    names = [name for name in optimizer.numbers if name != "iter"]
    for name in names:
        before = getattr(optimizer, name)
        refused(lambda name=name: rule(**{name: value}), (ValueError, TypeError))
        refused(lambda name=name: setattr(optimizer, name, value), (ValueError, TypeError))
        assert getattr(optimizer, name) == before


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("first", [True, False], ids=["first update", "later"])
def test_an_optimizer(rule: Any, first: bool) -> None:
    """Whatever is wrong with a key, nothing has been changed, and no state is left behind."""

    def params() -> dict[str, Any]:
        return {"a": draw(3, 4), "b": draw(4, seed=1), "c": 0.5}

    grads = {"a": draw(3, 4, seed=2), "b": draw(4, seed=3), "c": 0.25}
    locked = params()["b"]
    locked.flags.writeable = False
    shared = params()["b"]
    wrong: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {"b": draw(5)}),
        ({}, {"b": draw(1, 4)}),
        ({}, {"c": draw(3)}),
        ({}, {"c": "1"}),
        ({}, {"c": None}),
        ({}, {"c": 1j}),
        *(({}, {"b": bad}) for bad in no_numbers(draw(4)).values() if not np.ma.is_masked(bad)),
        ({"b": locked}, {}),
        ({"b": np.arange(4)}, {}),
        ({"b": draw(4).astype(complex)}, {}),
        ({"b": [1.0, 2.0, 3.0, 4.0]}, {}),
        ({"c": "1"}, {}),
        ({"b": shared}, {"b": shared}),
    ]

    def train(optimizer: Any, mistakes: bool) -> list[bytes]:
        mine = params()
        for _ in range(3):
            if mistakes:
                for bad_params, bad_grads in wrong:
                    bad = {**mine, **bad_params}
                    before = {k: np.array(v) for k, v in bad.items()}
                    refused(lambda b=bad, g=bad_grads: optimizer.update(b, {**grads, **g}))
                    assert all(np.array(bad[k]).tobytes() == v.tobytes() for k, v in before.items())
                refused(lambda: optimizer.update(mine, {"a": grads["a"]}), KeyError)
            optimizer.update(mine, grads)
            mistakes = mistakes or not first
        return [np.array(v).tobytes() for v in mine.values()]

    assert train(rule(), first) == train_without_mistakes(rule, params(), grads)


def train_without_mistakes(rule: Any, params: Any, grads: Any) -> list[bytes]:
    optimizer = rule()
    for _ in range(3):
        optimizer.update(params, grads)
    return [np.array(v).tobytes() for v in params.values()]


# ---- networks ----------------------------------------------------------------------------------

CONV = {"filter_num": 30, "filter_size": 3, "pad": 0, "stride": 1}
NETWORKS = {
    "two layers": (lambda: TwoLayerNet(6, 5, 4), (6,)),
    "many layers": (lambda: MultiLayerNet(6, [5, 5], 4), (6,)),
    "convolution": (
        lambda: SimpleConvNet(
            (1, 8, 8), {"filter_num": 2, "filter_size": 3, "pad": 0, "stride": 1}, 5, 4
        ),
        (1, 8, 8),
    ),
}


@pytest.mark.parametrize(("make", "sample"), NETWORKS.values(), ids=NETWORKS)
def test_a_network(make: Any, sample: tuple[int, ...]) -> None:
    np.random.seed(0)
    net = make()
    x, t = draw(3, *sample, dtype=F32), np.array([0, 3, 1])

    def run() -> list[bytes]:
        grads = net.gradient(x, t)
        return [
            net.predict(x).tobytes(),
            np.float64(net.loss(x, t)).tobytes(),
            grads.flat.tobytes(),
        ]

    right = run()
    wrong_x = [x[0, ..., 0], x[..., :-1], x[:0], x[..., :0], np.concatenate([x, x], axis=-1)]
    for bad in [*wrong_x, *no_numbers(x).values()]:
        for use in (net.predict, lambda x: net.loss(x, t), lambda x: net.gradient(x, t)):
            refused(lambda use=use, bad=bad: use(bad))
    wrong_t = [
        [0, -1, 1],
        [0, 4, 1],
        [0, 1],
        [0, 1, 2, 3],
        np.eye(5)[:3],
        [0.5, 1, 2],
        [[0], [1], [2]],
    ]
    for bad in [*wrong_t, *no_numbers(t).values()]:
        for use in (net.loss, net.gradient):
            refused(lambda use=use, bad=bad: use(x, bad))
    for bad in ([0, 1], np.eye(5)[:3], [[["0"]]], None):
        refused(lambda bad=bad: net.accuracy(x, bad))
    for size in (0, -1):
        refused(lambda size=size: net.accuracy(x, t, size), ValueError)
    refused(lambda: net.params.__setitem__("W1", np.zeros((2, 2))), ValueError)
    refused(lambda: setattr(net.last_layer, "t", None) or net.last_layer.backward(), TypeError)
    assert run() == right


@pytest.mark.parametrize(
    "make",
    [
        lambda: TwoLayerNet(0, 5, 4),
        lambda: TwoLayerNet(6, 0, 4),
        lambda: TwoLayerNet(6, 5, -1),
        lambda: MultiLayerNet(6, [5, 0], 4),
        lambda: SimpleConvNet((1, 2, 2)),
        lambda: Network([Relu()], dtype=np.int32),
        lambda: Network([Affine.sized(3)], input_dim=(0,)),
        lambda: Affine.sized(0),
        lambda: Convolution.sized(4, 0),
    ],
)
def test_networks_that_cannot_be(make: Any) -> None:
    refused(make, ValueError)


@pytest.mark.parametrize(
    ("call", "errors"),
    [
        (lambda: pynet.set_num_threads(-1), ValueError),
        (lambda: pynet.set_num_threads(2**40), ValueError),
        (lambda: pynet.set_num_threads(1.5), TypeError),
        (lambda: pynet.seed(-1), ValueError),
        (lambda: pynet.backend.empty((2, 0), F32), ValueError),
        (lambda: pynet.backend.empty(-1, F32), ValueError),
        (lambda: pynet.backend.empty((2**40, 2**40), F32), ValueError),
        (lambda: pynet.backend.empty((2**21, 2**20), F32), MemoryError),
        (lambda: pynet.backend.empty((1,) * 40, F32), ValueError),
        (lambda: pynet.backend.empty(2, object), TypeError),
        (lambda: pynet.backend.empty(2, "thing"), TypeError),
        (lambda: pynet.backend.empty("ab", F32), TypeError),
        (lambda: pynet.backend.empty(np.array(2.0), F32), TypeError),
        (lambda: pynet.backend.empty(None, F32), TypeError),
        (lambda: pynet._core.set_isa("mmx"), ValueError),
    ],
)
def test_runtime(call: Any, errors: Any) -> None:
    refused(call, errors)
