"""MNIST and Fashion-MNIST, with the arguments and the results of the book's `load_mnist`."""

from __future__ import annotations

from pathlib import Path

from pynet.datasets import fetch
from pynet.datasets.arrays import Split, one_hot_rows, prepare_images
from pynet.datasets.files import PathLike, complaint
from pynet.datasets.idx import read_pair

train_num = 60000
test_num = 10000
img_dim = (1, 28, 28)
img_size = 784

key_file = {
    "train_img": "train-images-idx3-ubyte.gz",
    "train_label": "train-labels-idx1-ubyte.gz",
    "test_img": "t10k-images-idx3-ubyte.gz",
    "test_label": "t10k-labels-idx1-ubyte.gz",
}

# The digests are those of the published files.
MNIST = fetch.Source(
    op="load_mnist",
    folder="mnist",
    own_names=True,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sha256={
        key_file["train_img"]: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        key_file["train_label"]: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        key_file["test_img"]: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        key_file["test_label"]: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = fetch.Source(
    op="load_fashion_mnist",
    folder="fashion-mnist",
    own_names=False,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    sha256={
        key_file["train_img"]: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        key_file["train_label"]: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        key_file["test_img"]: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        key_file["test_label"]: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)
url_base = MNIST.mirrors[0]


def load_mnist(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    data_dir: PathLike | None = None,
    download: bool = False,
) -> Split:
    """MNIST: `(x_train, t_train), (x_test, t_test)` with 60,000 and 10,000 handwritten digits.

    The four IDX files, plain or .gz, are taken from `data_dir` or its subfolder `mnist`; without
    `data_dir` from $PYNET_DATA or its subfolder `mnist`, then from the cache folder
    (~/.cache/pynet/mnist, below XDG_CACHE_HOME where that is set, below LOCALAPPDATA on
    Windows). Unlike the book's loader it downloads only when asked, and writes no pickle.

    Args:
        normalize: True gives float32 pixels in [0, 1] (divided by 255), False uint8 0 to 255.
        flatten: True gives (N, 784), False (N, 1, 28, 28).
        one_hot_label: True gives float64 (N, 10), False uint8 (N,).
        data_dir: the only folder to look in, and to download to.
        download: fetch files that are nowhere (11 MB, with pooch, checked by SHA-256) into
            `data_dir`, or into the cache folder without it.

    Raises:
        FileNotFoundError: no folder has the files, or the download failed; the message names the
            files and the folders.
        ValueError: a file is truncated, damaged or not what its name says.
        OSError: a file cannot be read.

    Source: LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-based learning applied to document
    recognition".
    """
    return _load(MNIST, normalize, flatten, one_hot_label, data_dir, download)


def load_fashion_mnist(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    data_dir: PathLike | None = None,
    download: bool = False,
) -> Split:
    """Fashion-MNIST: photographs of ten kinds of clothing in the format of MNIST.

    As `load_mnist`, with the subfolder and cache folder `fashion-mnist`. The files have the
    names of MNIST's, so in $PYNET_DATA only that subfolder counts. A download is 31 MB.

    Source: Xiao, Rasul and Vollgraf, 2017, "Fashion-MNIST: a novel image dataset for
    benchmarking machine learning algorithms".
    """
    return _load(FASHION_MNIST, normalize, flatten, one_hot_label, data_dir, download)


def download_mnist(data_dir: PathLike | None = None) -> Path:
    """Download those of MNIST's four files that are missing, and return their folder.

    The folder is `data_dir`, or the cache folder without it. Raises: as `load_mnist`.
    """
    return fetch.fetch(MNIST, data_dir)


def init_mnist(data_dir: PathLike | None = None) -> None:
    """See to it that `load_mnist` works: download MNIST if no folder has it, and read it once.

    The book's function also writes the arrays into a pickle; here the IDX files are all there
    is, because reading a pickle can run code. Raises: as `load_mnist`.
    """
    load_mnist(data_dir=data_dir, download=True)


def _load(
    source: fetch.Source,
    normalize: bool,
    flatten: bool,
    one_hot_label: bool,
    data_dir: PathLike | None,
    download: bool,
) -> Split:
    files = fetch.locate(source, data_dir, download)
    parts = []
    for images, labels in (("train_img", "train_label"), ("test_img", "test_label")):
        path = files[key_file[images].removesuffix(".gz")]
        label_path = files[key_file[labels].removesuffix(".gz")]
        x, t = read_pair(path, label_path, op=source.op, classes=10)
        for array, name, tail in ((x, path, (28, 28)), (t, label_path, ())):
            if array.dtype != "uint8" or array.shape[1:] != tail:
                expected = f"uint8 {('N', *tail)}".replace("'", "")
                got = f"{array.dtype} {array.shape}"
                raise ValueError(complaint(source.op, name, expected, got))
        rows = one_hot_rows(t, 10) if one_hot_label else t
        parts.append((prepare_images(x, normalize, flatten), rows))
    return parts[0], parts[1]
