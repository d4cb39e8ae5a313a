"""Valid arguments of every op: what `bad_inputs.py` spoils, one argument at a time."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from pynet import reference

F32 = np.float32


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(F32)


def specimen(op: str) -> dict[str, Any]:
    """Valid arguments of an op, all of its arrays among them; sizes that no two axes share."""
    x, image = normal(4, 5), normal(2, 4, 6, 5)
    C = {name: normal(4) for name in ("gamma", "beta", "mean")}
    std = {"std": np.abs(normal(4)) + 1}
    window = {"stride": (1, 2), "pad": 1, "dilation": (2, 1)}
    conv = {**window, "groups": 2}  # OH = 4, OW = 3
    W, dout = normal(6, 2, 3, 2), normal(2, 6, 4, 3)
    pool = {"kernel": (3, 2), "stride": (1, 2), "pad": (1, 0)}  # OH = 6, OW = 2
    t, soft = np.array([1, 0, 4, 2]), np.abs(normal(4, 5))
    taps = {
        "rows": np.array([[0, 6, 2], [1, 1, 0]] * 3 + [[5, 3, 4]], np.int32),  # (7, 3), H = 6
        "row_weights": normal(7, 3),
        "columns": np.array([[0, 4], [5, 2]] * 4, np.int32),  # (8, 2), W = 5
        "column_weights": normal(8, 2),
    }
    update = {name: normal(3, 7) for name in ("p", "g")} | {"lr": 0.1}
    positive = np.abs(normal(3, 7))
    specimens: dict[str, dict[str, Any]] = {
        "gemm": {"A": normal(3, 4), "B": normal(4, 5), "bias": normal(5), "alpha": 0.5},
        "conv2d": {"x": image, "W": W, "b": normal(6), **conv},
        "conv2d_max_pool2d": {"x": image, "W": W, "b": normal(6), "kernel": (2, 1), **conv},
        "conv2d_dx": {"dout": dout, "W": W, "x_shape": image.shape, **conv},
        "conv2d_dW": {"dout": dout, "x": image, "W_shape": W.shape, **conv},
        "im2col": {"x": image, "FH": 3, "FW": 2, **window},
        "col2im": {"col": normal(24, 24), "x_shape": image.shape, "FH": 3, "FW": 2, **window},
        "max_pool2d": {"x": image, **pool},
        "max_pool2d_backward": {
            "dout": normal(2, 4, 6, 2),
            "arg": np.full((2, 4, 6, 2), 3, np.int32),
            "x_shape": image.shape,
            "y": normal(2, 4, 6, 2),
            **pool,
        },
        "avg_pool2d": {"x": image, **pool},
        "avg_pool2d_backward": {"dout": normal(2, 4, 6, 2), "x_shape": image.shape, **pool},
        "global_avg_pool2d": {"x": image},
        "global_avg_pool2d_backward": {"dout": normal(2, 4), "x_shape": image.shape},
        "activation": {"x": x, "name": "elu", "alpha": 0.5, "beta": 2.0},
        "activation_backward": {"dout": x, "x": x + 1, "name": "elu", "alpha": 0.5, "beta": 2.0},
        "add": {"a": x, "b": x + 1},
        "scale": {"x": x, "alpha": 2.0},
        "clip": {"x": x, "low": -0.5, "high": 0.5},
        "sum": {"x": x},
        "norm": {"x": x},
        "sum_channels": {"x": image},
        "dropout": {"x": x, "ratio": 0.5, "seed": 1, "layer": 2, "step": 3},
        "dropout_backward": {"dout": x, "mask": (x > 0).astype(np.uint8), "scale": 2.0},
        "softmax_cross_entropy": {"x": x, "t": t},
        "softmax_cross_entropy_backward": {"y": soft, "t": t, "scale": 2.0},
        "sigmoid_cross_entropy": {"x": x, "t": soft},
        "sigmoid_cross_entropy_backward": {"y": x, "t": soft, "scale": 2.0},
        "squared_error": {"y": x, "t": soft},
        "squared_error_backward": {"y": x, "t": soft, "scale": 2.0},
        "batch_norm": {
            "x": image,
            **{name: C[name] for name in ("gamma", "beta")},
            "running_mean": normal(4),
            "running_var": np.abs(normal(4)),
            "momentum": 0.5,
            "eps": 1e-3,
        },
        "batch_norm_backward": {"dout": image, "x": image + 1, **C, **std, "y": image},
        "group_norm": {
            "x": image,
            **{name: C[name] for name in ("gamma", "beta")},
            "groups": 2,
            "eps": 1e-3,
        },
        "group_norm_backward": {
            "dout": image,
            "x": image + 1,
            "gamma": normal(4),
            "mean": normal(2, 2),
            "std": np.abs(normal(2, 2)) + 1,
            "groups": 2,
        },
        "local_response_norm": {"x": image, "n": 3, "k": 1.5, "alpha": 0.5, "beta": 0.25},
        "local_response_norm_backward": {
            "dout": image,
            "x": image + 1,
            "y": image - 1,
            "scale": np.abs(image) + 1,
            "n": 3,
            "alpha": 0.5,
            "beta": 0.25,
        },
        "resample2d": {"x": image, **taps, "fill": 0.5},
        "resample2d_backward": {"dout": normal(2, 4, 7, 8), **taps, "x_shape": image.shape},
        "sgd_update": update,
        "momentum_update": {**update, "v": normal(3, 7), "momentum": 0.5},
        "nesterov_update": {**update, "v": normal(3, 7), "momentum": 0.5},
        "adagrad_update": {**update, "h": positive},
        "rmsprop_update": {**update, "h": positive, "decay_rate": 0.5},
        "adam_update": {
            **update,
            "m": normal(3, 7),
            "v": positive,
            "beta1": 0.5,
            "beta2": 0.9,
            "iter": 3,
        },
        "adadelta_update": {**update, "h": positive, "u": positive, "decay_rate": 0.5, "eps": 1e-6},
        "rprop_update": {
            **{name: normal(3, 7) for name in ("p", "g", "sign")},
            "step": positive,
            "least": 1e-3,
            "most": 2.0,
            "shrink": 0.5,
            "grow": 1.2,
        },
        "lars_update": {
            **update,
            "v": normal(3, 7),
            "momentum": 0.5,
            "weight_decay": 0.1,
            "trust": 0.2,
        },
        "average_update": {"p": normal(3, 7), "g": normal(3, 7), "rate": 0.1},
    }
    adam = specimens["adam_update"]
    specimens["adamw_update"] = {**adam, "weight_decay": 0.1}
    specimens["nadam_update"] = adam
    specimens["amsgrad_update"] = {**adam, "v_max": positive}
    for name in ("relu", "sigmoid", "tanh", "softmax", "log_softmax"):
        specimens[name] = {"x": x}
        specimens[f"{name}_backward"] = {"dout": x, "y": getattr(reference, name)(x)}
    specimens["batch_norm_backward"].pop("beta")
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in specimens[op].items()}


def parameters(op: str) -> list[str]:
    return list(inspect.signature(getattr(reference, op)).parameters)
