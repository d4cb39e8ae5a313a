"""`pynet train` and `pynet demo`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

import pynet
from pynet import backend, devices
from pynet.cli import models
from pynet.cli.arguments import OUT
from pynet.cli.data import load
from pynet.cli.run import CHECKPOINT, Run, check_folder, checkpoint_path
from pynet.serialization import load_checkpoint

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "data": "digits",
        "model": "simple-conv",
        "epochs": 20,
        "batch_size": 100,
        "optimizer": "adam",
        "lr": None,
        "schedule": "constant",
        "seed": 0,
        "dtype": "float32",
        "device": "cpu",
        "eval_samples": 10_000,
        "validation": None,
        "early_stopping": None,
    }
)
_DEMO = {
    **DEFAULTS,
    "model": "conv-bn",
    "epochs": 10,
    "batch_size": 50,
    "lr": 0.004,
    "schedule": "cosine",
}
# What may change between a run and its continuation.
_FREE = ("epochs", "eval_samples", "device")


def train(arguments: argparse.Namespace) -> int:
    """Train a network as the arguments say, or go on with an earlier run."""
    given = {name: getattr(arguments, name) for name in DEFAULTS}
    out, path = arguments.out, None
    saved: Mapping[str, Any] = DEFAULTS
    if arguments.resume is not None:
        path = checkpoint_path(arguments.resume)
        _, meta = load_checkpoint(path)
        saved = _settings(path, meta)
        out = os.path.dirname(path) or os.curdir if out is None else out
    settings = {name: saved[name] if value is None else value for name, value in given.items()}
    if path is not None:
        for name, value in settings.items():
            if value != saved[name] and name not in _FREE:
                option = name.replace("_", "-")
                raise ValueError(
                    f"--{option}: expected {saved[name]} like the checkpoint {path}, got {value}"
                )
    if settings["early_stopping"] is not None and settings["validation"] is None:
        raise ValueError(
            "--early-stopping: expected --validation SHARE with it, data to decide on that are not "
            "the test data, got none"
        )
    return _run(settings, OUT if out is None else out, arguments, path)


def demo(arguments: argparse.Namespace) -> int:
    """Train a small convolutional net on three quarters of the digits, test it on the others."""
    out = OUT if arguments.out is None else arguments.out
    if arguments.seeds is None:
        return _run({**_DEMO, "seed": arguments.seed}, out, arguments, None)
    results: list[float] = []
    for seed in range(arguments.seeds):
        folder = os.path.join(out, f"seed-{seed}")
        status = _run({**_DEMO, "seed": seed}, folder, arguments, None, results)
        if status:
            return status
    each = ", ".join(f"{100 * accuracy:.2f}" for accuracy in results)
    print(f"test accuracy of seeds 0 to {len(results) - 1}: {each} %")
    print(f"mean {100 * float(np.mean(results)):.2f} %")
    return 0


def _run(
    settings: dict[str, Any],
    out: str,
    arguments: argparse.Namespace,
    path: str | None,
    results: list[float] | None = None,
) -> int:
    check_folder(out)
    devices.checked(settings["device"])  # or raises, before the data are loaded
    if arguments.threads is not None:
        pynet.set_num_threads(arguments.threads)
    seed = settings["seed"]
    np.random.seed(seed)
    pynet.seed(seed)
    data = load(settings["data"], seed, arguments.data_dir, arguments.download)
    network = models.build(settings["model"], data.sample_shape, data.classes, settings["dtype"])
    network.to(settings["device"])
    core = backend.core()
    print(f"pynet {pynet.__version__}, {core.isa()}, {core.num_threads()} threads, seed {seed}")
    print(
        f"data {settings['data']}: {len(data.x_train):,} training and {len(data.x_test):,} test "
        f"samples of shape {'x'.join(map(str, data.sample_shape))}, {data.classes} classes"
    )
    count = sum(param.size for param in network.params.values())
    print(f"model {settings['model']}: {count:,} parameters, {settings['dtype']}", flush=True)
    if network.device == "cuda":
        print(f"device cuda: {backend.device().device_info()['name']}", flush=True)

    run = Run(network, data, settings, out)
    if run.held_out:
        print(f"validation {run.held_out:,} of the training samples", flush=True)
    if path is not None:
        run.resume(path)
    status = run.train()
    if results is not None and run.test_accuracy is not None:
        results.append(run.test_accuracy)
    return status


def _settings(path: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the run that wrote a checkpoint."""
    settings = meta.get("extra", {}).get("settings", {})
    if settings:  # a file of a version that knew no other device has no word of it
        settings = {"device": "cpu", **settings}
    if set(DEFAULTS) - set(settings):
        raise ValueError(
            f"--resume: expected a {CHECKPOINT} of `pynet train`, got another one: {path}"
        )
    return dict(settings)
