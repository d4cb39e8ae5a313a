"""Data: the book's `load_mnist`, digits that come with the package, and your own files.

    load_digits()              1,797 real 8 x 8 digits, inside the package
    load_mnist()               28 x 28 digits, from local files or a download
    load_mnist_or_digits()     MNIST where it is at hand, else those digits enlarged to it
    load_fashion_mnist()       the same for clothing
    load_idx(images, labels)   any pair of IDX files
    load_npz(path)             your own arrays x and t
    open_npy_pair(x, t)        files larger than memory

The loaders of whole data sets return `(x_train, t_train), (x_test, t_test)`. None of them reads
or changes the state of `random` or `np.random`, and none uses the network unless asked.
"""

from typing import Any

from pynet.datasets import fetch, mnist
from pynet.datasets.arrays import stratified_split
from pynet.datasets.digits import load_digits
from pynet.datasets.idx import load_idx, read_idx
from pynet.datasets.mnist import (
    download_mnist,
    img_dim,
    img_size,
    init_mnist,
    key_file,
    load_fashion_mnist,
    load_mnist,
    test_num,
    train_num,
    url_base,
)
from pynet.datasets.npy import open_npy_pair
from pynet.datasets.npz import load_npz
from pynet.datasets.splits import k_fold, train_val_test_split
from pynet.datasets.stand_in import load_mnist_or_digits

__all__ = [
    "dataset_dir",
    "download_mnist",
    "img_dim",
    "img_size",
    "init_mnist",
    "k_fold",
    "key_file",
    "load_digits",
    "load_fashion_mnist",
    "load_idx",
    "load_mnist",
    "load_mnist_or_digits",
    "load_npz",
    "open_npy_pair",
    "read_idx",
    "stratified_split",
    "test_num",
    "train_num",
    "train_val_test_split",
    "url_base",
]

dataset_dir: str


def __getattr__(name: str) -> Any:
    """Give `dataset_dir`, which follows the environment: where `download_mnist` puts its files."""
    if name == "dataset_dir":
        return str(fetch.cache_folder(mnist.MNIST))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
