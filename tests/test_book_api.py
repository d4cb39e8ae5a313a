"""The book's names, with its arguments, in its order, with its defaults."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

CONV = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}
CONV16 = {"filter_num": 16, "filter_size": 3, "pad": 1, "stride": 1}
CONV32 = {"filter_num": 32, "filter_size": 3, "pad": 1, "stride": 1}
CONV64 = {"filter_num": 64, "filter_size": 3, "pad": 1, "stride": 1}
NET = {
    "input_size": ...,
    "hidden_size_list": ...,
    "output_size": ...,
    "activation": "relu",
    "weight_init_std": "relu",
    "weight_decay_lambda": 0,
}
TWO_LAYER = {
    "input_size": ...,
    "hidden_size": ...,
    "output_size": ...,
    "weight_init_std": 0.01,
}

# name: {argument: default}, ... for an argument without one
NAMES: dict[str, dict[str, Any]] = {
    "functions.identity_function": {"x": ...},
    "functions.step_function": {"x": ...},
    "functions.sigmoid": {"x": ...},
    "functions.sigmoid_grad": {"x": ...},
    "functions.relu": {"x": ...},
    "functions.relu_grad": {"x": ...},
    "functions.softmax": {"x": ...},
    "functions.sum_squared_error": {"y": ..., "t": ...},
    "functions.cross_entropy_error": {"y": ..., "t": ...},
    "functions.softmax_loss": {"X": ..., "t": ...},
    "gradient.numerical_gradient": {"f": ..., "x": ...},
    "gradient.numerical_gradient_2d": {"f": ..., "X": ...},
    "util.smooth_curve": {"x": ...},
    "util.shuffle_dataset": {"x": ..., "t": ...},
    "util.conv_output_size": {"input_size": ..., "filter_size": ..., "stride": 1, "pad": 0},
    "util.im2col": {"input_data": ..., "filter_h": ..., "filter_w": ..., "stride": 1, "pad": 0},
    "util.col2im": {
        "col": ...,
        "input_shape": ...,
        "filter_h": ...,
        "filter_w": ...,
        "stride": 1,
        "pad": 0,
    },
    "datasets.load_mnist": {"normalize": True, "flatten": True, "one_hot_label": False},
    "datasets.init_mnist": {},
    "datasets.download_mnist": {},
    "layers.Relu": {},
    "layers.Sigmoid": {},
    "layers.Affine": {"W": ..., "b": ...},
    "layers.SoftmaxWithLoss": {},
    "layers.Dropout": {"dropout_ratio": 0.5},
    "layers.BatchNormalization": {
        "gamma": ...,
        "beta": ...,
        "momentum": 0.9,
        "running_mean": None,
        "running_var": None,
    },
    "layers.Convolution": {"W": ..., "b": ..., "stride": 1, "pad": 0},
    "layers.Pooling": {"pool_h": ..., "pool_w": ..., "stride": 2, "pad": 0},
    "layers.MulLayer": {},
    "layers.AddLayer": {},
    "optimizers.SGD": {"lr": 0.01},
    "optimizers.Momentum": {"lr": 0.01, "momentum": 0.9},
    "optimizers.Nesterov": {"lr": 0.01, "momentum": 0.9},
    "optimizers.AdaGrad": {"lr": 0.01},
    "optimizers.RMSprop": {"lr": 0.01, "decay_rate": 0.99},
    "optimizers.Adam": {"lr": 0.001, "beta1": 0.9, "beta2": 0.999},
    "networks.TwoLayerNet": TWO_LAYER,
    "networks.TwoLayerNetSigmoid": TWO_LAYER,  # chapter 4's TwoLayerNet
    "networks.MultiLayerNet": NET,
    "networks.MultiLayerNetExtend": {
        **NET,
        "use_dropout": False,
        "dropout_ration": 0.5,
        "use_batchnorm": False,
    },
    "networks.SimpleConvNet": {
        "input_dim": (1, 28, 28),
        "conv_param": CONV,
        "hidden_size": 100,
        "output_size": 10,
        "weight_init_std": 0.01,
    },
    "networks.DeepConvNet": {
        "input_dim": (1, 28, 28),
        "conv_param_1": CONV16,
        "conv_param_2": CONV16,
        "conv_param_3": CONV32,
        "conv_param_4": {**CONV32, "pad": 2},
        "conv_param_5": CONV64,
        "conv_param_6": CONV64,
        "hidden_size": 50,
        "output_size": 10,
    },
    "trainer.Trainer": {
        "network": ...,
        "x_train": ...,
        "t_train": ...,
        "x_test": ...,
        "t_test": ...,
        "epochs": 20,
        "mini_batch_size": 100,
        "optimizer": "SGD",
        "optimizer_param": {"lr": 0.01},
        "evaluate_sample_num_per_epoch": None,
        "verbose": True,
    },
}

PREDICT = {"x": ...}
PREDICT_FLAG = {"x": ..., "train_flg": False}
XT = {"x": ..., "t": ...}
LAYER = {"forward": {"x": ...}, "backward": {"dout": ...}}
FLAGGED = {"forward": {"x": ..., "train_flg": True}, "backward": {"dout": ...}}
TWO = {"forward": {"x": ..., "y": ...}, "backward": {"dout": ...}}
UPDATE = {"update": {"params": ..., "grads": ...}}
NETWORK = {
    "predict": PREDICT,
    "loss": XT,
    "accuracy": XT,
    "numerical_gradient": XT,
    "gradient": XT,
}
FILES = {
    "save_params": {"file_name": "params.pkl"},
    "load_params": {"file_name": "params.pkl"},
}
CONV_NET = {**NETWORK, **FILES, "accuracy": {**XT, "batch_size": 100}}
METHODS: dict[str, dict[str, dict[str, Any]]] = {
    **{f"layers.{name}": LAYER for name in ("Relu", "Sigmoid", "Affine", "Convolution", "Pooling")},
    "layers.SoftmaxWithLoss": {"forward": XT, "backward": {"dout": 1}},
    "layers.Dropout": FLAGGED,
    "layers.BatchNormalization": FLAGGED,
    "layers.MulLayer": TWO,
    "layers.AddLayer": TWO,
    **{
        f"optimizers.{name}": UPDATE
        for name in ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam")
    },
    "networks.TwoLayerNet": NETWORK,
    "networks.TwoLayerNetSigmoid": NETWORK,
    "networks.MultiLayerNet": NETWORK,
    "networks.MultiLayerNetExtend": {**NETWORK, "predict": PREDICT_FLAG},
    "networks.SimpleConvNet": CONV_NET,
    "networks.DeepConvNet": {**CONV_NET, "predict": PREDICT_FLAG},
    "trainer.Trainer": {"train_step": {}, "train": {}},
}


def find(name: str) -> Any:
    module, attribute = name.split(".")
    return getattr(importlib.import_module(f"pynet.{module}"), attribute)


def assert_begins_as_in_the_book(function: Any, expected: dict[str, Any], method: bool) -> None:
    """Its arguments come first; what pynet adds has a default and comes after."""
    parameters = list(inspect.signature(function).parameters.values())[method:]
    positional = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert [p.name for p in positional[: len(expected)]] == list(expected)
    for parameter, default in zip(positional, expected.values()):
        if default is ...:
            assert parameter.default is parameter.empty
        else:
            assert parameter.default == default
    for parameter in parameters:
        if parameter.name not in expected:
            assert parameter.default is not parameter.empty


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    thing = find(name)
    function = thing.__init__ if inspect.isclass(thing) else thing
    if inspect.isclass(thing) and thing.__init__ is object.__init__:
        assert NAMES[name] == {}
        return
    assert_begins_as_in_the_book(function, NAMES[name], inspect.isclass(thing))


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, methods in METHODS.items() for method in methods]
)
def test_methods(name: str, method: str) -> None:
    function = getattr(find(name), method)
    assert_begins_as_in_the_book(function, METHODS[name][method], True)


def test_the_table_is_complete() -> None:
    """The library's 69 names (35 and 34 methods) are here, and the classes of single chapters."""
    chapters = {"MulLayer", "AddLayer", "TwoLayerNet", "TwoLayerNetSigmoid"}
    chapters |= {"SimpleConvNet", "DeepConvNet"}
    library = [name for name in NAMES if name.split(".")[1] not in chapters]
    methods = sum(
        len(methods) for name, methods in METHODS.items() if name.split(".")[1] not in chapters
    )
    assert len(library) >= 35
    assert methods == 34


def test_star_imports_bring_what_the_scripts_take_from_them() -> None:
    for module, names in {
        "layers": ["np", "im2col", "col2im", "softmax", "sigmoid", "cross_entropy_error", "Affine"],
        "optimizers": ["np", "SGD", "Adam"],
        "gradient": ["numerical_gradient"],
        "trainer": ["Trainer", "SGD", "Adam"],
        "functions": ["softmax", "relu_grad"],
    }.items():
        space: dict[str, Any] = {}
        exec(f"from pynet.{module} import *", space)
        assert set(names) <= set(space)
