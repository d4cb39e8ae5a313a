"""The bundled digits, stratified splits, and MNIST as the book's load_mnist gives it."""

import gzip
import hashlib
import itertools
import os
import random
import re
import subprocess
import sys
from importlib import resources
from types import SimpleNamespace

import numpy as np
import pytest
from idx_files import MNIST_SHAPES, write_mnist

import pynet.datasets as datasets
from pynet.datasets import (
    fetch,
    load_digits,
    load_fashion_mnist,
    load_mnist,
    load_mnist_or_digits,
    stratified_split,
)

REAL_DATA = os.environ.get("PYNET_DATA")


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(autouse=True)
def _own_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("PYNET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# ---- digits


def test_digits_are_the_real_ones():
    (x, t), (x_test, t_test) = load_digits(normalize=False)
    assert (x.shape, t.shape, x_test.shape, t_test.shape) == (
        (1348, 64),
        (1348,),
        (449, 64),
        (449,),
    )
    assert x.dtype == t.dtype == np.uint8 and x.max() == 16
    counts = np.bincount(t) + np.bincount(t_test)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    rows = np.concatenate([np.column_stack((x, t)), np.column_stack((x_test, t_test))])
    rows = rows[np.lexsort(rows.T[::-1])]  # every digit once, whatever the split
    assert sha256(rows) == "f67d6a29d0e1f70e7f0cd9dcf25816b694881f4b8f27f5cc1db59551f0499fb8"


def test_without_mnist_the_digits_stand_in_for_it():
    (x, t), (x_test, _) = load_mnist_or_digits(flatten=False)
    (small, labels), _ = load_digits(flatten=False)
    assert x.shape == (1348, 1, 28, 28) and x_test.shape == (449, 1, 28, 28)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:, :, 3:26:3, 3:26:3], small)  # the middle of each pixel
    np.testing.assert_array_equal(t, labels)
    (raw, rows), _ = load_mnist_or_digits(normalize=False, one_hot_label=True)
    assert raw.shape == (1348, 784) and raw.dtype == np.uint8 and raw.max() == 255
    assert rows.shape == (1348, 10) and rows.dtype == np.float64


def test_mnist_where_it_is_at_hand(tmp_path, monkeypatch):
    arrays = write_mnist(tmp_path)
    monkeypatch.setenv("PYNET_DATA", str(tmp_path))
    (x, _), (_, t_test) = load_mnist_or_digits(normalize=False)
    np.testing.assert_array_equal(x, arrays[0].reshape(12, 784))
    np.testing.assert_array_equal(t_test, arrays[3])


def test_digits_options():
    (x, t), (x_test, t_test) = load_digits(flatten=False, one_hot_label=True)
    assert x.shape == (1348, 1, 8, 8) and x_test.shape == (449, 1, 8, 8)
    assert x.dtype == np.float32 and x.min() == 0 and x.max() == 1
    assert t.shape == (1348, 10) and t.dtype == np.float64 and (t.sum(axis=1) == 1).all()
    (raw, labels), (_, test_labels) = load_digits(normalize=False)
    np.testing.assert_array_equal(x.reshape(1348, 64) * 16, raw)
    np.testing.assert_array_equal(t.argmax(axis=1), labels)
    np.testing.assert_array_equal(t_test.argmax(axis=1), test_labels)
    assert x.flags.writeable and raw.flags.writeable and labels.flags.writeable
    assert x.flags.c_contiguous and raw.flags.c_contiguous


def test_digits_split_depends_on_the_seed_alone():
    first, second, other = load_digits(seed=3), load_digits(seed=3), load_digits(seed=4)
    for a, b in zip(itertools.chain(*first), itertools.chain(*second)):
        np.testing.assert_array_equal(a, b)
    assert (first[1][0] != other[1][0]).any()
    # the split of the default seed is part of the published figures
    test_part = np.column_stack(load_digits(normalize=False)[1])
    assert sha256(test_part) == "bc2fd7e73aa833b30a48e81e0a7fe173ec949ecc66fd959411404235a2119f7a"


def test_digits_split_is_stratified():
    for fraction, seed in itertools.product((0.1, 0.25, 0.5), range(3)):
        (_, t), (_, t_test) = load_digits(test_fraction=fraction, seed=seed)
        share = np.bincount(t_test) / (np.bincount(t) + np.bincount(t_test))
        assert len(t_test) == round(1797 * fraction)
        np.testing.assert_allclose(share, fraction, atol=1 / 174)
        # no class in a block: the first 100 are a fair sample too
        assert len(set(t[:100])) == 10


def test_digits_notice_lies_beside_them():
    notice = (resources.files("pynet") / "data" / "digits.LICENSE.txt").read_text("utf-8")
    assert "The scikit-learn developers" in notice and "BSD 3-Clause" in notice
    digest = re.search(r"SHA-256: (\w{64})", notice).group(1)
    data = (resources.files("pynet") / "data" / "digits.csv.gz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest


def test_loaders_leave_the_random_state_alone(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((8, 2)), t=np.arange(8) % 2)
    np.random.seed(5)
    random.seed(5)
    before = np.random.get_state()[1].tolist(), random.getstate()
    load_digits()
    datasets.load_npz(tmp_path / "a.npz")
    stratified_split([0, 1, 0, 1])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before


# ---- stratified_split


def test_stratified_split_properties():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, fraction = int(rng.integers(2, 80)), float(rng.uniform(0.01, 0.99))
        t = rng.integers(0, rng.integers(1, 9), n)
        train, test = stratified_split(t, fraction, seed=int(rng.integers(1000)))
        assert sorted([*train, *test]) == list(range(n))
        assert len(test) == min(max(round(n * fraction), 1), n - 1)
        for label in set(t):
            exact = np.sum(t == label) * len(test) / n
            assert np.floor(exact) <= np.sum(t[test] == label) <= np.ceil(exact)


def test_stratified_split_takes_one_hot_and_any_label():
    t = np.random.default_rng(1).integers(0, 4, 40)
    for other in (np.eye(4)[t], np.array(list("abcd"))[t], t.tolist()):
        for a, b in zip(stratified_split(t, 0.3, 2), stratified_split(other, 0.3, 2)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (([1], 0.5, 0), ValueError, r"t: expected at least 2 labels .*, got shape \(1,\)"),
        ((3, 0.5, 0), ValueError, r"got shape \(\)"),
        ((np.zeros((2, 2, 2)), 0.5, 0), ValueError, r"got shape \(2, 2, 2\)"),
        (([0, 1], 0, 0), ValueError, "test_fraction: expected .*, got 0"),
        (([0, 1], 1.0, 0), ValueError, "got 1.0"),
        (([0, 1], -0.5, 0), ValueError, "got -0.5"),
        (([0, 1], float("nan"), 0), ValueError, "got nan"),
        (([0, 1], "half", 0), ValueError, "got 'half'"),
        (([0, 1], 0.5, -1), ValueError, "seed: expected an integer from 0, got -1"),
        (([0, 1], 0.5, None), TypeError, "seed: expected an integer, got None"),
        (([0, 1], 0.5, 1.5), TypeError, "got 1.5"),
    ],
)
def test_stratified_split_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=rf"^\[stratified_split\] .*{words}"):
        stratified_split(*arguments)


def test_load_digits_bad_arguments():
    with pytest.raises(ValueError, match=r"^\[load_digits\] test_fraction: expected .*, got 2"):
        load_digits(test_fraction=2)
    with pytest.raises(TypeError, match=r"^\[load_digits\] seed: expected .*, got 'x'"):
        load_digits(seed="x")


# ---- load_mnist


@pytest.mark.parametrize("suffix, pack", [("", bytes), (".gz", gzip.compress)])
@pytest.mark.parametrize("options", list(itertools.product((True, False), repeat=3)))
def test_mnist_options(tmp_path, suffix, pack, options):
    arrays = write_mnist(tmp_path, suffix, pack)
    normalize, flatten, one_hot = options
    parts = load_mnist(normalize, flatten, one_hot, data_dir=tmp_path)
    for (x, t), images, labels in zip(parts, arrays[::2], arrays[1::2]):
        n = len(images)
        assert x.shape == ((n, 784) if flatten else (n, 1, 28, 28))
        assert x.dtype == (np.float32 if normalize else np.uint8)
        scaled = images.astype(np.float32) / np.float32(255) if normalize else images
        np.testing.assert_array_equal(x.reshape(n, 28, 28), scaled)
        assert t.dtype == (np.float64 if one_hot else np.uint8)
        np.testing.assert_array_equal(t, np.eye(10)[labels] if one_hot else labels)
        for array in (x, t):
            assert array.flags.writeable and array.flags.c_contiguous


def first_label(arrays):
    return arrays[1].tolist()


def loaded(loader=load_mnist, **options):
    return loader(**options)[0][1].tolist()


def test_mnist_folders_and_their_order(tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "pynet" / "mnist"
    in_cache = first_label(write_mnist(cache, ".gz", gzip.compress, seed=1))
    assert datasets.dataset_dir == str(cache)
    assert loaded() == in_cache
    monkeypatch.setenv("PYNET_DATA", str(tmp_path / "env"))
    assert loaded() == in_cache
    bare = first_label(write_mnist(tmp_path / "env", seed=2))
    assert loaded() == bare != in_cache
    below = first_label(write_mnist(tmp_path / "env" / "mnist", seed=3))
    assert loaded() == below != bare
    given = first_label(write_mnist(tmp_path / "given" / "mnist", seed=4))
    assert loaded(data_dir=tmp_path / "given") == given != below
    assert loaded(data_dir=str(tmp_path / "given" / "mnist")) == given
    with pytest.raises(FileNotFoundError):  # a folder that is given is the only one
        load_mnist(data_dir=tmp_path / "elsewhere")


def test_fashion_mnist_never_takes_the_files_of_mnist(tmp_path, monkeypatch):
    write_mnist(tmp_path / "env", seed=1)
    write_mnist(tmp_path / "env" / "mnist", seed=2)
    write_mnist(tmp_path / "cache" / "pynet" / "mnist", seed=3)
    monkeypatch.setenv("PYNET_DATA", str(tmp_path / "env"))
    with pytest.raises(FileNotFoundError, match=r"^\[load_fashion_mnist\] data_dir: "):
        load_fashion_mnist()
    own = first_label(write_mnist(tmp_path / "env" / "fashion-mnist", seed=4))
    assert loaded(load_fashion_mnist) == own
    assert loaded(load_fashion_mnist, data_dir=tmp_path / "env") == own


def test_mnist_compression_is_seen_from_the_content(tmp_path):
    arrays = write_mnist(tmp_path, "", gzip.compress)
    assert loaded(data_dir=tmp_path) == first_label(arrays)
    arrays = write_mnist(tmp_path / "b", ".gz")
    assert loaded(data_dir=tmp_path / "b") == first_label(arrays)


def test_mnist_missing_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PYNET_DATA", str(tmp_path / "env"))
    write_mnist(tmp_path / "env")
    (tmp_path / "env" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist()
    message = str(caught.value)
    first, *rest = message.splitlines()
    assert re.match(r"\[load_mnist\] data_dir: expected .*, got none", first)
    assert all(name in first for name in MNIST_SHAPES)
    assert f"  {tmp_path / 'env' / 'mnist'}: no such folder" in rest
    assert f"  {tmp_path / 'env'}: no t10k-labels-idx1-ubyte" in rest
    assert f"  {tmp_path / 'cache' / 'pynet' / 'mnist'}: no such folder" in rest
    assert "load_mnist(download=True)" in rest[-1] and "pynet[data]" in rest[-1]


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("train-images-idx3-ubyte", b"", "expected an IDX header .*, got an empty file"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x01\0\0\0\x02ab", r"expected images .*uint8 \(2,\)"),
        (
            "train-images-idx3-ubyte",
            b"\0\0\x08\x03\0\0\0\x0c\0\0\0\x01\0\0\0\x01" + bytes(12),
            r"expected uint8 \(N, 28, 28\), got uint8 \(12, 1, 1\)",
        ),
        (
            "train-images-idx3-ubyte",
            b"\0\0\x09\x03\0\0\0\x0c\0\0\0\x1c\0\0\0\x1c" + bytes(12 * 784),
            r"expected uint8 \(N, 28, 28\), got int8 \(12, 28, 28\)",
        ),
        (
            "t10k-labels-idx1-ubyte",
            b"\0\0\x08\x01\0\0\0\x04" + bytes(4),
            "expected 5 labels like the images in t10k-images-idx3-ubyte, got 4",
        ),
        (
            "t10k-labels-idx1-ubyte",
            b"\0\0\x08\x01\0\0\0\x05\0\x0a\0\0\0",
            "expected labels 0 to 9, got labels 0 to 10",
        ),
        (
            "t10k-labels-idx1-ubyte",
            b"\0\0\x0c\x01\0\0\0\x05" + bytes(20),
            r"expected uint8 \(N,?\), got int32 \(5,\)",
        ),
    ],
)
def test_mnist_damaged_files(tmp_path, name, content, words):
    write_mnist(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"^\[load_mnist\] {name}: {words}") as caught:
        load_mnist(data_dir=tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_book_constants():
    assert (datasets.train_num, datasets.test_num) == (60000, 10000)
    assert (datasets.img_dim, datasets.img_size) == ((1, 28, 28), 784)
    assert list(datasets.key_file.values()) == [f"{name}.gz" for name in MNIST_SHAPES]
    assert datasets.url_base.startswith("https://")
    assert not hasattr(datasets, "save_file")  # no pickle is made


def test_cache_folder_follows_the_platform(tmp_path, monkeypatch):
    source = SimpleNamespace(folder="mnist")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert fetch.cache_folder(source) == tmp_path / "cache" / "pynet" / "mnist"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert fetch.cache_folder(source) == tmp_path / "home" / ".cache" / "pynet" / "mnist"
    windows = SimpleNamespace(environ=os.environ, path=os.path, name="nt")
    monkeypatch.setattr(fetch, "os", windows)
    assert fetch.cache_folder(source) == tmp_path / "local" / "pynet" / "mnist"


def test_import_stays_light():
    code = (
        "import sys, pynet.datasets; sys.exit('pooch' in sys.modules or 'requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(not REAL_DATA, reason="PYNET_DATA is not set")
def test_real_mnist(monkeypatch):
    monkeypatch.setenv("PYNET_DATA", REAL_DATA)
    (x, t), (x_test, t_test) = load_mnist(normalize=False)
    assert x.shape == (60000, 784) and x_test.shape == (10000, 784)
    assert t[:5].tolist() == [5, 0, 4, 1, 9] and t_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert sha256(x) == "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"
    assert sha256(t) == "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"
    assert sha256(x_test) == "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"
    assert sha256(t_test) == "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"
    (scaled, _), _ = load_mnist()
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled[:1000], x[:1000].astype(np.float32) / np.float32(255))
