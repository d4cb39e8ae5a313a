"""`pynet eval` and `pynet predict`: what a trained network is good for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

import pynet
from pynet import ops
from pynet._types import Array
from pynet.cli import models
from pynet.cli.data import load
from pynet.cli.errors import missing_extra
from pynet.cli.run import checkpoint_path
from pynet.networks import Network
from pynet.resume import restore_network
from pynet.serialization import load_checkpoint


def eval(arguments: argparse.Namespace) -> int:
    """Print the accuracy on test data; by default those held back when the network was trained."""
    if arguments.threads is not None:
        pynet.set_num_threads(arguments.threads)
    path = checkpoint_path(arguments.checkpoint)
    if arguments.model is None:
        network, extra = _load(path)
        settings = extra["settings"]
    else:
        settings = {"model": arguments.model, "data": "digits", "seed": 0}
    name = settings["data"] if arguments.data is None else arguments.data
    data = load(name, settings["seed"], arguments.data_dir, arguments.download)
    if arguments.model is not None:
        network = models.build(arguments.model, data.sample_shape, data.classes, "float32")
        network.load_params(path)
    elif list(data.sample_shape) != extra["sample_shape"]:
        raise ValueError(
            f"--data: expected samples of shape {tuple(extra['sample_shape'])} like those the "
            f"network was trained on, got {data.sample_shape}"
        )
    data = data.for_model(settings["model"])
    accuracy = network.accuracy(data.x_test, data.t_test)
    count = len(data.x_test)
    print(
        f"{settings['model']} on {name}: test accuracy {100 * accuracy:.2f} % "
        f"({round(accuracy * count):,} of {count:,})"
    )
    return 0


def predict(arguments: argparse.Namespace) -> int:
    """Print the class that a picture shows, and the three most probable ones."""
    network, extra = _load(checkpoint_path(arguments.checkpoint))
    low, high = extra["range"]
    pixels = _read_picture(arguments.file, tuple(extra["sample_shape"]), arguments.invert)
    x = (low + (high - low) * pixels)[np.newaxis]
    if not models.takes_images(extra["settings"]["model"]):
        x = x.reshape(1, -1)
    y = ops.softmax(network.predict(x))[0]
    order = np.argsort(-y, kind="stable")[:3]
    print(f"{arguments.file}: {order[0]}")
    print(", ".join(f"{label}: {100 * y[label]:.1f} %" for label in order))
    return 0


def _load(path: str) -> tuple[Network, dict[str, Any]]:
    """The network in a checkpoint of `pynet train`, ready to predict."""
    arrays, meta = load_checkpoint(path)
    extra: Mapping[str, Any] = meta.get("extra", {})
    if not {"settings", "sample_shape", "classes", "range"} <= set(extra):
        raise ValueError(f"--checkpoint: expected one of `pynet train`, got another: {path}")
    settings = extra["settings"]
    network = models.build(
        settings["model"], tuple(extra["sample_shape"]), extra["classes"], settings["dtype"]
    )
    restore_network(network, arrays, meta)
    return network, dict(extra)


def _read_picture(file: str, shape: tuple[int, ...], invert: str) -> Array:
    """A picture as (C, H, W) from 0 to 1, light strokes on dark ground."""
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(
            f"--checkpoint: expected a network for pictures, got one for samples of shape {shape}"
        )
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(f"pynet predict: {missing_extra(error, 'data')}") from None
    if not os.path.isfile(file):
        raise FileNotFoundError(f"FILE.png: expected a picture, got no such file: {file!r}")
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, OSError) as error:
        raise ValueError(f"FILE.png: expected a picture, got {error}") from error
    C, H, W = shape
    paper = Image.new("RGBA", picture.size, "white")
    gray = Image.alpha_composite(paper, picture).convert("L" if C == 1 else "RGB")
    pixels = np.asarray(gray.resize((W, H), Image.Resampling.BOX), np.float32) / 255
    x = pixels.reshape(H, W, C).transpose(2, 0, 1)
    border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
    if invert == "yes" or (invert == "auto" and border.mean() > 0.5):
        x = 1 - x
    return np.ascontiguousarray(x)
