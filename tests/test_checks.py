"""Arguments that make no sense are refused at once, in the one form of all messages."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from bad_inputs import NoRepr

import pynet
from pynet import checks, graph, initializers
from pynet.activations import maxout, prelu
from pynet.callbacks import Callback, Checkpoint, EarlyStopping, ReduceRateOnPlateau
from pynet.datasets import k_fold, train_val_test_split
from pynet.diagnosis import sharpness
from pynet.ensemble import Ensemble
from pynet.gradient import gradient_descent
from pynet.layers import (
    AdaptiveAveragePooling,
    Affine,
    Convolution,
    DepthwiseConvolution,
    Dropout,
    GroupNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    Maxout,
    Padding,
    PRelu,
    TransposedConvolution,
    Upsampling,
)
from pynet.loader import batches
from pynet.metrics import confusion_matrix, f1, roc_auc
from pynet.networks import DeepConvNet, Network, SimpleConvNet
from pynet.optimizers import SGD, Freeze, ParameterGroups
from pynet.rate_finder import find_rate
from pynet.schedules import CosineRestarts, ReduceOnPlateau, Step
from pynet.trainer import Trainer

FORM = re.compile(r"^\[[\w.]+\] [\w\[\]' ,]+: expected .+", re.DOTALL)

x = np.random.default_rng(0).standard_normal((8, 6))
t = np.arange(8) % 3


def net(**options):
    return Network([Affine.sized(3)], **{"input_dim": (6,), **options})


def trainer(**options):
    return Trainer(net(), x, t, None, None, **{"epochs": 1, "verbose": False, **options})


SIZES = {
    "Affine": Affine.sized,
    "Convolution FN": lambda n: Convolution.sized(n, 3),
    "Convolution filter_size": lambda n: Convolution.sized(3, n),
    "Convolution stride": lambda n: Convolution.sized(3, 3, stride=n).describe((1, 2, 9, 9)),
    "Convolution groups": lambda n: Convolution.sized(3, 3, groups=n).describe((1, 2, 9, 9)),
    "DepthwiseConvolution": lambda n: DepthwiseConvolution(None, None, multiplier=n),
    "GroupNormalization": GroupNormalization.sized,
    "LayerNormalization": lambda n: LayerNormalization.sized(0 if n is None else n),
    "LocalResponseNormalization": LocalResponseNormalization,
    "Maxout": Maxout,
    "maxout": lambda n: maxout(x, n),
    "Upsampling": Upsampling,
    "AdaptiveAveragePooling": AdaptiveAveragePooling,
    "EarlyStopping": lambda n: EarlyStopping(patience=n),
    "Checkpoint": lambda n: Checkpoint("file", n),
    "batches": lambda n: batches(x, t, n),
    "Trainer": lambda n: trainer(mini_batch_size=n),
    "accuracy": lambda n: net().accuracy(x, t, n),
    "Ensemble": lambda n: Ensemble([net()]).accuracy(x, t, n),
    "CosineRestarts": CosineRestarts,
    "find_rate": lambda n: find_rate(net(), SGD(), x, t, batch_size=n),
    "sharpness": lambda n: sharpness(net(), x, t, samples=n),
    "profile": lambda n: pynet.profile(net(), x, t, n),
}


def refused(call, error=(TypeError, ValueError)):
    with pytest.raises(error) as caught:
        call()
    assert FORM.match(str(caught.value)), caught.value


@pytest.mark.parametrize("make", SIZES.values(), ids=SIZES)
def test_sizes(make):
    for bad in (None, "a", b"x", 0, -1, 1.5, float("nan"), True, [], {}, [[1], [2, 3]], 1j):
        refused(lambda bad=bad: make(bad))
    for bad in (np.array([1.0, 2.0]), np.float32(1), object()):
        refused(lambda bad=bad: make(bad))


NUMBERS = {
    "Dropout": Dropout,
    "eps": lambda v: GroupNormalization.sized(2, eps=v),
    "k": lambda v: LocalResponseNormalization(k=v),
    "beta": lambda v: LocalResponseNormalization(beta=v),
    "PRelu": lambda v: PRelu.sized(v),
    "Padding": lambda v: Padding(1, value=v),
    "min_delta": lambda v: EarlyStopping(min_delta="a" if v is None else v),
    "init": lambda v: Affine.sized(3, init=v).build((1, 6)),
    "lr": lambda v: gradient_descent(np.sum, np.ones(2), lr=v),
    "Step": lambda v: Step(factor=v),
    "ReduceOnPlateau": lambda v: ReduceOnPlateau(least=v),
    "epochs": lambda v: trainer(epochs=v),
    "low": lambda v: find_rate(net(), SGD(), x, t, low=v),
    "radius": lambda v: sharpness(net(), x, t, radius=v),
}


@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
def test_numbers(make):
    for bad in (None, b"x", float("nan"), float("inf"), 10**400, [], 1j, np.ones(2), object()):
        refused(lambda bad=bad: make(bad))


OTHERS = {
    "metric": lambda: EarlyStopping(None),
    "mode": lambda: EarlyStopping(mode=np.ones(2)),
    "padding's mode": lambda: Padding(1, mode=[]),
    "pad": lambda: Padding(None),
    "seed": lambda: batches(x, t, seed=-1),
    "seed of find_rate": lambda: find_rate(net(), SGD(), x, t, seed="a"),
    "one sample": lambda: batches(3.0, t),
    "ragged": lambda: batches([[1], [2, 3]], [1, 2]),
    "Ensemble": lambda: Ensemble(None),
    "classes": lambda: confusion_matrix(t, t, 2**40),
    "average": lambda: f1(t, t, np.ones(2)),
    "average of roc_auc": lambda: roc_auc(t, x, []),
    "Freeze": lambda: Freeze(None),
    "ParameterGroups": lambda: ParameterGroups(None),
    "at": lambda: Step(at=None),
    "layers": lambda: Network(None),
    "last_layer": lambda: net(last_layer="a"),
    "penalty": lambda: net(penalty=0.1),
    "input_dim": lambda: net(input_dim=784),
    "summary": lambda: net().summary("ab"),
    "callbacks": lambda: trainer(callbacks=Callback()),
    "a callback": lambda: trainer(callbacks=[print]),
    "metrics": lambda: trainer(metrics=[f1]),
    "validation": lambda: trainer(validation=x),
    "optimizer_param": lambda: trainer(optimizer_param=0.1),
    "an unknown parameter": lambda: trainer(optimizer_param={"rate": 0.1}),
    "sampling": lambda: trainer(sampling=[]),
    "network": lambda: Trainer(None, x, t, None, None),
    "optimizer": lambda: trainer(optimizer=None),
    "an optimizer of set.update": lambda: trainer(optimizer=set()),
    "rule": lambda: ReduceRateOnPlateau(rule="a"),
    "W of Affine": lambda: Affine(np.zeros(3), np.zeros(3)),
    "b of Affine": lambda: Affine(np.zeros((3, 2)), np.zeros(3)),
    "conv_param": lambda: SimpleConvNet(conv_param={"filters": 30, "filter_size": 5}),
    "conv_param of the deep net": lambda: DeepConvNet(conv_param_3=None),
    "an image's input_dim": lambda: SimpleConvNet(input_dim=784),
    "the deep net's input_dim": lambda: DeepConvNet(input_dim=(28, 28)),
    "capture's network": lambda: pynet.capture(x, SGD()),
    "capture's optimizer": lambda: pynet.capture(net(), "adam"),
    "no samples": lambda: net().accuracy(x[:0], t[:0]),
    "params": lambda: SGD().update(None, {}),
    "grads": lambda: SGD().update({"W": x}, b"x"),
    "graph": lambda: graph.of(net(), 3),
    "a graph's sample": lambda: graph.of(net(), "ab"),
    "sized groups": lambda: repr(Convolution.sized(3, 3, groups=0)),
    "output_pad": lambda: TransposedConvolution(np.ones((2, 2, 3, 3)), None, output_pad=None),
    "prelu": lambda: prelu(None, 0.1),
    "slope": lambda: prelu(x, None),
    "slopes": lambda: prelu(x, [0.1, 0.2]),
    "std": lambda: initializers.normal((3, 4), None),
    "limit": lambda: initializers.uniform((3, 4), float("nan")),
    "value": lambda: initializers.constant((3, 4), "a"),
    "shape": lambda: initializers.zeros(-1),
    "sides": lambda: initializers.he((3, -4)),
    "split": lambda: train_val_test_split([[1], [2, 3]], [0, 1]),
    "ratios": lambda: train_val_test_split(x, t, [[1], [2, 3]]),
    "k_fold": lambda: k_fold([[1], [2, 3]]),
}


@pytest.mark.parametrize("call", OTHERS.values(), ids=OTHERS)
def test_others(call):
    refused(call)


def test_what_a_learner_gets_wrong_is_named():
    """Where it was wrong, in the words of the book, before anything is computed."""
    for call, words in (
        (lambda: Affine(np.zeros((3, 2)), np.zeros(3)), r"b: expected shape \(2,\), one for each"),
        (lambda: SimpleConvNet(conv_param={"filters": 30}), "conv_param: expected .* filter_num"),
        (lambda: SimpleConvNet(input_dim=(28, 28)), r"input_dim: expected an image \(C, H, W\)"),
        (lambda: net().predict([[1, 2], [3]]), "x: expected .* whose rows differ in length"),
        (lambda: net().accuracy(x[:0], t[:0]), "t: expected at least one label, got none"),
        (lambda: trainer(optimizer="Adamm"), "optimizer: expected one of .* got 'Adamm'"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            call()


def test_limits_of_a_number_are_not_rounded_to_its_dtype():
    assert checks.real_number("[f] x", np.float32(1), 0, sys.float_info.max) == 1
    assert type(checks.real_number("[f] x", np.float32(1))) is float
    with pytest.raises(ValueError, match=r"^\[f\] x: expected a finite number, got 1000"):
        checks.real_number("[f] x", 10**400)
    with pytest.raises(TypeError, match=r"^\[f\] x: expected a finite number, got NoRepr$"):
        checks.real_number("[f] x", NoRepr())


def test_prelu_keeps_the_dtype():
    """A slope is a Python number as often as an array."""
    for dtype in (np.float32, np.float64):
        y = prelu(np.array([[-1.0, 2.0]], dtype), 0.5)
        assert y.dtype == dtype and y.tolist() == [[-0.5, 2.0]]
        assert prelu(np.ones((2, 3), dtype), np.full(3, 0.25)).dtype == dtype
    assert prelu(np.array([-2, 2]), 0.25).dtype == np.float32


# ---- a metric that fails -----------------------------------------------------


def test_a_metric_that_raises_leaves_no_half_epoch():
    """Epochs, history and the steps of the measurements stay of one length."""
    calls = []

    def fragile(t, y):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("fragile")
        return 0.5

    run = trainer(
        epochs=3,
        mini_batch_size=4,
        sampling="epoch",
        validation=(x, t),
        metrics={"fragile": fragile},
    )
    with pytest.raises(RuntimeError, match="fragile"):
        run.train()
    assert run.current_epoch == len(run.evaluated_iters) == len(run.history["loss"]) == 1
    run.train()
    assert run.current_iter == 6 and run.current_epoch == 2 == len(run.history["fragile"])


@pytest.mark.parametrize("value", [None, "a", np.ones(2), [1.0]])
def test_a_metric_that_is_no_number(value):
    run = trainer(validation=(x, t), metrics={"m": lambda t, y: value})
    with pytest.raises(TypeError, match=r"^\[Trainer\] metrics\['m'\]: expected it to return a"):
        run.train()
    assert run.current_epoch == 0 and run.history["m"] == []


@pytest.mark.parametrize("value", [1, True, 0.5, np.float32(2), np.array(3.0), float("nan")])
def test_a_metric_that_is_a_number(value):
    run = trainer(validation=(x, t), metrics={"m": lambda t, y: value})
    run.train()
    assert type(run.history["m"][0]) is float
