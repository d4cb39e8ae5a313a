"""`pynet profile` and `pynet graph`: where a network's time goes, and how it is put together."""

from __future__ import annotations

import argparse
import math

import numpy as np

import pynet
from pynet.cli import models
from pynet.cli.data import load


def profile(arguments: argparse.Namespace) -> int:
    """Print the time, bytes and arithmetic of every layer for one batch."""
    if arguments.threads is not None:
        pynet.set_num_threads(arguments.threads)
    np.random.seed(0)
    pynet.seed(0)
    data = load(arguments.data, 0, arguments.data_dir, arguments.download)
    network = models.build(arguments.model, data.sample_shape, data.classes, arguments.dtype)
    data = data.for_model(arguments.model)
    rows = np.arange(arguments.batch_size) % len(data.x_train)
    core = pynet.backend.core()
    print(f"pynet {pynet.__version__}, {core.isa()}, {core.num_threads()} threads", flush=True)
    print(pynet.profile(network, data.x_train[rows], data.t_train[rows], arguments.repeats))
    return 0


def graph(arguments: argparse.Namespace) -> int:
    """Write a drawing of a network."""
    shape = arguments.input
    network = models.build(arguments.model, shape, arguments.classes, "float32")
    if not models.takes_images(arguments.model):
        shape = (math.prod(shape),)
    drawing = pynet.graph.of(network, shape)
    drawing.save(arguments.out)
    print(f"{arguments.out}: {len(drawing.nodes)} nodes, {len(drawing.edges)} edges")
    return 0
