"""The data that `--data` names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pynet import datasets
from pynet._types import Array
from pynet.cli.models import takes_images
from pynet.datasets.fetch import Source, locate, search_folders
from pynet.datasets.mnist import FASHION_MNIST, MNIST

_SOURCES = {"mnist": MNIST, "fashion-mnist": FASHION_MNIST}


class Data(NamedTuple):
    """Training and test samples, with class numbers."""

    x_train: Array
    t_train: Array
    x_test: Array
    t_test: Array

    @property
    def classes(self) -> int:
        return int(max(self.t_train.max(), self.t_test.max())) + 1

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.x_train.shape[1:]

    def for_model(self, model: str) -> Data:
        """Return the data as the network takes them: images, or rows."""
        if takes_images(model):
            return self
        rows = (x.reshape(len(x), -1) for x in (self.x_train, self.x_test))
        x_train, x_test = rows
        return Data(x_train, self.t_train, x_test, self.t_test)


def load(name: str, seed: int, data_dir: str | None, download: bool) -> Data:
    """Read data by name; a set without a test part of its own is split by `seed`.

    Raises ValueError or OSError, saying what to do.
    """
    if name == "digits":
        train, test = datasets.load_digits(flatten=False, seed=seed)
    elif name in _SOURCES:
        _locate(name, _SOURCES[name], data_dir, download)
        loader = datasets.load_mnist if name == "mnist" else datasets.load_fashion_mnist
        train, test = loader(flatten=False, data_dir=data_dir)
    elif name.lower().endswith(".npz"):
        train, test = datasets.load_npz(name, flatten=False, seed=seed)
    else:
        raise ValueError(
            f"--data: expected digits, mnist, fashion-mnist or a file NAME.npz, got {name!r}"
        )
    return Data(*train, *test)


def _locate(name: str, source: Source, data_dir: str | None, download: bool) -> None:
    """Find or fetch the files; FileNotFoundError in the words of the command line."""
    try:
        locate(source, data_dir, download)
    except FileNotFoundError as error:
        folders = " or ".join(str(folder) for folder in search_folders(source, data_dir))
        failed = [line.strip() for line in str(error).splitlines() if "download failed" in line]
        raise FileNotFoundError(
            f"--data {name}: expected {', '.join(source.names)} (each as it is or with .gz) in "
            f"{folders}: put them there, name their folder with --data-dir, or "
            + (f"try later ({failed[0]})" if failed else "add --download")
        ) from error


def value_range(x: Array) -> tuple[float, float]:
    """Return the smallest and the largest finite value."""
    finite = x[np.isfinite(x)]
    if finite.size == 0:
        raise ValueError("--data: expected finite numbers in x, got none")
    return float(finite.min()), float(finite.max())
